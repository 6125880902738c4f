//! Looking at what lies in a store: the keys of one keyspace, a few at a time.
//!
//! Owns the trait and its words. It is apart from [`crate::ByteStore`] because no request needs it: only the auditor and the
//! sweeper do, and only their commands are granted for it. Every operation is bounded; a walk is resumed where it stopped.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ports::{key::Scope, keyspace::Workload};

use crate::store::StoreError;

/// Where a walk goes on. Made by a store, and understood by the same store only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Which of the store's nodes.
    pub node: usize,
    /// Where on it; empty for its beginning.
    pub cursor: String,
}

/// A few keys, and where the walk goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys in scope that were there; none is possible although more follow.
    pub keys: Vec<String>,
    /// Where the walk goes on; `None` at its end.
    pub next: Option<Position>,
}

/// What can be seen of a place without reading all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glimpse {
    /// The first bytes, at most a header's.
    pub head: Bytes,
    /// How many bytes there are.
    pub len: u64,
    /// Their remaining life; `None` when they have no end.
    pub remaining: Option<Duration>,
}

/// A store whose keys can be listed, with the usual promise of such walks: a key that is there from beginning to end is seen,
/// perhaps more than once; one that comes or goes may be missed.
#[async_trait]
pub trait KeyScan: Send + Sync + 'static {
    /// Looks at about `steps` places from `from` on, and gives the keys in scope among them.
    async fn scan(&self, scope: &Scope<'_>, from: Position, steps: u32) -> Result<Page, StoreError>;

    /// What can be seen of these places, in one round trip.
    async fn glimpse(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Glimpse>>, StoreError>;

    /// Empties these places, in one round trip, without making the store wait for its memory. Says how many held something.
    async fn unlink(&self, workload: Workload, keys: &[&str]) -> Result<u64, StoreError>;
}
