//! Decides what to do with one event, from its guard, its version and what is known of its key. Pure.

use kernel::Version;

use crate::Guard;

/// Why a key is in the parking lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Its first event there could not be applied: nothing passes until a redrive.
    Poison,
    /// A version is missing: nothing passes but that version.
    Gap,
}

/// What is known of an ordering key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KeyState {
    /// The version that was applied last; zero if none was.
    pub applied: Version,
    /// Whether later events must queue up.
    pub hold: Option<Hold>,
}

/// What to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing; it is not for this consumer.
    Ignore,
    /// Apply it now.
    Apply,
    /// Nothing in PostgreSQL; effects elsewhere may have been cut off and are made again.
    AlreadyApplied,
    /// Queue it up behind the events of its key that are parked.
    ParkBehind,
    /// Park it, first of its key: `wanted` must come before it.
    ParkGap { wanted: Version },
}

/// The verdict on an event of `version`; `in_inbox` says whether its id was applied before.
pub(crate) fn decide(guard: Guard, version: Version, in_inbox: bool, key: KeyState) -> Verdict {
    let by_version = guard != Guard::EveryOnce;
    match guard {
        Guard::Ignore => return Verdict::Ignore,
        Guard::EveryOnce if in_inbox => return Verdict::AlreadyApplied,
        _ if by_version && version <= key.applied => return Verdict::AlreadyApplied,
        _ => {}
    }
    let is_next = by_version && version == key.applied.next();
    match key.hold {
        Some(Hold::Gap) if is_next => Verdict::Apply,
        Some(_) => Verdict::ParkBehind,
        None if matches!(guard, Guard::Delta | Guard::CountOnly) && !is_next => {
            Verdict::ParkGap { wanted: key.applied.next() }
        }
        None => Verdict::Apply,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(applied: u64, hold: Option<Hold>) -> KeyState {
        KeyState { applied: Version::new(applied), hold }
    }

    #[test]
    fn each_guard_treats_old_next_and_early_events_its_own_way() {
        use Verdict::{AlreadyApplied, Apply, Ignore};
        let gap = Verdict::ParkGap { wanted: Version::new(4) };
        let table = [
            (Guard::Ignore, [Ignore, Ignore, Ignore]),
            (Guard::StateCarrying, [AlreadyApplied, Apply, Apply]),
            (Guard::Delta, [AlreadyApplied, Apply, gap]),
            (Guard::CountOnly, [AlreadyApplied, Apply, gap]),
            (Guard::EveryOnce, [Apply, Apply, Apply]),
        ];
        for (guard, expected) in table {
            let verdicts = [3, 4, 5].map(|version| decide(guard, Version::new(version), false, key(3, None)));
            assert_eq!(verdicts, expected, "{guard:?}");
        }
        assert_eq!(decide(Guard::EveryOnce, Version::new(9), true, key(3, None)), AlreadyApplied);
    }

    #[test]
    fn a_parked_key_keeps_its_order() {
        for guard in [Guard::StateCarrying, Guard::Delta, Guard::CountOnly, Guard::EveryOnce] {
            for version in [4, 5] {
                let verdict = decide(guard, Version::new(version), false, key(3, Some(Hold::Poison)));
                assert_eq!(verdict, Verdict::ParkBehind, "{guard:?} {version}");
            }
        }
        assert_eq!(decide(Guard::Delta, Version::new(4), false, key(3, Some(Hold::Gap))), Verdict::Apply);
        assert_eq!(decide(Guard::Delta, Version::new(5), false, key(3, Some(Hold::Gap))), Verdict::ParkBehind);
        assert_eq!(decide(Guard::Delta, Version::new(3), false, key(3, Some(Hold::Poison))), Verdict::AlreadyApplied);
    }

    proptest! {
        /// Whatever is published again, from wherever: versions are applied once, in order, without a hole.
        #[test]
        fn deltas_are_applied_once_in_order(restarts in prop::collection::vec((0u64..20, 1u64..20), 1..12)) {
            let mut state = key(0, None);
            let mut applied = Vec::new();
            let mut published: u64 = 0;
            for (back, ahead) in restarts {
                // A relay that lost its cursor goes back, but never leaves a hole.
                let from = published.saturating_sub(back) + 1;
                for version in from..from + ahead {
                    let version = Version::new(version);
                    if decide(Guard::Delta, version, false, state) == Verdict::Apply {
                        state.applied = version;
                        applied.push(version.get());
                    }
                }
                published = published.max(from + ahead - 1);
            }
            prop_assert_eq!(applied, (1..=published).collect::<Vec<_>>());
        }

        /// In any order and with any repetition, a state-carrying consumer ends at the newest and never goes back.
        #[test]
        fn states_only_move_forward(versions in prop::collection::vec(1u64..50, 1..60)) {
            let mut state = key(0, None);
            for version in &versions {
                let version = Version::new(*version);
                if decide(Guard::StateCarrying, version, false, state) == Verdict::Apply {
                    prop_assert!(version > state.applied);
                    state.applied = version;
                }
            }
            prop_assert_eq!(Some(state.applied.get()), versions.into_iter().max());
        }
    }
}
