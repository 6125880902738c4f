//! Carries committed outbox rows to the log: at least once, each aggregate's in version order.
//!
//! One round: what was committed since the cursor's snapshot ([`reader`]) → produce all → wait for every report → move
//! the cursor ([`cursor`]). After any failure everything in memory is dropped and the cursor is read again, because a
//! remembered snapshot may be newer than what a crashed or replaced database knows. Reads the primary only.
//!
//! Must never know a broker, and never skip: what cannot be published is retried for ever, and alarmed about.

mod continuity;
mod cursor;
mod lane;
mod reader;
mod replay;
mod session;
mod snapshot;
mod status;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Publisher, backoff::Backoff, lease::LeaseTimes};
use session::Session;

pub(crate) use replay::published;
pub use replay::{Replay, ReplayError};
pub use status::OutboxStatus;

/// The relay of one service's outbox. Several of them share the outbox's shard groups by leases.
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
    /// How long a shard group stays with a relay that died, and how often it is renewed.
    pub lease: LeaseTimes,
    /// Whole days an outbox row is kept after it was written; the reach of a replay.
    pub keep_days: i32,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            batch: 1_000,
            poll_min: Duration::from_millis(5),
            poll_max: Duration::from_millis(200),
            lease: LeaseTimes::default(),
            keep_days: 7,
        }
    }
}

impl Relay {
    /// A relay from `schema`'s outbox to `topic`. `pool` connects as the work role and lends one connection for good;
    /// `hint` is notified after commits and saves the wait for the next poll.
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

    /// Runs until `stop`, then finishes the batch in hand and gives its leases back. Failures are logged, counted and
    /// retried. Dropping the future instead is safe: a later relay publishes again what the cursor does not cover.
    pub async fn run(self, stop: CancellationToken) {
        let mut session = Session::new(&self);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !stop.is_cancelled() {
            let Err(error) = session.work(&stop).await else { break };
            let progressed = session.forget();
            metrics::counter!("quoin_relay_interruptions_total", "service" => self.schema).increment(1);
            if progressed {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(
                service = self.schema,
                error = &error as &dyn std::error::Error,
                ?pause,
                "the relay was interrupted"
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
