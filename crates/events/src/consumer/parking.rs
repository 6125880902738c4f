//! The parking lot as an operator sees it: what is parked, why, and how it gets out again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use uuid::Uuid;

use super::{
    batch::{Applier, BatchError},
    drain::Occasion,
    ledger::{Entries, Ledger},
    lot::Lot,
};
use crate::{Reaction, transaction::begin};

/// Keys shown at once; the oldest come first, and they are the ones to look at.
const MAX_KEYS: i64 = 1_000;

/// The parking lot of one service.
#[derive(Debug, Clone)]
pub struct ParkingLot {
    pool: PgPool,
    schema: &'static str,
}

/// A key whose events queue up.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedKey {
    /// The consumer that could not go on.
    pub consumer: String,
    /// The key, `tenant:aggregateType:aggregateId`.
    pub event_key: String,
    /// `poison`: the first event cannot be applied. `gap`: a version is missing.
    pub reason: String,
    /// For a gap: the version the source must publish again.
    pub wanted_version: Option<i64>,
    /// Since when.
    pub parked_at: DateTime<Utc>,
    /// How many events queue up.
    pub events: i64,
    /// What is wrong with the first of them.
    pub error: Option<String>,
}

/// One parked event, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEvent {
    /// Its number in the lot.
    pub id: i64,
    /// The event's id; `None` where the record is no event.
    pub event_id: Option<Uuid>,
    /// The event's type.
    pub event_type: Option<String>,
    /// The aggregate's version.
    pub aggregate_version: Option<i64>,
    /// Why it is here.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Since when.
    pub parked_at: DateTime<Utc>,
}

/// What a redrive achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redriven {
    /// Events that were applied, or found applied, and left the lot.
    pub released: u64,
    /// Whether the key is free; otherwise its first event shows the error.
    pub free: bool,
}

/// Why the parking lot was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ParkingLotError {
    /// The database failed, or a reaction did for a while.
    #[error("the parking lot is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Whatever is discarded counts as applied, and with it everything before it.
    #[error("event {first} of the key comes first")]
    NotFirst {
        /// The event that has to be dealt with before, by its number in the lot.
        first: i64,
    },
    /// The key is free.
    #[error("nothing is parked under the key")]
    NotParked,
}

impl From<sqlx::Error> for ParkingLotError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<BatchError> for ParkingLotError {
    fn from(error: BatchError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl ParkingLot {
    /// The lot in `schema`; `pool` connects as the work role.
    pub const fn of(pool: PgPool, schema: &'static str) -> Self {
        Self { pool, schema }
    }

    /// The parked keys, oldest first, at most 1,000.
    pub async fn keys(&self) -> Result<Vec<ParkedKey>, ParkingLotError> {
        let sql = format!(
            "select k.consumer, k.event_key, k.reason, k.wanted_version, k.parked_at, \
               (select count(*) from \"{0}\".parked_event e \
                where e.consumer = k.consumer and e.event_key = k.event_key) as events, \
               (select e.error from \"{0}\".parked_event e where e.consumer = k.consumer and e.event_key = k.event_key \
                order by e.aggregate_version nulls first, e.id limit 1) as error \
             from \"{0}\".parked_key k order by k.parked_at, k.consumer, k.event_key limit $1",
            self.schema
        );
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(MAX_KEYS).fetch_all(&self.pool).await?)
    }

    /// The events of a parked key in the order they will be applied.
    pub async fn events(&self, consumer: &str, event_key: &str) -> Result<Vec<ParkedEvent>, ParkingLotError> {
        let sql = format!(
            "select id, event_id, event_type, aggregate_version, error, attempts, parked_at \
             from \"{}\".parked_event where consumer = $1 and event_key = $2 \
             order by aggregate_version nulls first, id limit $3",
            self.schema
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(consumer).bind(event_key).bind(MAX_KEYS);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Applies a key's events in order, until none is left or one fails again. Consumers may go on meanwhile.
    pub async fn redrive(&self, reaction: Arc<dyn Reaction>, event_key: &str) -> Result<Redriven, ParkingLotError> {
        let applier = Applier::new(self.pool.clone(), self.schema, reaction);
        let drained = applier.drain(event_key, Occasion::Redrive).await?;
        Ok(Redriven { released: drained.released, free: drained.free })
    }

    /// Throws the first event of a key away, for a record that is no event or whose effect was made by hand. An event
    /// counts as applied from then on, and so does a version before it that is missing: the key goes on behind it, and
    /// whatever of it comes again is passed over.
    pub async fn discard(&self, reaction: &dyn Reaction, event_key: &str, id: i64) -> Result<(), ParkingLotError> {
        let (schema, consumer) = (self.schema, reaction.consumer());
        let (lot, ledger) = (Lot { schema, consumer }, Ledger { schema, consumer });
        let mut tx = begin(&self.pool).await?;
        lot.lock_key(&mut tx, event_key).await?;
        let first = lot.first(&mut tx, event_key).await?.ok_or(ParkingLotError::NotParked)?;
        if first.id != id {
            return Err(ParkingLotError::NotFirst { first: first.id });
        }
        if let Some(event) = first.event {
            ledger.record(&mut tx, Entries::of(reaction.guard(&event.event_type), &event)).await?;
        }
        lot.remove(&mut tx, event_key, id).await?;
        tx.commit().await?;
        Ok(())
    }
}
