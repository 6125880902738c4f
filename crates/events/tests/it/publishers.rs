//! Publishers that remember or misbehave.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use events::{Envelope, PublishError, Publisher, Retention};

/// Remembers what was published.
#[derive(Default)]
pub struct Recorder {
    events: Mutex<Vec<Envelope>>,
}

impl Recorder {
    pub fn events(&self) -> Vec<Envelope> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn len(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[async_trait]
impl Publisher for Recorder {
    async fn publish(&self, _topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        // A pause like a broker's, so that rounds overlap with writers.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.events.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(batch);
        Ok(())
    }
}

/// Publishes, and then never says so: the relay is caught between produce and cursor.
pub struct Speechless(pub Arc<Recorder>);

#[async_trait]
impl Publisher for Speechless {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        self.0.publish(topic, batch).await?;
        std::future::pending().await
    }
}

/// Never comes back from its first batch; after that, a good publisher.
pub struct StuckOnce {
    pub recorder: Arc<Recorder>,
    pub calls: AtomicUsize,
}

#[async_trait]
impl Publisher for StuckOnce {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        self.recorder.publish(topic, batch).await
    }
}

/// Publishes the first half of every third batch and fails.
pub struct Stumbling {
    pub recorder: Arc<Recorder>,
    pub calls: AtomicUsize,
}

#[async_trait]
impl Publisher for Stumbling {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            self.recorder.publish(topic, &batch[..batch.len() / 2]).await?;
            return Err(PublishError("the broker went away".into()));
        }
        self.recorder.publish(topic, batch).await
    }
}

/// A log that is gone with its process.
pub struct Volatile(pub Arc<Recorder>);

#[async_trait]
impl Publisher for Volatile {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        self.0.publish(topic, batch).await
    }

    fn retention(&self) -> Retention {
        Retention::UntilExit
    }
}

/// Remembers how many payload bytes came at once.
pub struct Weighing {
    pub recorder: Arc<Recorder>,
    pub heaviest: AtomicUsize,
}

#[async_trait]
impl Publisher for Weighing {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        self.heaviest.fetch_max(batch.iter().map(|event| event.data.len()).sum(), Ordering::Relaxed);
        self.recorder.publish(topic, batch).await
    }
}
