//! Which of several records cannot be applied. Whoever fails while it is applied is known; what fails only with the whole
//! transaction is found by halving. Either way it is to blame only once it fails alone.

/// What is known of the next records.
#[derive(Debug, Default)]
pub(crate) enum Blame {
    #[default]
    Nobody,
    /// One of so many; once it was parked, perhaps none of those that are left.
    OneOf(usize),
    /// The one behind so many.
    Behind(usize),
}

impl Blame {
    /// How many to try next, where `count` would be tried if nothing was wrong.
    pub fn next(&self, count: usize) -> usize {
        match *self {
            Self::Nobody => count,
            Self::OneOf(suspects) => suspects.div_ceil(2),
            Self::Behind(others) => others.max(1),
        }
    }

    /// The next so many were applied, or parked.
    pub fn passed(&mut self, count: usize) {
        *self = match *self {
            Self::OneOf(suspects) if suspects > count => Self::OneOf(suspects - count),
            Self::Behind(others) if others > 0 => Self::Behind(others.saturating_sub(count)),
            _ => Self::Nobody,
        };
    }

    /// The next `count`, more than one, cannot be applied together; `at` is the place of the one that failed, if one did.
    pub fn failed(&mut self, count: usize, at: Option<usize>) {
        *self = at.map_or(Self::OneOf(count), Self::Behind);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Tries `all` records, of which some fail: at once, or (`false`) only with their transaction. Answers which failed alone
    /// and how many attempts it took.
    fn search(all: usize, together: usize, bad: &BTreeMap<usize, bool>) -> (Vec<usize>, usize) {
        let (mut blame, mut found, mut at, mut attempts) = (Blame::default(), Vec::new(), 0, 0);
        while at < all {
            let count = blame.next(together.min(all - at));
            attempts += 1;
            let failing = || bad.range(at..at + count);
            let at_once = failing().find(|(_, at_once)| **at_once).map(|(place, _)| place - at);
            if count > 1 && failing().next().is_some() {
                blame.failed(count, at_once);
                continue;
            }
            if bad.contains_key(&at) {
                found.push(at);
            }
            blame.passed(count);
            at += count;
        }
        (found, attempts)
    }

    proptest! {
        #[test]
        fn exactly_the_bad_ones_are_found_in_few_attempts(
            all in 1_usize..500,
            together in 1_usize..500,
            bad in prop::collection::btree_map(0_usize..500, any::<bool>(), 0..4),
        ) {
            let bad: BTreeMap<usize, bool> = bad.into_iter().filter(|(place, _)| *place < all).collect();
            let (found, attempts) = search(all, together, &bad);
            let halvings = usize::try_from(together.ilog2()).unwrap() + 2;
            prop_assert!(attempts <= all.div_ceil(together) + bad.len() * (2 * halvings + 3), "{attempts}");
            prop_assert_eq!(found, bad.into_keys().collect::<Vec<_>>());
        }

        #[test]
        fn one_that_fails_at_once_takes_three_attempts_more(
            all in 1_usize..500,
            together in 1_usize..500,
            place in 0_usize..500,
        ) {
            prop_assume!(place < all);
            let (found, attempts) = search(all, together, &BTreeMap::from([(place, true)]));
            prop_assert_eq!(found, vec![place]);
            prop_assert!(attempts <= all.div_ceil(together) + 3, "{attempts}");
        }
    }
}
