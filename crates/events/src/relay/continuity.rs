//! Asserts that each aggregate's versions follow one another on their way out.
//!
//! A break means that a service wrote two events for one version, skipped one, or that the reader lost a row: an alarm,
//! never a reason to skip or to wait.

use std::collections::HashMap;

use kernel::Version;

use crate::Envelope;

/// Aggregates remembered; beyond that all are forgotten, which costs assertions and nothing else.
const MAX_AGGREGATES: usize = 100_000;

/// The last version seen of each aggregate since the cursor was loaded.
#[derive(Default)]
pub(crate) struct Continuity {
    last: HashMap<String, Version>,
}

impl Continuity {
    /// Notes `event`; `Some(expected)` when its version does not follow the one before.
    pub fn check(&mut self, event: &Envelope) -> Option<Version> {
        if self.last.len() >= MAX_AGGREGATES {
            self.last.clear();
        }
        let before = self.last.insert(event.key(), event.aggregate_version)?;
        (event.aggregate_version != before.next()).then(|| before.next())
    }

    /// Rows will be read again from an older place.
    pub fn forget(&mut self) {
        self.last.clear();
    }
}
