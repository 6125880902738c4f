//! The topic the relay wrote, read back as consumers would read it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use events::{Partition, Record, Source, order_proof::Seen};
use events_kafka::KafkaSource;

use crate::relay::ground::TOPIC;

/// A relay that brings nothing new for so long has lost what is missing.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at the topic's length.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Records asked for at once.
const BATCH: usize = 5_000;

/// All partitions of one topic.
pub struct Topic {
    source: KafkaSource,
    partitions: Vec<Partition>,
}

impl Topic {
    /// The topic behind `prefix`.
    pub async fn open(brokers: &str, prefix: &str) -> Result<Self> {
        let mut source = KafkaSource::new(brokers, prefix, "bench.order")?;
        let partitions = source.partitions(TOPIC).await?;
        Ok(Self { source, partitions })
    }

    /// Waits until the topic holds `events` records.
    pub async fn holds(&mut self, events: usize) -> Result<()> {
        let (mut length, mut since) = (self.length().await?, Instant::now());
        while length < events {
            if since.elapsed() > PATIENCE {
                bail!("the topic holds {length} of {events} events, and nothing came for {PATIENCE:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.length().await?;
            if now > length {
                (length, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// Every record, in the order of its partition; the partitions one after the other in no order.
    pub async fn read_back(&mut self) -> Result<Vec<Seen>> {
        let length = self.length().await?;
        let beginnings: Vec<_> = self.partitions.iter().map(|partition| (partition.clone(), 0)).collect();
        self.source.assign(&beginnings).await?;
        let mut seen = Vec::with_capacity(length);
        while seen.len() < length {
            let batch = self.source.next_batch(BATCH, PATIENCE).await?;
            if batch.is_empty() {
                bail!("{} of {length} records could be read back", seen.len());
            }
            for delivery in batch {
                match delivery.record {
                    Record::Event(event) => seen.push((event.aggregate_id, event.aggregate_version.get())),
                    Record::Unreadable { reason, .. } => bail!("a record cannot be read: {reason}"),
                }
            }
        }
        Ok(seen)
    }

    async fn length(&mut self) -> Result<usize> {
        let mut length = 0;
        for partition in &self.partitions {
            length += usize::try_from(self.source.extent(partition).await?.next)?;
        }
        Ok(length)
    }
}
