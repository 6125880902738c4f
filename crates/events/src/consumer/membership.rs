//! Which partitions a consumer works on and how far it is: leases, stored positions, the source's assignment, lag.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use kernel::{Clock, SystemClock};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{
    ConsumerConfig,
    batch::Applier,
    positions::{Claimed, PositionError},
    settler::Settler,
};
use crate::{
    Extent, Partition, Retention, Source, SourceError,
    lease::{Leases, Sharing},
};

/// The membership ended; positions must be claimed again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MembershipError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the log failed")]
    Source(#[from] SourceError),
    #[error("the position cannot be used")]
    Position(#[from] PositionError),
}

/// One topic's partitions and the leases on them; a partition's slot is its place in the list.
struct Topic {
    partitions: Vec<Partition>,
    leases: Leases,
}

impl Topic {
    fn partition(&self, slot: i32) -> Option<Partition> {
        usize::try_from(slot).ok().and_then(|slot| self.partitions.get(slot)).cloned()
    }
}

/// A consumer among others of its name.
pub(crate) struct Membership<'a> {
    applier: &'a Applier,
    config: ConsumerConfig,
    log_id: String,
    topics: Vec<Topic>,
    claimed: BTreeMap<Partition, Claimed>,
    /// The end each partition had at a moment, until the position has come that far.
    ends: BTreeMap<Partition, (i64, DateTime<Utc>)>,
}

