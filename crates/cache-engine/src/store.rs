//! What the engine needs of a store: a handful of operations on bytes, each atomic on its keys.
//!
//! Owns the trait and its words. Must never know a keyspace's meaning, a client library or a value's type.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{NoStore, counters::CounterStore, frame::HEADER_BYTES, streams::StreamStore};

pub use cache_ports::{
    RateAlgorithm,
    keyspace::{Pool, Workload},
};
pub use kernel::Version;

/// Where something lies: the logical store, and the key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The logical store.
    pub workload: Workload,
    /// The key, made by a typed builder.
    pub key: &'a str,
}

/// What lies at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// A frame, or anything else that was put there.
    pub bytes: Bytes,
    /// Its remaining life by the store's own clock, or less; `None` when it has no end, which no writer here ever allows.
    pub remaining: Option<Duration>,
}

/// Proves that whoever shows it was allowed to load; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub [u8; 16]);

impl LeaseToken {
    /// A token nobody else has.
    pub fn unique() -> Self {
        Self(uuid::Uuid::now_v7().into_bytes())
    }
}

/// Asks to be the one who loads.
#[derive(Debug, Clone, Copy)]
pub struct LeaseRequest {
    /// The token to hold it with.
    pub token: LeaseToken,
    /// How long others wait for us.
    pub ttl: Duration,
    /// The version of the value that was seen and is not good enough. A value in any other version is not leased over:
    /// somebody has filled it in the meantime.
    pub over: Option<Version>,
}

/// What came of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseReply {
    /// Ours. A fill must not be older than `at_least`.
    Granted {
        /// The version remembered by a tombstone or a value; zero when nothing is remembered.
        at_least: Version,
    },
    /// Somebody else is loading.
    Held,
    /// There is a value to read.
    Present,
}

/// Puts what was loaded.
#[derive(Debug, Clone, Copy)]
pub struct FillRequest<'a> {
    /// The token the lease was granted to.
    pub token: LeaseToken,
    /// The version in the frame.
    pub version: Version,
    /// The frame.
    pub frame: &'a [u8],
    /// Its life.
    pub ttl: Duration,
}

/// What came of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FillReply {
    /// It lies there now.
    Stored,
    /// The lease is gone: it ran out, was voided by an invalidation, evicted or flushed.
    LeaseLost,
    /// Something newer is known.
    OlderThanKnown,
}

/// What came of an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvalidateReply {
    /// Nothing older than the given version can be filled from now on.
    Tombstoned,
    /// What lies there is at least as new: nothing to do.
    NotOlder,
}

/// One limit to count against.
#[derive(Debug, Clone, Copy)]
pub struct CountRequest<'a> {
    /// Where the count lies.
    pub key: &'a str,
    /// How it counts.
    pub algorithm: RateAlgorithm,
    /// Units per window.
    pub limit: u32,
    /// The window.
    pub window: Duration,
    /// Units wanted.
    pub cost: u32,
    /// Whether it counts for itself and keeps nobody out.
    pub shadow: bool,
}

/// What one limit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountReply {
    /// Whether this limit lets the request pass.
    pub allowed: bool,
    /// Units left, after this request if all limits let it pass.
    pub remaining: u32,
    /// When the same request would pass; zero when it does.
    pub retry_after: Duration,
    /// When all units are available again.
    pub reset_after: Duration,
}

/// Why a store did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreError {
    /// There is no connection.
    #[error("the store cannot be reached")]
    Unavailable,
    /// It took longer than the budget. The command may have been executed.
    #[error("the store took too long")]
    TimedOut,
    /// The breaker keeps load off a store that fails.
    #[error("the breaker is open")]
    BreakerOpen,
    /// It answered with an error, or with something that is no answer.
    #[error("the store refused")]
    Refused,
}

/// Bytes with leases, versions and lifetimes. Every operation is atomic on the keys it names, takes a bounded time, and may
/// be lost: the caller survives any answer.
#[async_trait]
pub trait ByteStore: Send + Sync + 'static {
    /// What lies at a place.
    async fn read(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError>;

    /// The same for whoever looks for what is wrong: its life is asked of the store anew, and nothing that was remembered of
    /// it counts.
    async fn examine(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        self.read(at).await
    }

    /// What lies at several places of one workload, in one round trip.
    async fn read_many(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError>;

    /// Asks to be the one who loads.
    async fn lease(&self, at: Place<'_>, request: LeaseRequest) -> Result<LeaseReply, StoreError>;

    /// Puts a loaded value, if the lease still stands and nothing newer is known.
    async fn fill(&self, at: Place<'_>, request: FillRequest<'_>) -> Result<FillReply, StoreError>;

    /// Gives a lease back unused, if it still stands.
    async fn abandon(&self, at: Place<'_>, token: LeaseToken) -> Result<(), StoreError>;

    /// Makes everything older than `at_least` unacceptable, for `ttl`. Never shed by a breaker.
    async fn invalidate(&self, at: Place<'_>, at_least: Version, ttl: Duration) -> Result<InvalidateReply, StoreError>;

    /// Removes a frame that cannot be used, if it is still the one with this header.
    async fn discard(&self, at: Place<'_>, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError>;

    /// Puts something that is the same whoever puts it.
    async fn put(&self, at: Place<'_>, frame: &[u8], ttl: Duration) -> Result<(), StoreError>;

    /// Takes a lock if nobody holds it.
    async fn acquire(&self, at: Place<'_>, token: LeaseToken, ttl: Duration) -> Result<bool, StoreError>;

    /// Gives a lock back; false if it was no longer ours.
    async fn release(&self, at: Place<'_>, token: LeaseToken) -> Result<bool, StoreError>;

    /// Takes units from all limits or from none, by the store's own clock. A shadow that is exhausted takes none itself and
    /// stops no other.
    async fn count(&self, requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError>;

    /// Live counts, where the store has them. Where it has none they are left out.
    fn counters(&self) -> &dyn CounterStore {
        &NoStore
    }

    /// Streams, where the store has them. Where it has none they are left out.
    fn streams(&self) -> &dyn StreamStore {
        &NoStore
    }
}
