//! The service's settings: section `[inventory]`.

use serde::Deserialize;

/// The defaults, as TOML for the settings' first layer.
pub const DEFAULTS: &str = "\
[inventory]
reservation_ttl_secs = 3600
expiry_interval_ms = 1000
expiry_batch = 100
";

/// The `[inventory]` section. Other keys of the section (URLs of its databases) belong to whoever starts the service.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// How long a reservation is held when its request does not say, in seconds.
    pub reservation_ttl_secs: u32,
    /// How often the expirer looks for reservations that ran out, in milliseconds.
    pub expiry_interval_ms: u64,
    /// Most reservations the expirer ends in one look.
    pub expiry_batch: u32,
    /// The callbacks of integrators: the section `webhooks`, the same for every service.
    #[serde(default)]
    pub webhooks: webhooks::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reservation_ttl_secs: 3_600,
            expiry_interval_ms: 1_000,
            expiry_batch: 100,
            webhooks: webhooks::Config::default(),
        }
    }
}
