//! What the topics say: every record from the first to the last, read as any consumer would.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, bail};
use events::{Partition, Record, Source};
use events_kafka::KafkaSource;
use quoin::deployment::Servers;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// The services' schemas, each with a topic.
pub const SCHEMAS: [&str; 5] = ["catalog", "pricing", "quote", "order", "inventory"];

/// Records read at once, and the longest wait for them.
const BATCH: usize = 1_000;
const WAIT: Duration = Duration::from_secs(10);

/// The topics of one installation.
pub struct Topics {
    source: KafkaSource,
}

/// What was in them.
#[derive(Debug, Default)]
pub struct Seen {
    records: usize,
    events: HashSet<Uuid>,
    /// The highest version so far, by key.
    highest: HashMap<String, u64>,
    inversions: usize,
}

impl Topics {
    /// As a reader nobody else is.
    pub fn open(servers: &Servers) -> Result<Self> {
        let prefix = format!("{}.", servers.prefix);
        Ok(Self { source: KafkaSource::new(&servers.kafka_brokers, &prefix, "auditor")? })
    }

    /// Where each partition begins and ends.
    async fn extents(&mut self) -> Result<BTreeMap<Partition, (i64, i64)>> {
        let mut extents = BTreeMap::new();
        for schema in SCHEMAS {
            for partition in self.source.partitions(&format!("quoin.{schema}.v1")).await? {
                let extent = self.source.extent(&partition).await?;
                extents.insert(partition, (extent.first, extent.next));
            }
        }
        Ok(extents)
    }

    /// Where each partition ends.
    pub async fn ends(&mut self) -> Result<BTreeMap<Partition, i64>> {
        Ok(self.extents().await?.into_iter().map(|(partition, (_, next))| (partition, next)).collect())
    }

    /// Records that consumers have not read, each as often as there are consumers that have not.
    pub async fn behind(&mut self, conn: &mut PgConnection) -> Result<i64> {
        let ends = self.ends().await?;
        let mut behind = 0;
        for schema in SCHEMAS {
            let sql = format!("select topic, partition, next_offset from \"{schema}\".consumer_position");
            let rows: Vec<(String, i32, i64)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *conn).await?;
            for (topic, number, next) in rows {
                let partition = Partition { topic: topic.into(), number };
                behind += ends.get(&partition).map_or(0, |end| (end - next).max(0));
            }
        }
        Ok(behind)
    }

    /// What there is.
    pub async fn read(&mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        self.each(|_, record| seen.take(&record)).await?;
        Ok(seen)
    }

    /// Hands over every record there is, with its topic, each partition's in order.
    pub async fn each(&mut self, mut take: impl FnMut(Arc<str>, Record) -> Result<()>) -> Result<()> {
        let mut left = self.extents().await?;
        left.retain(|_, (first, next)| first < next);
        let from: Vec<(Partition, i64)> =
            left.iter().map(|(partition, (first, _))| (partition.clone(), *first)).collect();
        self.source.assign(&from).await?;
        while !left.is_empty() {
            let batch = self.source.next_batch(BATCH, WAIT).await?;
            if batch.is_empty() {
                bail!("{} partitions do not come to their end", left.len());
            }
            for delivery in batch {
                let Some((_, end)) = left.get(&delivery.partition).copied() else { continue };
                if delivery.offset + 1 >= end {
                    left.remove(&delivery.partition);
                }
                // What came later than the reading began is not waited for.
                if delivery.offset < end {
                    take(delivery.partition.topic, delivery.record)?;
                }
            }
        }
        Ok(())
    }
}

impl Seen {
    fn take(&mut self, record: &Record) -> Result<()> {
        let Record::Event(event) = record else { bail!("a record is no event: {record:?}") };
        self.records += 1;
        if !self.events.insert(event.id.uuid()) {
            return Ok(());
        }
        let version = event.aggregate_version.get();
        let before = self.highest.entry(format!("{}:{}", event.source, event.key())).or_default();
        // Not the next: either an earlier one comes late, or one is missing, which is a loss as well.
        self.inversions += usize::from(version != *before + 1);
        *before = version.max(*before);
        Ok(())
    }

    /// How many there were.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Events that are not there.
    pub fn lacking(&self, outbox: &HashSet<Uuid>) -> usize {
        outbox.difference(&self.events).count()
    }

    /// Events that should not be there.
    pub fn beyond(&self, outbox: &HashSet<Uuid>) -> usize {
        self.events.difference(outbox).count()
    }

    /// Events that did not follow the one before them.
    pub const fn inversions(&self) -> usize {
        self.inversions
    }
}
