//! The life of a specification, an offering or a price: one table of legal steps.
//!
//! Must agree with `catalog.lifecycle_transition`; `tests/it` compares the two.

use cache_ports::catalog::LifecycleStatus::{self, Active, InDesign, InStudy, InTest, Launched, Obsolete, Retired};

/// Every legal step. A retired product may come back until it is obsolete.
pub const TRANSITIONS: [(LifecycleStatus, LifecycleStatus); 9] = [
    (InStudy, InDesign),
    (InDesign, InTest),
    (InTest, InDesign),
    (InTest, Active),
    (Active, Launched),
    (Active, Retired),
    (Launched, Retired),
    (Retired, Active),
    (Retired, Obsolete),
];

/// A new aggregate may start in any of these; retirement has to be lived through.
pub const INITIAL: [LifecycleStatus; 4] = [InStudy, InDesign, InTest, Active];

/// The statuses that `from` may move to.
pub fn allowed_after(from: LifecycleStatus) -> Vec<LifecycleStatus> {
    TRANSITIONS.iter().filter(|(start, _)| *start == from).map(|(_, end)| *end).collect()
}

/// Whether a publication takes what stands here.
pub const fn is_published(status: LifecycleStatus) -> bool {
    matches!(status, Active | Launched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Word;

    #[test]
    fn every_status_is_reachable_and_only_obsolete_is_final() {
        for (status, _) in LifecycleStatus::WORDS.iter().copied() {
            assert!(INITIAL.contains(&status) || TRANSITIONS.iter().any(|(_, end)| *end == status));
            assert_eq!(allowed_after(status).is_empty(), status == Obsolete, "{status:?}");
        }
    }
}
