//! Applies consecutive records of one partition in one transaction: position, guards and effects together, all or none.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use fail_points::{Step, reached};
use kernel::TenantId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{
    effect,
    guard::{Hold, KeyState, Verdict, decide},
    ledger::{Entries, Ledger},
    lot::{Lot, Reason, parking_key},
    positions::{Claimed, Positions},
};
use crate::{
    Delivery, Envelope, Guard, Partition, Reaction, ReactionError, Record, reaction::is_transient, republish::Wanted,
    transaction::begin,
};

/// What applies batches.
pub(crate) struct Applier {
    pub pool: PgPool,
    pub reaction: Arc<dyn Reaction>,
    pub positions: Positions,
    pub ledger: Ledger,
    pub lot: Lot,
}

/// A batch that was committed.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Events whose effects outside PostgreSQL are due, in order.
    pub settle: Vec<Envelope>,
    /// Keys waiting for a version that may have come.
    pub gaps: BTreeSet<String>,
    /// Versions that keys wait for since this batch.
    pub wanted: Vec<Wanted>,
    /// Records by outcome, for the metrics.
    pub applied: u64,
    pub repeated: u64,
    pub parked: u64,
}

/// A batch of which nothing was committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("another consumer has the partition")]
    Lost,
    #[error("the batch cannot be applied now")]
    Transient(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// One of the records will never work.
    #[error("a record cannot be applied")]
    Poison {
        /// The one that was being applied; what only shows at the end is nobody's in particular.
        offset: Option<i64>,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BatchError {
    fn while_applying(self, record: &Delivery) -> Self {
        match self {
            Self::Poison { cause, .. } => Self::Poison { offset: Some(record.offset), cause },
            other => other,
        }
    }
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        let transient = is_transient(&error);
        let cause = error.into();
        if transient { Self::Transient(cause) } else { Self::Poison { offset: None, cause } }
    }
}

impl From<ReactionError> for BatchError {
    fn from(error: ReactionError) -> Self {
        match error {
            ReactionError::Transient(cause) => Self::Transient(cause),
            ReactionError::Poison(cause) => Self::Poison { offset: None, cause },
        }
    }
}

impl Applier {
    /// Applies `records`, which follow the claimed position, and moves it behind them.
    pub async fn apply(
        &self,
        partition: &Partition,
        claimed: Claimed,
        records: &[Delivery],
    ) -> Result<Committed, BatchError> {
        reached(Step::ConsumerRead);
        let mut tx = begin(&self.pool).await?;
        self.advance(&mut tx, partition, claimed, records).await?;
        let mut batch = Batch::load(self, &mut tx, records).await?;
        for delivery in in_key_order(records) {
            batch.take(&mut tx, delivery).await.map_err(|error| error.while_applying(delivery))?;
        }
        let Batch { entries, committed, .. } = batch;
        self.ledger.record(&mut tx, entries).await?;
        reached(Step::ConsumerApplied);
        tx.commit().await?;
        reached(Step::ConsumerCommitted);
        Ok(committed)
    }

    /// Parks a single record that cannot be applied, and moves the position behind it.
    pub async fn park(
        &self,
        partition: &Partition,
        claimed: Claimed,
        record: &Delivery,
        error: String,
    ) -> Result<Committed, BatchError> {
        let mut tx = begin(&self.pool).await?;
        self.advance(&mut tx, partition, claimed, std::slice::from_ref(record)).await?;
        self.lot.park(&mut tx, record, &Reason::Poison(error)).await?;
        // The key may have been waiting for this very version; now it waits for a redrive.
        self.lot.hold(&mut tx, &parking_key(record), Hold::Poison, None).await?;
        reached(Step::ConsumerParking);
        tx.commit().await?;
        Ok(Committed { parked: 1, ..Committed::default() })
    }

    async fn advance(
        &self,
        tx: &mut PgConnection,
        partition: &Partition,
        claimed: Claimed,
        records: &[Delivery],
    ) -> Result<(), BatchError> {
        let next = records.last().map_or(claimed.next, |record| record.offset + 1);
        let ours = self.positions.advance(tx, partition, claimed, next).await?;
        if ours { Ok(()) } else { Err(BatchError::Lost) }
    }

    fn guard(&self, event: &Envelope) -> Guard {
        self.reaction.guard(&event.event_type)
    }
}

/// What is known within one transaction.
struct Batch<'a> {
    applier: &'a Applier,
    states: HashMap<String, KeyState>,
    inbox: HashSet<Uuid>,
    tenant_set: Option<TenantId>,
    entries: Entries,
    committed: Committed,
}

