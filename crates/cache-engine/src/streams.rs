//! What streams need of a store: a short list that is trimmed, ends by itself, and is read from a place or shared by a group.
//!
//! Owns the trait and its words. Every operation is atomic on one stream and may be lost. Must never know what an entry says.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use cache_ports::streams::StreamId;

use crate::store::StoreError;

/// How long a stream may become, in entries and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamBounds {
    /// About so many of the newest entries are kept; a store may keep some more.
    pub entries: u32,
    /// The stream ends so long after its last entry.
    pub life: Duration,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its place.
    pub id: StreamId,
    /// What was appended.
    pub payload: Bytes,
}

/// Who reads a stream together, each entry being given to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a> {
    /// The group.
    pub group: &'a str,
    /// The one of the group.
    pub name: &'a str,
}

/// Streams of entries.
#[async_trait]
pub trait StreamStore: Send + Sync {
    /// Appends entries in order, trims the stream and lengthens its life.
    async fn append(&self, stream: &str, payloads: &[Bytes], bounds: StreamBounds) -> Result<(), StoreError>;

    /// Entries after a place, oldest first.
    async fn read_after(&self, stream: &str, after: StreamId, limit: u16) -> Result<Vec<StreamEntry>, StoreError>;

    /// Takes entries for one reader: first those that another took and has not acknowledged for `abandoned_after`, then new
    /// ones. A group begins with its first reader, at the oldest entry.
    async fn take(
        &self,
        stream: &str,
        reader: Reader<'_>,
        abandoned_after: Duration,
        limit: u16,
    ) -> Result<Vec<StreamEntry>, StoreError>;

    /// These entries need not be given to anybody of the group again.
    async fn acknowledge(&self, stream: &str, group: &str, ids: &[StreamId]) -> Result<(), StoreError>;
}
