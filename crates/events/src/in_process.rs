//! A log in memory, for one process: `quoin dev` without Kafka. Same ports, same contract suite.
//!
//! Records are gone when the process ends, and it says so ([`Retention::UntilExit`]): the relay then starts from the
//! oldest retained outbox row, and consumers recognise what they have applied.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use crate::{
    Delivery, Envelope, Extent, Partition, PublishError, Publisher, Record, Retention, Source, SourceError,
    envelope::stable_hash,
};

/// Partitions per topic: enough for a test to see keys spread.
const PARTITIONS: i32 = 4;

/// A log in memory. Clones share it.
#[derive(Clone)]
pub struct InProcessBus {
    log: Arc<Log>,
}

struct Log {
    id: String,
    topics: Mutex<HashMap<Arc<str>, Vec<Vec<Envelope>>>>,
    grown: Notify,
}

impl Log {
    fn topics(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Vec<Envelope>>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for InProcessBus {
    fn default() -> Self {
        Self::new()
    }
}

impl InProcessBus {
    /// An empty log.
    pub fn new() -> Self {
        let id = format!("in-process-{}", Uuid::now_v7());
        Self { log: Arc::new(Log { id, topics: Mutex::default(), grown: Notify::new() }) }
    }

    /// A reader of this log.
    pub fn source(&self) -> Box<dyn Source> {
        Box::new(InProcessSource { log: Arc::clone(&self.log), assigned: Vec::new() })
    }
}

#[async_trait]
impl Publisher for InProcessBus {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        let mut topics = self.log.topics();
        let partitions =
            topics.entry(topic.into()).or_insert_with(|| vec![Vec::new(); PARTITIONS.unsigned_abs() as usize]);
        for event in batch {
            let count = partitions.len() as u64;
            let number = usize::try_from(stable_hash(&event.key()) % count).unwrap_or_default();
            if let Some(partition) = partitions.get_mut(number) {
                partition.push(event.clone());
            }
        }
        drop(topics);
        self.log.grown.notify_waiters();
        Ok(())
    }

    fn retention(&self) -> Retention {
        Retention::UntilExit
    }
}

struct InProcessSource {
    log: Arc<Log>,
    assigned: Vec<(Partition, i64)>,
}

impl InProcessSource {
    /// What is there now, moving on; partitions take turns at being first, so that none starves.
    fn take(&mut self, max: usize) -> Vec<Delivery> {
        let topics = self.log.topics();
        let mut batch = Vec::new();
        for (partition, next) in &mut self.assigned {
            let records = topics.get(&partition.topic).and_then(|all| all.get(usize::try_from(partition.number).ok()?));
            let from = usize::try_from(*next).unwrap_or(usize::MAX);
            let fresh = records.and_then(|records| records.get(from..)).unwrap_or_default();
            for event in fresh.iter().take(max - batch.len()) {
                let record = Record::Event(event.clone());
                batch.push(Delivery { partition: partition.clone(), offset: *next, record });
                *next += 1;
            }
        }
        if !self.assigned.is_empty() {
            self.assigned.rotate_left(1);
        }
        batch
    }
}

#[async_trait]
impl Source for InProcessSource {
    async fn log_id(&mut self) -> Result<String, SourceError> {
        Ok(self.log.id.clone())
    }

    async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, SourceError> {
        let topic: Arc<str> = topic.into();
        Ok((0..PARTITIONS).map(|number| Partition { topic: Arc::clone(&topic), number }).collect())
    }

    async fn extent(&mut self, partition: &Partition) -> Result<Extent, SourceError> {
        let topics = self.log.topics();
        let records = topics.get(&partition.topic).and_then(|all| all.get(usize::try_from(partition.number).ok()?));
        let next = records.map_or(0, Vec::len);
        Ok(Extent { first: 0, next: i64::try_from(next).unwrap_or(i64::MAX) })
    }

    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.assigned = from.to_vec();
        Ok(())
    }

    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError> {
        let deadline = Instant::now() + wait;
        let log = Arc::clone(&self.log);
        loop {
            let mut grown = std::pin::pin!(log.grown.notified());
            // Registered before looking, so that a record published in between wakes us.
            grown.as_mut().enable();
            let batch = self.take(max);
            if !batch.is_empty() || tokio::time::timeout_at(deadline, grown).await.is_err() {
                return Ok(batch);
            }
        }
    }

    async fn store_offsets(&mut self, _next: &[(Partition, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn retention(&self) -> Retention {
        Retention::UntilExit
    }
}