impl<'a> Batch<'a> {
    /// Reads what was applied before of the keys and events in `records`.
    async fn load(applier: &'a Applier, tx: &mut PgConnection, records: &[Delivery]) -> Result<Self, sqlx::Error> {
        let mut keys = HashSet::new();
        let mut once = Vec::new();
        for delivery in records {
            match &delivery.record {
                Record::Event(event) => match applier.guard(event) {
                    Guard::Ignore => continue,
                    Guard::EveryOnce => once.push(event.id.uuid()),
                    Guard::CountOnly | Guard::StateCarrying | Guard::Delta => {}
                },
                Record::Unreadable { .. } => {}
            }
            keys.insert(parking_key(delivery));
        }
        let (states, inbox) = if keys.is_empty() {
            (HashMap::new(), HashSet::new())
        } else {
            let states = applier.ledger.states(&mut *tx, keys.into_iter().collect()).await?;
            (states, applier.ledger.inbox(tx, once).await?)
        };
        let (entries, committed) = (Entries::default(), Committed::default());
        Ok(Self { applier, states, inbox, tenant_set: None, entries, committed })
    }

    async fn take(&mut self, tx: &mut PgConnection, delivery: &Delivery) -> Result<(), BatchError> {
        let event = match &delivery.record {
            Record::Event(event) => event,
            Record::Unreadable { reason, .. } => return self.park(tx, delivery, Reason::Poison(reason.clone())).await,
        };
        let guard = self.applier.guard(event);
        let key = event.key();
        let state = self.states.get(&key).copied().unwrap_or_default();
        let in_inbox = self.inbox.contains(&event.id.uuid());
        match decide(guard, event.aggregate_version, in_inbox, state) {
            Verdict::Ignore => {}
            Verdict::AlreadyApplied => {
                self.committed.repeated += 1;
                if guard != Guard::CountOnly {
                    self.committed.settle.push(event.clone());
                }
            }
            Verdict::Apply => {
                if guard != Guard::CountOnly {
                    effect::apply(&*self.applier.reaction, tx, &mut self.tenant_set, event).await?;
                    self.committed.settle.push(event.clone());
                }
                self.note_applied(guard, key, event);
            }
            Verdict::ParkBehind => self.park(tx, delivery, Reason::Behind).await?,
            Verdict::ParkGap { wanted } => {
                self.park(tx, delivery, Reason::Gap { wanted }).await?;
                self.committed.wanted.push(Wanted::before(event, Arc::clone(&delivery.partition.topic), wanted));
            }
        }
        Ok(())
    }

    fn note_applied(&mut self, guard: Guard, key: String, event: &Envelope) {
        self.committed.applied += 1;
        self.entries.note(guard, event);
        if guard == Guard::EveryOnce {
            self.inbox.insert(event.id.uuid());
            return;
        }
        let state = self.states.entry(key.clone()).or_default();
        state.applied = event.aggregate_version;
        if state.hold == Some(Hold::Gap) {
            self.committed.gaps.insert(key);
        }
    }

    async fn park(&mut self, tx: &mut PgConnection, delivery: &Delivery, reason: Reason) -> Result<(), BatchError> {
        self.applier.lot.park(tx, delivery, &reason).await?;
        let key = parking_key(delivery);
        let state = self.states.entry(key.clone()).or_default();
        match (&reason, state.hold) {
            (_, Some(Hold::Gap)) => drop(self.committed.gaps.insert(key)),
            (Reason::Gap { .. }, None) => state.hold = Some(Hold::Gap),
            (_, None) => state.hold = Some(Hold::Poison),
            (_, Some(Hold::Poison)) => {}
        }
        self.committed.parked += 1;
        Ok(())
    }
}

/// By key, then by offset: keys in one order avoids deadlocks between partitions, and an event's tenant is the first
/// part of its key, so that each is set once.
fn in_key_order(records: &[Delivery]) -> Vec<&Delivery> {
    let mut ordered: Vec<&Delivery> = records.iter().collect();
    ordered.sort_by_cached_key(|delivery| parking_key(delivery));
    ordered
}
