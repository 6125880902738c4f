//! Whether each key's versions came in order. Pure.
//!
//! Repetition is no disorder: a relay that starts over, a replay, an answer to a request deliver again what was there. A version
//! that first comes behind a higher one is, unless that one is delivered again behind it.

use std::collections::{BTreeMap, HashMap};

use kernel::Version;

/// First and last offset of each version, by key. All records of a key are in one partition.
#[derive(Debug, Default)]
pub(super) struct Sequences(HashMap<String, BTreeMap<Version, (i64, i64)>>);

impl Sequences {
    /// Notes that a version of `key` stands at `offset`, which is behind everything noted of the key before.
    pub fn note(&mut self, key: String, version: Version, offset: i64) {
        let at = self.0.entry(key).or_default().entry(version).or_insert((offset, offset));
        at.1 = offset;
    }

    /// The versions that came out of order, by name.
    pub fn inversions(&self) -> Vec<String> {
        let mut named: Vec<String> = self
            .0
            .iter()
            .flat_map(|(key, versions)| late(versions).map(move |version| format!("{key} version {version}")))
            .collect();
        named.sort();
        named
    }
}

fn late(versions: &BTreeMap<Version, (i64, i64)>) -> impl Iterator<Item = Version> + '_ {
    versions.iter().filter_map(|(version, (first, _))| {
        // Some higher version came before this one, and did not come again.
        let overtaken = versions.range(version.next()..).any(|(_, (_, last))| last < first);
        overtaken.then_some(*version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inversions(versions: &[u64]) -> usize {
        let mut sequences = Sequences::default();
        for (offset, version) in (0..).zip(versions) {
            sequences.note("k".to_owned(), Version::new(*version), offset);
        }
        sequences.inversions().len()
    }

    #[test]
    fn repetition_is_order_and_overtaking_is_not() {
        let table: [(&[u64], usize); 8] = [
            (&[1, 2, 3], 0),
            (&[1, 2, 3, 1, 2, 3], 0),
            // A replay of some.
            (&[1, 2, 3, 2], 0),
            // What was missing came later, with what follows it.
            (&[1, 3, 2, 3], 0),
            (&[1, 3, 2], 1),
            (&[3, 1, 2], 2),
            (&[1, 4, 2, 3, 4], 0),
            (&[1, 4, 2, 3], 2),
        ];
        for (versions, expected) in table {
            assert_eq!(inversions(versions), expected, "{versions:?}");
        }
    }
}
