//! The service's settings: section `[pricing]`.

use std::time::Duration;

use serde::Deserialize;

/// The defaults, as TOML for the settings' first layer.
pub const DEFAULTS: &str = "[pricing]\npreview_lifetime_secs = 120\n";

/// The `[pricing]` section. Other keys of the section (URLs of its databases) belong to whoever starts the service.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// How long a preview may be shown after it was computed, in seconds.
    pub preview_lifetime_secs: u32,
    /// The callbacks of integrators: the section `webhooks`, the same for every service.
    #[serde(default)]
    pub webhooks: webhooks::Config,
}

impl Config {
    /// How long a preview may be shown.
    pub fn preview_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.preview_lifetime_secs))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { preview_lifetime_secs: 120, webhooks: webhooks::Config::default() }
    }
}
