//! Hints: word between the memories of processes about what changed.
//!
//! Owns the trait of a bus and its words. A hint carries no value and may be lost, doubled, late or out of order: what is served
//! from memory stays right by `following` (which notices that something is missing) and by the age limit of each keyspace. Must
//! never carry a business event, and never be the only reason why an answer is right.

mod following;
mod keeping;
mod listening;
mod local;
mod message;
mod publishing;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

pub use cache_ports::registry::HINT_CHANNEL;
pub use keeping::MemoryState;
pub use local::LocalHints;
pub use message::{Epoch, Hint, KeyHash, Message, PublisherId, Word};

pub(crate) use following::Doubt;
pub(crate) use keeping::{Hints, Told};

/// What a bus tells a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message, as somebody published it.
    Message(Bytes),
    /// The connection was lost or has just been made: anything may have been missed.
    Interrupted,
    /// Messages came faster than they were taken, and some are gone.
    Lagged,
}

/// Some of the messages may not have reached the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hints could not be published")]
pub struct Unpublished;

/// Carries messages to everybody who listens at that moment, and remembers nothing.
#[async_trait]
pub trait HintBus: Send + Sync + 'static {
    /// Sends messages in this order, within a bounded time. They are never sent again: after an error the listeners find out
    /// from the numbers that some are missing.
    async fn publish(&self, messages: &[Bytes]) -> Result<(), Unpublished>;

    /// Starts listening. The receiver says when it may have missed something; closed, it hears nothing any more. A receiver of
    /// tokio's own kind that lags says so by itself. Needs a Tokio runtime.
    fn subscribe(&self) -> broadcast::Receiver<Heard>;
}
