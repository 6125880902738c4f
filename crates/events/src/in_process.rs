//! A log in memory, for one process: `quoin dev` without Kafka. Same ports, same contract suite.
//!
//! Records are gone when the process ends, and it says so ([`Retention::UntilExit`]): the relay then starts from the
//! oldest retained outbox row, and consumers recognise what they have applied.
//!
//! Memory is bounded: beyond [`KEEP`] records a partition drops what every reader has settled; at [`MOST`] it makes the
//! publisher wait. It therefore serves one source per consumer, all of them made before anything is published.

use std::{
    collections::{HashMap, VecDeque},
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

/// Records a partition keeps though everybody has settled them, for readers that begin a little later.
const KEEP: usize = 5_000;

/// Records at which a partition takes no more until its readers have caught up: some tens of megabytes.
const MOST: usize = 20_000;

/// A log in memory. Clones share it.
#[derive(Clone)]
pub struct InProcessBus {
    log: Arc<Log>,
}

struct Log {
    id: String,
    state: Mutex<State>,
    /// Something was published or dropped.
    changed: Notify,
}

#[derive(Default)]
struct State {
    topics: HashMap<Arc<str>, Vec<Records>>,
    /// What each source has settled of its partitions; `None` until it was assigned some.
    readers: HashMap<u64, Option<HashMap<Partition, i64>>>,
    readers_made: u64,
}

#[derive(Default)]
struct Records {
    /// The offset of the first record still held.
    first: i64,
    held: VecDeque<Envelope>,
}

impl Records {
    fn next(&self) -> i64 {
        self.first + i64::try_from(self.held.len()).unwrap_or(i64::MAX)
    }
}

impl State {
    fn records(&self, partition: &Partition) -> Option<&Records> {
        self.topics.get(&partition.topic)?.get(usize::try_from(partition.number).ok()?)
    }

    /// The offset before which nobody needs records of `partition` any more; `None` while that is unknown.
    fn settled(&self, topic: &str, number: i32) -> Option<i64> {
        let mut read_by_anybody = false;
        let mut settled: Option<i64> = None;
        for reader in self.readers.values() {
            for (partition, at) in reader.as_ref()? {
                let same_topic = &*partition.topic == topic;
                read_by_anybody |= same_topic;
                if same_topic && partition.number == number {
                    settled = Some(settled.map_or(*at, |least| least.min(*at)));
                }
            }
        }
        // A topic without readers needs nothing; a partition between two readers of its topic needs everything.
        if read_by_anybody { settled } else { Some(i64::MAX) }
    }

    fn drop_settled(&mut self, topic: &str) {
        for number in 0..PARTITIONS {
            let Some(settled) = self.settled(topic, number) else { continue };
            let records = self.topics.get_mut(topic).and_then(|all| all.get_mut(usize::try_from(number).ok()?));
            let Some(records) = records else { continue };
            while records.held.len() > KEEP && records.first < settled {
                records.held.pop_front();
                records.first += 1;
            }
        }
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the batch if there is room.
    fn append(&self, topic: &str, batch: &[Envelope]) -> bool {
        let mut state = self.state();
        state.drop_settled(topic);
        let partitions =
            state.topics.entry(topic.into()).or_insert_with(|| (0..PARTITIONS).map(|_| Records::default()).collect());
        if partitions.iter().any(|records| records.held.len() >= MOST) {
            return false;
        }
        for event in batch {
            let count = partitions.len() as u64;
            let number = usize::try_from(stable_hash(&event.key()) % count).unwrap_or_default();
            if let Some(records) = partitions.get_mut(number) {
                records.held.push_back(event.clone());
            }
        }
        true
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
        Self { log: Arc::new(Log { id, state: Mutex::default(), changed: Notify::new() }) }
    }

    /// A reader of this log.
    pub fn source(&self) -> Box<dyn Source> {
        let mut state = self.log.state();
        state.readers_made += 1;
        let reader = state.readers_made;
        state.readers.insert(reader, None);
        drop(state);
        Box::new(InProcessSource { log: Arc::clone(&self.log), reader, assigned: Vec::new() })
    }
}

#[async_trait]
impl Publisher for InProcessBus {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        loop {
            let mut changed = std::pin::pin!(self.log.changed.notified());
            // Registered before looking, so that room made in between is noticed.
            changed.as_mut().enable();
            if self.log.append(topic, batch) {
                break;
            }
            changed.await;
        }
        self.log.changed.notify_waiters();
        Ok(())
    }

    fn retention(&self) -> Retention {
        Retention::UntilExit
    }
}

struct InProcessSource {
    log: Arc<Log>,
    reader: u64,
    assigned: Vec<(Partition, i64)>,
}

impl InProcessSource {
    /// What is there now, moving on; partitions take turns at being first, so that none starves.
    fn take(&mut self, max: usize) -> Vec<Delivery> {
        let state = self.log.state();
        let mut batch = Vec::new();
        for (partition, next) in &mut self.assigned {
            let Some(records) = state.records(partition) else { continue };
            let skip = usize::try_from(*next - records.first).unwrap_or_default();
            for event in records.held.iter().skip(skip).take(max - batch.len()) {
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

impl Drop for InProcessSource {
    fn drop(&mut self) {
        self.log.state().readers.remove(&self.reader);
        self.log.changed.notify_waiters();
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

    async fn extents(&mut self, partitions: &[Partition]) -> Result<Vec<Extent>, SourceError> {
        let state = self.log.state();
        let extent = |partition| {
            let held = state.records(partition);
            held.map_or(Extent { first: 0, next: 0 }, |held| Extent { first: held.first, next: held.next() })
        };
        Ok(partitions.iter().map(extent).collect())
    }

    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.log.state().readers.insert(self.reader, Some(from.iter().cloned().collect()));
        self.assigned = from.to_vec();
        Ok(())
    }

    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError> {
        let deadline = Instant::now() + wait;
        let log = Arc::clone(&self.log);
        loop {
            let mut changed = std::pin::pin!(log.changed.notified());
            // Registered before looking, so that a record published in between wakes us.
            changed.as_mut().enable();
            let batch = self.take(max);
            if !batch.is_empty() || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Ok(batch);
            }
        }
    }

    async fn store_offsets(&mut self, next: &[(Partition, i64)]) -> Result<(), SourceError> {
        if let Some(Some(settled)) = self.log.state().readers.get_mut(&self.reader) {
            settled.extend(next.iter().cloned());
        }
        self.log.changed.notify_waiters();
        Ok(())
    }

    fn retention(&self) -> Retention {
        Retention::UntilExit
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, EventId, SystemClock, Version};

    use super::*;

    fn events(count: u64) -> Vec<Envelope> {
        let id = Uuid::nil();
        let event = |version| Envelope {
            id: EventId::generate(),
            source: "/quoin/test".to_owned(),
            event_type: "WidgetChanged".to_owned(),
            schema_version: 1,
            tenant: "acme".parse().unwrap(),
            aggregate_type: "widget".to_owned(),
            aggregate_id: id,
            aggregate_version: Version::new(version),
            occurred_at: SystemClock.now(),
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            data: bytes::Bytes::from_static(b"{}"),
        };
        (1..=count).map(event).collect()
    }

    #[tokio::test]
    async fn a_full_log_makes_the_publisher_wait_and_drops_only_what_was_settled() {
        let bus = InProcessBus::new();
        let (mut source, idle) = (bus.source(), bus.source());
        let partitions = source.partitions("t").await.unwrap();
        let all: Vec<_> = partitions.iter().map(|partition| (partition.clone(), 0)).collect();
        source.assign(&all).await.unwrap();
        bus.publish("t", &events(MOST as u64)).await.unwrap();
        let more = events(1);
        let waiting = Duration::from_millis(50);
        assert!(tokio::time::timeout(waiting, bus.publish("t", &more)).await.is_err(), "there is no room");

        let mut read = 0;
        while read < MOST {
            read += source.next_batch(1_000, waiting).await.unwrap().len();
        }
        let ends: Vec<_> =
            partitions.iter().map(|partition| (partition.clone(), i64::try_from(MOST).unwrap())).collect();
        source.store_offsets(&ends).await.unwrap();
        assert!(tokio::time::timeout(waiting, bus.publish("t", &more)).await.is_err(), "a reader has not begun");
        drop(idle);
        tokio::time::timeout(waiting, bus.publish("t", &more)).await.unwrap().unwrap();
        assert_eq!(source.next_batch(10, waiting).await.unwrap().len(), 1, "nothing is skipped");
        let mut held = 0;
        for partition in &partitions {
            let extent = source.extent(partition).await.unwrap();
            held += extent.next - extent.first;
        }
        assert_eq!(held, i64::try_from(KEEP).unwrap() + 1, "and what everybody has settled is gone");
    }
}
