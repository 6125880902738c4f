//! What a service does about other people's facts: the [`Reaction`] it implements and the words it answers with.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Envelope, Partition, UnreadablePayload};

/// A consumer of events: a stable name, the topics it reads, and what it does.
///
/// Effects go to PostgreSQL through the given transaction, which also carries the position: they happen once.
/// Everything else (Redis) waits for [`Reaction::committed`].
#[async_trait]
pub trait Reaction: Send + Sync + 'static {
    /// The stable name its position is stored under: `order.quotes`. Renaming it starts from the beginning.
    fn consumer(&self) -> &'static str;

    /// The topics it reads, by logical name: `quoin.quote.v1`.
    fn topics(&self) -> &'static [&'static str];

    /// How events of this type protect themselves against repetition and gaps.
    fn guard(&self, event_type: &str) -> Guard;

    /// Applies one event. `tx` has `quoin.tenant` set to the event's tenant; it must not be committed or rolled back
    /// here. A panic counts as [`ReactionError::Poison`].
    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError>;

    /// Called after the transaction has committed, for applied events and again for those found already applied, until
    /// it answers `Ok`: the place to invalidate caches. Must be idempotent and guarded by the aggregate's version;
    /// events of one key come in order, those of different keys concurrently.
    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let _ = event;
        Ok(())
    }

    /// Told every few seconds, for each partition it has: everything the partition held at `at` is applied. For those whose
    /// readers want to know how fresh a table is.
    async fn reached(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let _ = (conn, partition, at);
        Ok(())
    }
}

/// How a consumer treats an event it may have seen before, or seen too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Not for this consumer; not even its version is remembered.
    Ignore,
    /// No effect, but its version counts: for event types that share an aggregate with [`Guard::Delta`] ones.
    CountOnly,
    /// The payload is the whole state: apply if newer than what was applied, else skip.
    StateCarrying,
    /// The payload is a change: apply if it is the next version, skip if older; when versions are missing, hold the
    /// key until they come.
    Delta,
    /// Apply every event once by its id, in whatever version order.
    EveryOnce,
}

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ReactionError {
    /// It may work later: the partition waits, retries with jitter, and nothing is skipped.
    #[error("the event cannot be applied now")]
    Transient(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It will never work as it is: the event goes to the parking lot and holds its key; other keys flow.
    #[error("the event cannot be applied")]
    Poison(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ReactionError {
    /// It may work later.
    pub fn transient(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Transient(cause.into())
    }

    /// It will never work as it is.
    pub fn poison(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Poison(cause.into())
    }
}

/// An effect outside PostgreSQL could not be made; it will be asked for again.
#[derive(Debug, thiserror::Error)]
#[error("the effect must be tried again later")]
pub struct RetryLater(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl RetryLater {
    /// Try again; `cause` is for the log.
    pub fn because(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl From<UnreadablePayload> for ReactionError {
    fn from(error: UnreadablePayload) -> Self {
        Self::poison(error)
    }
}

impl From<sqlx::Error> for ReactionError {
    fn from(error: sqlx::Error) -> Self {
        if is_transient(&error) { Self::transient(error) } else { Self::poison(error) }
    }
}

/// Whether the same statement may succeed later: lost connections, exhausted pools, and these SQLSTATEs
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>): connection (08), serialisation and deadlock (40),
/// resources (53), shutdown and time-out (57), system (58), lock time-out (55P03); and, because they are the fault of a
/// deployment and not of an event: no privilege (42501), no such table, column or schema (42P01, 42703, 3F000), read-only
/// server (25006).
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58"))
                || matches!(&*code, "55P03" | "42501" | "42P01" | "42703" | "3F000" | "25006")
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
