//! The settings of webhooks, the same for every service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The defaults, as TOML; their section is `webhooks`.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// How much longer a claim lasts than a delivery may take: time to note how it went.
const TIME_TO_NOTE: Duration = Duration::from_secs(20);

/// The section `webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether a callback may be http instead of https.
    pub allow_http: bool,
    /// Whether a callback may be at an address that is not a public one.
    pub allow_private_addresses: bool,
    /// How long one delivery may take.
    pub timeout_ms: u64,
    /// The longest first pause after a failure.
    pub retry_base_ms: u64,
    /// The longest pause.
    pub retry_cap_ms: u64,
    /// How long a delivery may fail before its subscription is suspended.
    pub suspend_after_secs: u32,
    /// How long an event is kept for replays.
    pub keep_secs: u32,
    /// Deliveries on their way at once in a process, for each service.
    pub concurrency: u16,
    /// Deliveries of one subscription on their way at once, in all processes.
    pub concurrency_per_subscription: u16,
}

impl Default for Config {
    /// What `default.toml` says.
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_private_addresses: false,
            timeout_ms: 10_000,
            retry_base_ms: 2_000,
            retry_cap_ms: 3_600_000,
            suspend_after_secs: 259_200,
            keep_secs: 604_800,
            concurrency: 32,
            concurrency_per_subscription: 4,
        }
    }
}

impl Config {
    /// How long one delivery may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long a delivery belongs to whoever took it.
    pub fn claim_term(&self) -> Duration {
        self.timeout() + TIME_TO_NOTE
    }

    /// How long a delivery may fail before its subscription is suspended.
    pub fn suspend_after(&self) -> Duration {
        Duration::from_secs(self.suspend_after_secs.into())
    }

    /// How long an event is kept for replays.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_secs.into())
    }
}

#[cfg(test)]
mod tests {
    use service_runtime::Settings;

    use super::*;

    #[test]
    fn the_defaults_are_the_same_in_both_places() {
        let settings = Settings::load(&[DEFAULTS], None).unwrap();
        assert_eq!(settings.section::<Config>("webhooks").unwrap(), Config::default());
    }
}
