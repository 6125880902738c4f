//! Everything that writes, one function a command, inside a transaction the caller has begun and will commit:
//! lock → rules → store → history → event.
//!
//! Must never read through the cache: what a command decides by, it reads under its own lock.

pub mod import;
pub mod offerings;
pub mod prices;
pub mod publish;
pub mod specifications;

use cache_ports::catalog::LifecycleStatus;
use kernel::Version;
use uuid::Uuid;

use crate::{error::CatalogError, rules::lifecycle, store::history::LifecycleStep, words::Word};

fn must_be(expected: Version, current: Version) -> Result<(), CatalogError> {
    if expected == current { Ok(()) } else { Err(CatalogError::Stale { current }) }
}

fn must_be_legal(from: LifecycleStatus, to: LifecycleStatus) -> Result<(), CatalogError> {
    let allowed = lifecycle::allowed_after(from);
    if from == to || allowed.contains(&to) {
        Ok(())
    } else {
        Err(CatalogError::IllegalTransition { from, to, allowed })
    }
}

/// The history row of a change, if it moved the status.
fn step(
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    version: Version,
    before: Option<LifecycleStatus>,
    after: LifecycleStatus,
) -> Option<LifecycleStep> {
    (before != Some(after)).then(|| LifecycleStep {
        aggregate_type,
        aggregate_id,
        version,
        from_status: before.map(Word::word),
        to_status: after.word(),
    })
}