impl<'a> Membership<'a> {
    pub fn new(applier: &'a Applier, config: ConsumerConfig) -> Self {
        Self {
            applier,
            config,
            log_id: String::new(),
            topics: Vec::new(),
            claimed: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    /// Learns the log's name and partitions.
    pub async fn join(&mut self, source: &mut dyn Source) -> Result<(), MembershipError> {
        self.log_id = source.log_id().await?;
        if !self.topics.is_empty() {
            return Ok(());
        }
        let consumer = self.applier.reaction.consumer();
        let mut topics = Vec::new();
        for topic in self.applier.reaction.topics() {
            let partitions = source.partitions(topic).await?;
            let scope = format!("consumer:{consumer}:{topic}");
            let slots = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
            let leases = Leases::new(self.applier.lot.schema, scope, slots, self.config.lease);
            topics.push(Topic { partitions, leases });
        }
        self.topics = topics;
        Ok(())
    }

    /// Stores how far it came and gives the leases back.
    pub async fn leave(&mut self, source: &mut dyn Source, settler: &Settler) -> Result<(), MembershipError> {
        let mut conn = self.applier.pool.acquire().await?;
        self.store_settled(&mut conn, source, settler).await?;
        for topic in &mut self.topics {
            topic.leases.release(&mut conn).await?;
        }
        self.claimed.clear();
        Ok(())
    }

    /// Forgets everything that must be read from the database again.
    pub fn forget(&mut self) {
        self.claimed.clear();
        self.topics.iter_mut().for_each(|topic| topic.leases.forget());
    }

    /// Whether there is nothing to read.
    pub fn is_idle(&self) -> bool {
        self.claimed.is_empty()
    }

    /// The position in `partition`, with what was settled meanwhile; `None` when somebody else has it.
    pub fn position(&self, partition: &Partition, settler: &Settler) -> Option<Claimed> {
        let claimed = *self.claimed.get(partition)?;
        let settled = settler.settled(partition).unwrap_or_default().min(claimed.next);
        Some(Claimed { settled: claimed.settled.max(settled), ..claimed })
    }

    /// The partitions it works on.
    pub fn partitions(&self) -> Vec<Partition> {
        self.claimed.keys().cloned().collect()
    }

    /// Effects up to `next` were committed.
    pub fn advanced(&mut self, partition: &Partition, next: i64) {
        if let Some(claimed) = self.claimed.get_mut(partition) {
            claimed.next = next;
        }
    }

    /// How long until the next renewal is due.
    pub fn renew_in(&self) -> Option<Duration> {
        let at = self.topics.iter().map(|topic| topic.leases.renew_at()).min()?;
        Some(at.duration_since(Instant::now()))
    }

    /// Renews leases that are due and follows what they say: lost partitions go, gained ones begin at their position.
    pub async fn renew_if_due(&mut self, source: &mut dyn Source, settler: &Settler) -> Result<(), MembershipError> {
        if !self.topics.iter().any(|topic| topic.leases.due()) {
            return Ok(());
        }
        let mut conn = self.applier.pool.acquire().await?;
        self.store_settled(&mut conn, source, settler).await?;
        let mut changed = false;
        let mut gained = Vec::new();
        for topic in &mut self.topics {
            let change = topic.leases.renew(&mut conn, Sharing::GiveBackSurplus).await?;
            changed |= !change.gained.is_empty() || !change.lost.is_empty();
            for partition in change.lost.iter().filter_map(|lost| topic.partition(lost.slot)) {
                self.claimed.remove(&partition);
            }
            let held = change.gained.into_iter();
            gained.extend(held.filter_map(|held| Some((topic.partition(held.slot)?, held.term))));
        }
        let (keys, oldest) = self.applier.lot.size(&mut conn).await?;
        // All consumers of a service share its pool, and the log may not answer for long.
        drop(conn);
        let consumer = self.applier.reaction.consumer();
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        metrics::gauge!("quoin_consumer_parked_keys", "consumer" => consumer).set(keys);
        metrics::gauge!("quoin_consumer_oldest_parked_seconds", "consumer" => consumer).set(oldest);
        // Before the question: what is published while it is asked is not held yet.
        let now = SystemClock.now();
        let asked: Vec<Partition> =
            self.claimed.keys().chain(gained.iter().map(|(partition, _)| partition)).cloned().collect();
        let extents = source.extents(&asked).await?;
        let extents: BTreeMap<Partition, Extent> = asked.into_iter().zip(extents).collect();
        self.claim(gained, source.retention(), &extents).await?;
        if changed {
            let from: Vec<_> = self.claimed.iter().map(|(partition, at)| (partition.clone(), at.settled)).collect();
            source.assign(&from).await?;
        }
        self.measure_lag(&extents, now).await
    }

    /// Begins at the stored positions of partitions whose leases, with these terms, were gained.
    async fn claim(
        &mut self,
        gained: Vec<(Partition, i64)>,
        retention: Retention,
        extents: &BTreeMap<Partition, Extent>,
    ) -> Result<(), MembershipError> {
        if gained.is_empty() {
            return Ok(());
        }
        let consumer = self.applier.reaction.consumer();
        let mut conn = self.applier.pool.acquire().await?;
        for (partition, term) in gained {
            let Some(extent) = extents.get(&partition) else { continue };
            let log = (self.log_id.as_str(), retention, *extent);
            let claimed = self.applier.positions.claim(&mut conn, &partition, term, log).await?;
            tracing::debug!(consumer, ?partition, ?claimed, "claimed a partition");
            self.claimed.insert(partition, claimed);
        }
        Ok(())
    }

    async fn store_settled(
        &mut self,
        conn: &mut PgConnection,
        source: &mut dyn Source,
        settler: &Settler,
    ) -> Result<(), MembershipError> {
        let mut stored = Vec::new();
        for (partition, claimed) in &mut self.claimed {
            let settled = settler.settled(partition).unwrap_or_default().min(claimed.next);
            if settled > claimed.settled {
                claimed.settled = settled;
                self.applier.positions.settle(conn, partition, *claimed).await?;
                stored.push((partition.clone(), settled));
            }
        }
        if !stored.is_empty() {
            source.store_offsets(&stored).await?;
        }
        Ok(())
    }

    /// How far behind what the logs held at `now`.
    async fn measure_lag(
        &mut self,
        extents: &BTreeMap<Partition, Extent>,
        now: DateTime<Utc>,
    ) -> Result<(), MembershipError> {
        let mut reached = Vec::new();
        for (partition, claimed) in &self.claimed {
            let Some(extent) = extents.get(partition) else { continue };
            let (end, at) = self.ends.remove(partition).unwrap_or((extent.next, now));
            let pending = if claimed.next >= extent.next {
                reached.push((partition.clone(), now));
                None
            } else if claimed.next >= end {
                reached.push((partition.clone(), at));
                Some((extent.next, now))
            } else {
                Some((end, at))
            };
            self.ends.extend(pending.map(|pending| (partition.clone(), pending)));
            let labels = [
                ("consumer", self.applier.reaction.consumer().to_owned()),
                ("topic", partition.topic.to_string()),
                ("partition", partition.number.to_string()),
            ];
            let behind = |position: i64| u32::try_from((extent.next - position).max(0)).unwrap_or(u32::MAX);
            metrics::gauge!("quoin_consumer_lag_records", &labels).set(behind(claimed.next));
            metrics::gauge!("quoin_consumer_unsettled_records", &labels).set(behind(claimed.settled));
        }
        let mut conn = self.applier.pool.acquire().await?;
        for (partition, at) in reached {
            self.applier.reaction.reached(&mut conn, &partition, at).await?;
        }
        Ok(())
    }
}
