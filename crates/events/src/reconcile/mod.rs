//! Reconciliation: whether the log holds exactly what the outbox published, and in each aggregate's order.
//!
//! The outbox is written with the state it tells of, in one transaction; what it retains is the truth the log is held
//! against. Events are compared by id, one by one: digests over a window would differ at both of its edges whenever somebody
//! writes. Memory is some tens of bytes an event of the window.

mod kept;
mod order;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{ContentHash, Version};
use serde::Serialize;
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Delivery, Envelope, Partition, Publisher, Record, Replay, ReplayError, Source, SourceError, republish::Wanted,
};
use kept::Kept;
use order::Sequences;

/// How far the clocks of database, relay and broker may be apart.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(5);

/// Records taken at once, and how long to wait for them.
const BATCH: usize = 1_000;
const WAIT: Duration = Duration::from_secs(1);

/// A log that holds records and delivers none for so long is not going to.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// Keys named of each kind.
const EXAMPLES: usize = 10;

/// In which way log and outbox differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Divergence {
    /// Published by the outbox's account, and not in the log.
    Missing,
    /// In the log, and never in the outbox.
    Unknown,
    /// In both, and the log says something else.
    Content,
    /// A version came after a higher one that was not delivered again.
    Order,
    /// A record that is no event.
    Unreadable,
}

impl Divergence {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Missing, Self::Unknown, Self::Content, Self::Order, Self::Unreadable];

    /// The kind as it is shown and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Content => "content",
            Self::Order => "order",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Events that diverge in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// In which way.
    pub kind: Divergence,
    /// How many events.
    pub events: u64,
    /// Some of them: key, version and event id, or place in the log.
    pub examples: Vec<String>,
}

/// What was compared, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// Since when events were compared; nothing where the outbox is empty.
    pub since: Option<DateTime<Utc>>,
    /// Published events of the outbox.
    pub outbox: u64,
    /// Records of the log.
    pub log: u64,
    /// Every kind of which there was something.
    pub found: Vec<Found>,
    /// What is missing: each aggregate from its first missing version on.
    missing: Vec<Wanted>,
}

/// The comparison could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The outbox could not be read.
    #[error("the outbox cannot be read")]
    Database(#[from] sqlx::Error),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Source(#[from] SourceError),
    /// The log holds records that it does not deliver.
    #[error("the log delivers nothing although it holds more")]
    Stalled,
    /// What is missing could not be published again.
    #[error("what is missing could not be published again")]
    Replay(#[from] ReplayError),
}

/// One service's outbox and topic.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    pool: PgPool,
    schema: &'static str,
    topic: &'static str,
}

/// What the log showed.
#[derive(Default)]
struct Shown {
    records: u64,
    seen: HashSet<Uuid>,
    altered: BTreeMap<Uuid, String>,
    suspects: BTreeMap<Uuid, String>,
    unreadable: Vec<String>,
    sequences: Sequences,
}

impl Reconciliation {
    /// Of the outbox in `schema` with `topic`; `pool` connects as the work role.
    pub const fn of(pool: PgPool, schema: &'static str, topic: &'static str) -> Self {
        Self { pool, schema, topic }
    }

    /// Compares what was written since `since`, or everything the outbox retains.
    pub async fn compare(
        &self,
        mut source: Box<dyn Source>,
        since: Option<DateTime<Utc>>,
        progress: impl FnMut(u64) + Send,
    ) -> Result<Reconciled, ReconcileError> {
        // The outbox first: what it has published by now is in the log by then.
        let kept = kept::published(&self.pool, (self.schema, self.topic), since).await?;
        let Some(since) = since.max(kept::oldest(&self.pool, self.schema).await?) else {
            return Ok(Reconciled { since: None, outbox: 0, log: 0, found: Vec::new(), missing: Vec::new() });
        };
        let mut shown = self.read(&mut *source, &kept, since, progress).await?;
        for id in kept::known(&self.pool, self.schema, shown.suspects.keys().copied().collect()).await? {
            shown.suspects.remove(&id);
        }
        Ok(judge(&kept, shown, since))
    }

