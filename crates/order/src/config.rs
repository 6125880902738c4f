//! The order service's settings.

use std::time::Duration;

use serde::Deserialize;

/// The defaults, as TOML; their section is `order`.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// The section `order`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the quote service answers.
    pub quote_url: String,
    /// Where inventory answers.
    pub inventory_url: String,
    /// How long one call to another service may take.
    pub call_timeout_ms: u64,
    /// How long stock stays promised to an order that is being fulfilled.
    pub reservation_ttl_secs: u32,
    /// How often a task is tried before it falls out.
    pub task_retries: u32,
    /// How long a worker may hold a task.
    pub task_lease_ms: u64,
    /// Tasks one worker takes at once.
    pub task_batch: u16,
    /// Tasks one worker works on at the same time.
    pub task_concurrency: u16,
    /// How often an idle worker looks for tasks.
    pub poll_interval_ms: u64,
    /// The callbacks of integrators: the section `webhooks`, the same for every service.
    #[serde(default)]
    pub webhooks: webhooks::Config,
}

impl Config {
    /// How long one call to another service may take.
    pub const fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    /// How long a worker may hold a task.
    pub const fn task_lease(&self) -> Duration {
        Duration::from_millis(self.task_lease_ms)
    }

    /// How often an idle worker looks for tasks.
    pub const fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }
}
