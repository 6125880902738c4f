//! Reads stretches of a log to their ends, or further: once, without a position anywhere.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{Delivery, Partition, Source, SourceError};

/// Records taken at once.
const BATCH: usize = 1_000;

/// How long to wait for records before the caller looks after other things, such as a lease.
const WAIT: Duration = Duration::from_secs(1);

/// A log that holds records and delivers none for so long is not going to.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// What is read of a partition: from an offset on, up to another.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub partition: Partition,
    pub from: i64,
    pub until: i64,
}

/// The log was not read to the end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadingError {
    #[error("the log cannot be read")]
    Source(#[from] SourceError),
    #[error("the log delivers nothing although it holds more")]
    Stalled,
}

/// How far each partition was read, and how far it is to be.
pub(crate) struct Reading {
    source: Box<dyn Source>,
    next: BTreeMap<Partition, i64>,
    until: BTreeMap<Partition, i64>,
    heard: Instant,
    /// Records taken so far.
    pub read: u64,
    wanted: u64,
}

impl Reading {
    /// Begins to read these stretches, and nothing else, from `source`.
    pub async fn of(mut source: Box<dyn Source>, stretches: &[Stretch]) -> Result<Self, SourceError> {
        let from: Vec<_> = stretches.iter().map(|stretch| (stretch.partition.clone(), stretch.from)).collect();
        source.assign(&from).await?;
        let until = stretches.iter().map(|stretch| (stretch.partition.clone(), stretch.until)).collect();
        let lengths = stretches.iter().map(|stretch| u64::try_from(stretch.until - stretch.from).unwrap_or_default());
        let wanted = lengths.sum();
        Ok(Self { source, next: from.into_iter().collect(), until, heard: Instant::now(), read: 0, wanted })
    }

    /// Records there were to read at the beginning.
    pub const fn wanted(&self) -> u64 {
        self.wanted
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
    pub async fn next_batch(&mut self) -> Result<Vec<Delivery>, ReadingError> {
        let records = self.source.next_batch(BATCH, WAIT).await?;
        for record in &records {
            self.next.insert(record.partition.clone(), record.offset + 1);
        }
        self.read += records.len() as u64;
        if !records.is_empty() {
            self.heard = Instant::now();
        } else if self.heard.elapsed() > STALLED_AFTER {
            return Err(ReadingError::Stalled);
        }
        Ok(records)
    }
}