    async fn read(
        &self,
        source: &mut dyn Source,
        kept: &HashMap<Uuid, Kept>,
        since: DateTime<Utc>,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Shown, ReconcileError> {
        let (mut next, mut ends) = (BTreeMap::new(), BTreeMap::new());
        for partition in source.partitions(self.topic).await? {
            let end = source.extent(&partition).await?.next;
            next.insert(partition.clone(), source.offset_at(&partition, since - CLOCKS_DIFFER).await?);
            ends.insert(partition, end);
        }
        let from: Vec<_> = next.iter().map(|(partition, first)| (partition.clone(), *first)).collect();
        source.assign(&from).await?;
        let (mut shown, mut heard) = (Shown::default(), Instant::now());
        let is_done = |next: &BTreeMap<Partition, i64>| ends.iter().all(|(partition, end)| next[partition] >= *end);
        while !is_done(&next) {
            let records = source.next_batch(BATCH, WAIT).await?;
            if !records.is_empty() {
                heard = Instant::now();
            } else if heard.elapsed() > STALLED_AFTER {
                return Err(ReconcileError::Stalled);
            }
            for delivery in &records {
                next.insert(delivery.partition.clone(), delivery.offset + 1);
                shown.take(delivery, kept, since);
            }
            progress(shown.records);
        }
        Ok(shown)
    }

    /// Publishes again what is missing; answers how many events. What is wrong in the log stays there: nothing can be taken
    /// out of it.
    pub async fn repair(&self, found: &Reconciled, publisher: &dyn Publisher) -> Result<u64, ReconcileError> {
        let mut total = 0;
        for wanted in &found.missing {
            let replay = Replay {
                tenant: Some(wanted.tenant.clone()),
                aggregate_type: Some(wanted.aggregate_type.clone()),
                aggregate_id: Some(wanted.aggregate_id),
                from_version: Some(wanted.version),
                ..Replay::default()
            };
            total += replay.publish(&self.pool, self.schema, self.topic, publisher, |_| ()).await?;
        }
        Ok(total)
    }
}

impl Reconciled {
    /// How many events diverge in one way.
    pub fn events(&self, kind: Divergence) -> u64 {
        self.found.iter().filter(|found| found.kind == kind).map(|found| found.events).sum()
    }

    /// How many diverge at all: the figure that must be 0.
    pub fn total(&self) -> u64 {
        self.found.iter().map(|found| found.events).sum()
    }
}

impl Shown {
    fn take(&mut self, delivery: &Delivery, kept: &HashMap<Uuid, Kept>, since: DateTime<Utc>) {
        let place = || format!("{} {} at {}", delivery.partition.topic, delivery.partition.number, delivery.offset);
        self.records += 1;
        let event = match &delivery.record {
            Record::Event(event) => event,
            Record::Unreadable { .. } => return self.unreadable.push(place()),
        };
        let id = event.id.uuid();
        let named = || format!("{} version {} ({id})", event.key(), event.aggregate_version);
        match kept.get(&id) {
            Some(kept) => {
                self.seen.insert(id);
                if kept.fingerprint != fingerprint(event) {
                    self.altered.entry(id).or_insert_with(named);
                }
            }
            // Older than what was compared, or younger, or of nobody: the outbox will say.
            None if event.occurred_at >= since => {
                self.suspects.entry(id).or_insert_with(named);
            }
            None => {}
        }
        self.sequences.note(event.key(), event.aggregate_version, delivery.offset);
    }
}

/// What is wrong, from what both sides showed.
fn judge(kept: &HashMap<Uuid, Kept>, shown: Shown, since: DateTime<Utc>) -> Reconciled {
    let mut absent: Vec<&Kept> = kept.iter().filter(|(id, _)| !shown.seen.contains(id)).map(|(_, kept)| kept).collect();
    absent.sort_by_key(|kept| (kept.wanted.key(), kept.wanted.version));
    let named = |kept: &&Kept| format!("{} version {}", kept.wanted.key(), kept.wanted.version);
    let sides = [
        (Divergence::Missing, absent.iter().map(named).collect()),
        (Divergence::Unknown, shown.suspects.into_values().collect()),
        (Divergence::Content, shown.altered.into_values().collect()),
        (Divergence::Order, shown.sequences.inversions()),
        (Divergence::Unreadable, shown.unreadable),
    ];
    let mut missing: Vec<Wanted> = absent.into_iter().map(|kept| kept.wanted.clone()).collect();
    missing.dedup_by_key(|wanted| wanted.key());
    let found = |(kind, mut examples): (Divergence, Vec<String>)| {
        let events = examples.len() as u64;
        examples.truncate(EXAMPLES);
        (events > 0).then_some(Found { kind, events, examples })
    };
    Reconciled {
        since: Some(since),
        outbox: kept.len() as u64,
        log: shown.records,
        found: sides.into_iter().filter_map(found).collect(),
        missing,
    }
}

/// Half a SHA-256 of what an event must not change on its way: who it is, whose, which version, and its payload. PostgreSQL
/// computes the same ([`kept`]).
fn fingerprint(event: &Envelope) -> i64 {
    let version: Version = event.aggregate_version;
    let mut text = format!("{} {} {} {}\n", event.id, event.key(), version, event.event_type).into_bytes();
    text.extend_from_slice(&event.data);
    let hash = ContentHash::of_bytes(&text);
    let (first, _) = hash.as_bytes().split_at(8);
    first.try_into().map_or(0, i64::from_be_bytes)
}
