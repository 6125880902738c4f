//! Applies a log's events to a service's tables: each once, in each aggregate's order.
//!
//! The position lives in PostgreSQL and moves in the transaction of the effects ([`batch`]), so the log's own offsets
//! decide nothing. Guards ([`guard`]) absorb what a relay publishes twice. An event that will never work goes to the
//! parking lot ([`lot`]) and holds its key; other keys flow. A version that is missing is asked for ([`asking`]). Caches
//! are touched after the commit ([`settler`]).
//!
//! Must never know a broker, a cache or a domain.

mod asking;
mod batch;
mod blame;
mod drain;
mod effect;
mod guard;
mod ledger;
mod lot;
mod membership;
mod pace;
mod parking;
mod positions;
mod session;
mod settler;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{Publisher, Reaction, Source, backoff::Backoff, lease::LeaseTimes};
use batch::Applier;
use ledger::Ledger;
use lot::Lot;
use positions::Positions;
use session::Session;

pub(crate) use effect::apply as apply_event;
pub use parking::{ParkedEvent, ParkedKey, ParkingLot, ParkingLotError, Redriven};

/// One consumer: a [`Reaction`] fed from a [`Source`], with its position in the service's schema. Several of one name
/// share the partitions by leases.
pub struct Consumer {
    applier: Applier,
    source: Box<dyn Source>,
    config: ConsumerConfig,
    publisher: Option<Arc<dyn Publisher>>,
}

/// How a consumer paces itself.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerConfig {
    /// Most records applied in one transaction; fewer where that would take long.
    pub batch: usize,
    /// How long a partition stays with a consumer that died, and how often it is renewed.
    pub lease: LeaseTimes,
    /// How long after it asked for a missing version it asks again; from then on ever less often.
    pub ask_again_after: Duration,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self { batch: 500, lease: LeaseTimes::default(), ask_again_after: Duration::from_secs(30) }
    }
}

impl Consumer {
    /// A consumer whose position and effects live in `schema`. `pool` connects as the work role.
    pub fn new(pool: PgPool, schema: &'static str, source: Box<dyn Source>, reaction: Arc<dyn Reaction>) -> Self {
        let config = ConsumerConfig::default();
        Self { applier: Applier::new(pool, schema, reaction), source, config, publisher: None }
    }

    /// Asks the sources through `publisher` for versions that are missing; without it a gap waits for an operator.
    #[must_use]
    pub fn asking_through(mut self, publisher: Arc<dyn Publisher>) -> Self {
        self.publisher = Some(publisher);
        self
    }

    /// With another pace.
    #[must_use]
    pub fn with_config(mut self, config: ConsumerConfig) -> Self {
        self.config = config;
        self
    }

    /// Runs until `stop`, then finishes the batch in hand and gives its leases back. Failures are logged, counted and
    /// retried. Dropping the future instead is safe: what was not committed is read again.
    pub async fn run(mut self, stop: CancellationToken) {
        let consumer = self.applier.reaction.consumer();
        let mut session = Session::new(&self.applier, &mut *self.source, self.config, self.publisher.clone());
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !stop.is_cancelled() {
            let Err(error) = session.work(&stop).await else { break };
            let progressed = session.forget();
            metrics::counter!("quoin_consumer_interruptions_total", "consumer" => consumer).increment(1);
            if progressed {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(consumer, error = &error as &dyn std::error::Error, ?pause, "the consumer was interrupted");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

impl Applier {
    fn new(pool: PgPool, schema: &'static str, reaction: Arc<dyn Reaction>) -> Self {
        let consumer = reaction.consumer();
        let (positions, ledger) = (Positions { schema, consumer }, Ledger { schema, consumer });
        Self { pool, reaction, positions, ledger, lot: Lot { schema, consumer } }
    }
}
