//! Empties a parked key in order, one event a transaction: after a gap was closed, or by an operator's redrive.
//!
//! An event leaves the lot only after its effects outside PostgreSQL were made too: a crash in between finds it there
//! again, already applied, and makes them once more.

use std::collections::HashSet;

use kernel::Version;
use sqlx::PgConnection;

use super::{
    batch::{Applier, BatchError},
    effect,
    guard::{Hold, KeyState, Verdict, decide},
    ledger::Entries,
    session::describe,
};
use crate::{Envelope, Guard, transaction::begin};

/// How often effects outside PostgreSQL are tried before the key stays parked for another time.
const SETTLE_ATTEMPTS: u32 = 3;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A version came that a key may have waited for; keys held by poison stay.
    GapMayBeClosed,
    /// An operator, after the cause was repaired.
    Redrive,
}

/// How a key ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Drained {
    /// Events that left the lot.
    pub released: u64,
    /// Whether the key is free.
    pub free: bool,
}

enum Step {
    Released,
    Stopped,
    Free,
}

impl Applier {
    /// Applies the events of `key` until the lot has none or the first one cannot be applied.
    pub async fn drain(&self, key: &str, occasion: Occasion) -> Result<Drained, BatchError> {
        let mut drained = Drained::default();
        loop {
            match self.drain_first(key, occasion).await? {
                Step::Released => drained.released += 1,
                Step::Stopped => return Ok(drained),
                Step::Free => return Ok(Drained { free: true, ..drained }),
            }
        }
    }

    async fn drain_first(&self, key: &str, occasion: Occasion) -> Result<Step, BatchError> {
        let mut tx = begin(&self.pool).await?;
        let Some(hold) = self.lot.lock_key(&mut tx, key).await? else { return Ok(Step::Free) };
        if hold == Hold::Poison && occasion == Occasion::GapMayBeClosed {
            return Ok(Step::Stopped);
        }
        let Some(first) = self.lot.first(&mut tx, key).await? else { return Ok(Step::Free) };
        let Some(event) = first.event else {
            self.lot.failed(&mut tx, key, first.id, "the record is no event; discard it to let the key go on").await?;
            tx.commit().await?;
            return Ok(Step::Stopped);
        };
        match self.apply_parked(&mut tx, key, &event).await {
            Ok(Verdict::ParkGap { wanted }) => {
                self.lot.hold(&mut tx, key, Hold::Gap, Some(wanted)).await?;
                tx.commit().await?;
                return Ok(Step::Stopped);
            }
            Ok(_) => tx.commit().await?,
            Err(BatchError::Poison { cause, .. }) => {
                tx.rollback().await?;
                self.note_failure(key, first.id, &describe(&*cause)).await?;
                return Ok(Step::Stopped);
            }
            Err(error) => return Err(error),
        }
        fail_points::reached(fail_points::Step::ConsumerDraining);
        if let Err(error) = self.settle_parked(&event).await {
            self.note_failure(key, first.id, &error).await?;
            return Ok(Step::Stopped);
        }
        let mut tx = begin(&self.pool).await?;
        // Waits for a batch that is just adding to the key; only then can be seen whether the key is empty.
        self.lot.lock_key(&mut tx, key).await?;
        self.lot.remove(&mut tx, key, first.id).await?;
        tx.commit().await?;
        Ok(Step::Released)
    }

    /// Applies the first event of a key as if the key were free.
    async fn apply_parked(&self, tx: &mut PgConnection, key: &str, event: &Envelope) -> Result<Verdict, BatchError> {
        let guard = self.reaction.guard(&event.event_type);
        let states = self.ledger.states(&mut *tx, vec![key.to_owned()]).await?;
        let applied = states.get(key).map_or(Version::ZERO, |state| state.applied);
        let inbox = if guard == Guard::EveryOnce {
            self.ledger.inbox(&mut *tx, vec![event.id.uuid()]).await?
        } else {
            HashSet::new()
        };
        let in_inbox = inbox.contains(&event.id.uuid());
        let verdict = decide(guard, event.aggregate_version, in_inbox, KeyState { applied, hold: None });
        if verdict == Verdict::Apply {
            if guard != Guard::CountOnly {
                effect::apply(&*self.reaction, tx, &mut None, event).await?;
            }
            self.ledger.record(tx, Entries::of(guard, event)).await?;
        }
        Ok(verdict)
    }

    async fn settle_parked(&self, event: &Envelope) -> Result<(), String> {
        let guard = self.reaction.guard(&event.event_type);
        if matches!(guard, Guard::Ignore | Guard::CountOnly) {
            return Ok(());
        }
        let mut outcome = Ok(());
        for _ in 0..SETTLE_ATTEMPTS {
            outcome = effect::settle(&*self.reaction, event).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map_err(|error| format!("applied, but its effects elsewhere are missing: {}", error.0))
    }

    async fn note_failure(&self, key: &str, id: i64, error: &str) -> Result<(), BatchError> {
        let mut tx = begin(&self.pool).await?;
        self.lot.failed(&mut tx, key, id, error).await?;
        tx.commit().await?;
        Ok(())
    }
}
