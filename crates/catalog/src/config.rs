//! The service's settings: section `[catalog]`.

use serde::Deserialize;

/// The defaults, as TOML for the settings' first layer.
pub const DEFAULTS: &str = "[catalog]\nconfiguration_reads = 16\n";

/// The `[catalog]` section. Other keys of the section (URLs of its databases) belong to whoever starts the service.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// Offerings read at once while one configuration is validated: bounds what one request takes from the pool.
    pub configuration_reads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { configuration_reads: 16 }
    }
}
