//! The service's settings: section `[catalog]`.

use serde::Deserialize;

/// The defaults, as TOML for the settings' first layer.
pub const DEFAULTS: &str = "[catalog]\nconfiguration_reads = 16\nwarm_offerings = 100\nwarm_interval_ms = 1000\n";

/// The `[catalog]` section. Other keys of the section (URLs of its databases) belong to whoever starts the service.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// Offerings read at once while one configuration is validated: bounds what one request takes from the pool.
    pub configuration_reads: usize,
    /// Offerings of a newly activated publication that are loaded ahead of their readers; 0 for none.
    pub warm_offerings: u16,
    /// How often an idle worker looks for something to warm, in milliseconds.
    pub warm_interval_ms: u64,
    /// The callbacks of integrators: the section `webhooks`, the same for every service.
    #[serde(default)]
    pub webhooks: webhooks::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            configuration_reads: 16,
            warm_offerings: 100,
            warm_interval_ms: 1_000,
            webhooks: webhooks::Config::default(),
        }
    }
}
