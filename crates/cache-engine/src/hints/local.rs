//! A bus inside one process.
//!
//! Owns the way between several engines of a process. Must never reach another process.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use super::{Heard, HintBus, Unpublished};

/// Messages that may wait for a listener; a slower one is told that it missed some.
const CAPACITY: usize = 1024;

/// A bus for the engines of one process. Clones are the same bus.
#[derive(Debug, Clone)]
pub struct LocalHints(broadcast::Sender<Heard>);

impl LocalHints {
    /// A bus that nobody listens to yet.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Tells every listener that it may have missed something, as the loss of a connection would.
    pub fn interrupt(&self) {
        // Fails only when nobody listens.
        let _ = self.0.send(Heard::Interrupted);
    }
}

impl Default for LocalHints {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl HintBus for LocalHints {
    async fn publish(&self, messages: &[Bytes]) -> Result<(), Unpublished> {
        for message in messages {
            // Fails only when nobody listens.
            let _ = self.0.send(Heard::Message(message.clone()));
        }
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Heard> {
        self.0.subscribe()
    }
}
