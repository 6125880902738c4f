//! Which of several records cannot be applied, found by halving: a transaction says only that one of them cannot.

/// What is known of the next records.
#[derive(Debug, Default)]
pub(crate) struct Halving {
    /// So many of them hold at least one that cannot be applied; 0 while nothing is known.
    suspects: usize,
}

impl Halving {
    /// How many to try next, where `count` would be tried if nothing was wrong.
    pub const fn of(&self, count: usize) -> usize {
        if self.suspects > 0 { self.suspects.div_ceil(2) } else { count }
    }

    /// The next so many were dealt with; it is among the others.
    pub const fn passed(&mut self, count: usize) {
        self.suspects = self.suspects.saturating_sub(count);
    }

    /// The next so many cannot be applied together. A single one is found.
    pub const fn failed(&mut self, count: usize) {
        self.suspects = if count == 1 { 0 } else { count };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exactly_the_bad_ones_are_found_in_few_attempts(
            all in 1_usize..500,
            together in 1_usize..500,
            bad in prop::collection::btree_set(0_usize..500, 0..4),
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|place| *place < all).collect();
            let (mut halving, mut found, mut at, mut attempts) = (Halving::default(), BTreeSet::new(), 0, 0);
            while at < all {
                let count = halving.of(together.min(all - at));
                attempts += 1;
                if bad.range(at..at + count).next().is_some() {
                    halving.failed(count);
                    if count > 1 {
                        continue;
                    }
                    found.insert(at);
                }
                halving.passed(count);
                at += count;
            }
            let halvings = usize::try_from(together.ilog2()).unwrap() + 2;
            prop_assert!(attempts <= all.div_ceil(together) + bad.len() * (2 * halvings + 1), "{attempts}");
            prop_assert_eq!(found, bad);
        }
    }
}
