//! Short lists local to one service: what is worth loading into a cache, and what a user should be told.
//!
//! Owns the ports and what the entries say; the keyspaces and keys are in `keyspaces`. A stream is trimmed, ends by itself and
//! may vanish: nothing depends on an entry being read. Must never carry a business event; those go through the outbox.

pub mod keyspaces;

use std::{fmt, num::ParseIntError, str::FromStr};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{OfferingId, OrderId, PublicationId, QuoteId, TenantId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::UserKey;

/// A place in a stream: the store's milliseconds, and a number within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId {
    /// Milliseconds by the store's clock.
    pub millis: u64,
    /// Counts the entries of one millisecond.
    pub sequence: u64,
}

impl StreamId {
    /// Before every entry.
    pub const START: Self = Self { millis: 0, sequence: 0 };
}

/// The text is no place in a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a place in a stream is two numbers with a hyphen between them")]
pub struct InvalidStreamId;

impl From<ParseIntError> for InvalidStreamId {
    fn from(_: ParseIntError) -> Self {
        Self
    }
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        let (millis, sequence) = text.split_once('-').ok_or(InvalidStreamId)?;
        Ok(Self { millis: millis.parse()?, sequence: sequence.parse()? })
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, InvalidStreamId> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

/// An offering worth loading ahead of its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmTask {
    /// The publication that froze it.
    pub publication_id: PublicationId,
    /// The offering.
    pub offering_id: OfferingId,
}

/// A task that a worker has taken, and has to say is done; otherwise another worker gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenWarmTask {
    /// Its place in the queue.
    pub receipt: StreamId,
    /// What to load.
    pub task: WarmTask,
}

/// The catalog's queue of what to load ahead of its readers.
#[async_trait]
pub trait WarmQueue: Send + Sync {
    /// Puts tasks in the queue. Best effort; false when they are not in it.
    async fn enqueue(&self, tenant: &TenantId, tasks: &[WarmTask]) -> bool;

    /// Takes up to `limit` tasks for `worker`: new ones, and those whose worker has been silent for
    /// [`keyspaces::WARM_ABANDONED_AFTER`]. `None` when the queue cannot be asked.
    async fn take(&self, tenant: &TenantId, worker: &str, limit: u16) -> Option<Vec<TakenWarmTask>>;

    /// These are done, one way or another. Best effort: what is taken again is loaded again.
    async fn done(&self, tenant: &TenantId, receipts: &[StreamId]);
}

/// What a user is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// A quote was approved.
    QuoteApproved,
    /// A quote was sent back.
    QuoteRejected,
    /// A customer accepted a quote.
    QuoteAccepted,
    /// An offer ended unanswered.
    QuoteExpired,
    /// The order of a quote is in another state.
    OrderMoved,
}

/// One thing a user is told: that something is worth looking at, by id. What it is now is read from its service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// The quote it is about.
    pub quote_id: QuoteId,
    /// The order it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The state of the revision, or of the order, after it.
    pub state: String,
    /// The version of the quote, or of the order, after it: nothing older is worth reading.
    pub version: Version,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Notices after a place, and the place after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticePage {
    /// Oldest first.
    pub notices: Vec<Notice>,
    /// Where to go on.
    pub last: StreamId,
}

/// What users are told, one short stream a user.
#[async_trait]
pub trait NoticeBoard: Send + Sync {
    /// Tells a user something. Best effort; false when it could not be told.
    async fn tell(&self, tenant: &TenantId, user: &UserKey, notice: &Notice) -> bool;

    /// What the user was told after a place. `None` when the board cannot be asked.
    async fn after(&self, tenant: &TenantId, user: &UserKey, place: StreamId, limit: u16) -> Option<NoticePage>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_the_store_orders_them() {
        let place = |text: &str| text.parse::<StreamId>();
        assert!(place("9-2").unwrap() < place("10-1").unwrap() && place("10-9").unwrap() < place("10-10").unwrap());
        assert_eq!(place("18446744073709551615-0").unwrap().to_string(), "18446744073709551615-0");
        for wrong in ["", "7", "7-", "-7", "a-b", "7-1-2"] {
            assert_eq!(place(wrong), Err(InvalidStreamId), "{wrong}");
        }
    }
}
