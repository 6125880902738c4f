//! Reads topics from their beginning to the ends they had, or further.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::rebuild::RebuildError;
use crate::{Delivery, Partition, Source};

/// Records taken at once.
const BATCH: usize = 500;

/// How long to wait for records before the caller looks after its lease.
const WAIT: Duration = Duration::from_secs(1);

/// A log that holds records and delivers none for so long is not going to.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// How far each partition was read, and how far it is to be.
pub(super) struct Reading {
    source: Box<dyn Source>,
    /// Where the log says it is; offsets of another one say nothing about it.
    pub log_id: String,
    next: BTreeMap<Partition, i64>,
    until: BTreeMap<Partition, i64>,
    heard: Instant,
    /// Records taken so far.
    pub read: u64,
}

impl Reading {
    /// Assigns every partition of `topics` from its first record. Refused where a partition has lost its beginning.
    pub async fn from_the_beginning(mut source: Box<dyn Source>, topics: &[&str]) -> Result<Self, RebuildError> {
        let log_id = source.log_id().await?;
        let (mut next, mut until) = (BTreeMap::new(), BTreeMap::new());
        for topic in topics {
            for partition in source.partitions(topic).await? {
                let extent = source.extent(&partition).await?;
                if extent.first > 0 {
                    return Err(RebuildError::BeginningLost { partition, first: extent.first });
                }
                next.insert(partition.clone(), extent.first);
                until.insert(partition, extent.next);
            }
        }
        let from: Vec<_> = next.iter().map(|(partition, first)| (partition.clone(), *first)).collect();
        source.assign(&from).await?;
        Ok(Self { source, log_id, next, until, heard: Instant::now(), read: 0 })
    }

    /// Records up to the ends that were asked for.
    pub fn wanted(&self) -> u64 {
        self.until.values().map(|until| u64::try_from(*until).unwrap_or_default()).sum()
    }

    /// Reads at least up to `offset` of `partition`.
    pub fn read_on(&mut self, partition: &Partition, offset: i64) {
        if let Some(until) = self.until.get_mut(partition) {
            *until = offset.max(*until);
        }
    }

    /// Whether every partition was read as far as was asked for.
    pub fn is_done(&self) -> bool {
        self.until.iter().all(|(partition, until)| self.next.get(partition).is_some_and(|next| next >= until))
    }

    /// Records by which `offset` of `partition` lies behind what was read.
    pub fn ahead_of(&self, partition: &Partition, offset: i64) -> u64 {
        let next = self.next.get(partition).copied().unwrap_or_default();
        u64::try_from(next - offset).unwrap_or_default()
    }

    /// The next records of any partition; none when there were none for a second.
    pub async fn next_batch(&mut self) -> Result<Vec<Delivery>, RebuildError> {
        let records = self.source.next_batch(BATCH, WAIT).await?;
        for record in &records {
            self.next.insert(record.partition.clone(), record.offset + 1);
        }
        self.read += records.len() as u64;
        if !records.is_empty() {
            self.heard = Instant::now();
        } else if self.heard.elapsed() > STALLED_AFTER {
            return Err(RebuildError::Stalled);
        }
        Ok(records)
    }
}
