//! The quote service's settings.

use std::time::Duration;

use rust_decimal::Decimal;
use serde::Deserialize;

/// The defaults, as TOML; their section is `quote`.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// The section `quote`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A deeper discount needs an approval.
    #[serde(with = "rust_decimal::serde::str")]
    pub approval_limit_percent: Decimal,
    /// How many days an offer stands unless said otherwise.
    pub valid_for_days: u16,
    /// Where the catalog answers.
    pub catalog_url: String,
    /// Where pricing answers.
    pub pricing_url: String,
    /// How long one call to another service may take.
    pub call_timeout_ms: u64,
    /// How often the worker looks for overdue offers.
    pub expiry_interval_ms: u64,
    /// The callbacks of integrators: the section `webhooks`, the same for every service.
    #[serde(default)]
    pub webhooks: webhooks::Config,
}

impl Config {
    /// How long one call to another service may take.
    pub const fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    /// How often the worker looks for overdue offers.
    pub const fn expiry_interval(&self) -> Duration {
        Duration::from_millis(self.expiry_interval_ms)
    }
}
