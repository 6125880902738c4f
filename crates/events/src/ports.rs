//! The two ports to a log of events: [`Publisher`] writes it, [`Source`] reads it. Kafka and the in-process bus stand
//! behind them; nothing in this crate knows which.
//!
//! A log is a set of topics; a topic is a fixed set of partitions; a partition is a sequence of records with ascending
//! offsets. Records with equal keys share a partition, so their order is the order they were published in.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::Envelope;

/// A failure of the log behind a port, with the driver's error inside.
type Cause = Box<dyn Error + Send + Sync>;

/// Appends events to a log.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Appends `batch` in order. `Ok` means every record was acknowledged; after an error nothing is known, and the
    /// caller starts again from its stored cursor. A call that is dropped half-way must not let its unsent records
    /// overtake those of a later call.
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError>;

    /// How long acknowledged records are kept.
    fn retention(&self) -> Retention {
        Retention::Durable
    }
}

/// What an acknowledgement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Records survive this process. The relay goes on from its stored cursor.
    Durable,
    /// Records are gone when this process ends. The relay starts from the oldest retained outbox row; consumers
    /// recognise what they have applied.
    UntilExit,
}

/// Not every record of a batch was acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("the batch was not acknowledged")]
pub struct PublishError(#[from] pub Cause);

/// One partition of a topic. `topic` is the logical name, without an installation's prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic's logical name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub number: i32,
}

/// The offsets a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The oldest offset still held.
    pub first: i64,
    /// The offset the next record will get.
    pub next: i64,
}

/// One record as it came from the log.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where it was.
    pub partition: Partition,
    /// At which offset.
    pub offset: i64,
    /// What it says.
    pub record: Record,
}

/// A record, read or not.
#[derive(Debug, Clone)]
pub enum Record {
    /// An event.
    Event(Envelope),
    /// Bytes that are no event of ours; they go to the parking lot as they are.
    Unreadable {
        /// The record's key, where it has one.
        key: Option<String>,
        /// The record's value.
        value: Bytes,
        /// What was missing.
        reason: String,
    },
}

/// Reads a log from explicit positions. The reader keeps the positions; the log's own bookkeeping is a courtesy.
#[async_trait]
pub trait Source: Send {
    /// Names the log itself: differs when a topic or broker was replaced by an empty one, so that stored offsets are
    /// never applied to another log.
    async fn log_id(&mut self) -> Result<String, SourceError>;

    /// The partitions of `topic`.
    async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, SourceError>;

    /// The offsets each of `partitions` holds now, in their order. Asked as one question: a log may be far away.
    async fn extents(&mut self, partitions: &[Partition]) -> Result<Vec<Extent>, SourceError>;

    /// The offsets `partition` holds now.
    async fn extent(&mut self, partition: &Partition) -> Result<Extent, SourceError> {
        let extents = self.extents(std::slice::from_ref(partition)).await?;
        extents.first().copied().ok_or_else(|| SourceError("the log does not say what it holds".into()))
    }

    /// The first offset at which records of that time or later may lie; the oldest one where the log cannot tell.
    async fn offset_at(&mut self, partition: &Partition, at: DateTime<Utc>) -> Result<i64, SourceError> {
        let _ = at;
        Ok(self.extent(partition).await?.first)
    }

    /// From now on reads exactly these partitions, each from the given offset.
    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError>;

    /// Up to `max` records, in offset order per partition; empty when none came within `wait`.
    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError>;

    /// Tells the log how far its records were settled, for its own tools and retention. Nothing depends on it.
    async fn store_offsets(&mut self, next: &[(Partition, i64)]) -> Result<(), SourceError>;

    /// What an acknowledgement of this log is worth; see [`Publisher::retention`].
    fn retention(&self) -> Retention {
        Retention::Durable
    }
}

/// The log could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read")]
pub struct SourceError(#[from] pub Cause);
