//! Which keys are asked for most: a sample of the reads of each keyspace, in a summary of fixed size.
//!
//! Owns the sampling and the summary (Space-Saving: Metwally, Agrawal and El Abbadi, "Efficient computation of frequent and
//! top-k elements in data streams", 2005). What it says is for people who look for the reason of a load; nothing is decided by
//! it. Keys name tenants and ids, so only shares go into the metrics.

use std::sync::{Arc, Mutex, PoisonError};

use cache_ports::keyspace::Keyspace;
use metrics::{Gauge, gauge};

/// One read in so many is looked at.
const SAMPLED_EVERY: u32 = 64;
/// Keys of a keyspace that are remembered. A key with more than this part of the sample is always among them.
const REMEMBERED: usize = 64;
/// After so many looks all counts are halved: what was hot an hour ago gives way to what is hot now.
const HALVED_AFTER: u64 = 16_384;
/// Fewer looks say nothing.
const LEAST_LOOKS: u64 = 64;

/// A key that is asked for often.
#[derive(Debug, Clone, PartialEq)]
pub struct HotKey {
    /// Its keyspace.
    pub keyspace: &'static str,
    /// The key.
    pub key: String,
    /// Its share of the keyspace's reads in this process, from 0 to 1; estimated, never below its part of the sample.
    pub share: f64,
}

/// The hot keys of one keyspace.
pub(crate) struct HotKeys {
    keyspace: &'static str,
    summary: Mutex<Summary>,
    hottest_share: Gauge,
}

impl HotKeys {
    pub(crate) fn of(keyspace: &Keyspace) -> Self {
        let hottest_share = gauge!("cache_hottest_key_share", "keyspace" => keyspace.name);
        Self { keyspace: keyspace.name, summary: Mutex::default(), hottest_share }
    }

    /// A read of the key that `text` writes out. Most reads cost the throw of a die.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        if fastrand::u32(..SAMPLED_EVERY) == 0 {
            self.look(text());
        }
    }

    fn look(&self, key: String) {
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        summary.add(key);
        if let Some(share) = summary.greatest_share() {
            self.hottest_share.set(share);
        }
    }

    fn hottest(&self, most: usize) -> Vec<HotKey> {
        let summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |(key, share): (&str, f64)| HotKey { keyspace: self.keyspace, key: key.to_owned(), share };
        summary.hottest(most).into_iter().map(named).collect()
    }
}

/// The hot keys of all keyspaces that are read through.
#[derive(Default)]
pub(crate) struct AllHotKeys(Mutex<Vec<Arc<HotKeys>>>);

impl AllHotKeys {
    /// Those of one more keyspace.
    pub(crate) fn of(&self, keyspace: &Keyspace) -> Arc<HotKeys> {
        let hot_keys = Arc::new(HotKeys::of(keyspace));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&hot_keys));
        hot_keys
    }

    /// The hottest of each keyspace.
    pub(crate) fn hottest(&self, most: usize) -> Vec<HotKey> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().flat_map(|hot_keys| hot_keys.hottest(most)).collect()
    }
}

/// Counts that may be too high, and never too low, for the keys that were met most.
#[derive(Default)]
struct Summary {
    counts: Vec<(String, u64)>,
    looks: u64,
}

impl Summary {
    fn add(&mut self, key: String) {
        if self.looks == HALVED_AFTER {
            self.halve();
        }
        self.looks += 1;
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == key) {
            *count += 1;
        } else if self.counts.len() < REMEMBERED {
            self.counts.push((key, 1));
        } else if let Some(rarest) = self.counts.iter_mut().min_by_key(|(_, count)| *count) {
            // It may have been met as often before it was forgotten.
            *rarest = (key, rarest.1 + 1);
        }
    }

    fn halve(&mut self) {
        self.looks /= 2;
        for (_, count) in &mut self.counts {
            *count = count.div_ceil(2);
        }
    }

    /// The part of the looks that a count is; `None` while there are too few of them.
    fn share(&self, count: u64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^15")]
        let share = (count as f64 / self.looks as f64).min(1.0);
        (self.looks >= LEAST_LOOKS).then_some(share)
    }

    /// The share of the hottest key.
    fn greatest_share(&self) -> Option<f64> {
        self.share(self.counts.iter().map(|(_, count)| *count).max()?)
    }

    /// The keys with the highest counts and their shares, the highest first.
    fn hottest(&self, most: usize) -> Vec<(&str, f64)> {
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        counts.into_iter().take(most).filter_map(|(key, count)| Some((key.as_str(), self.share(*count)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The promise of the summary, for streams it has not halved: no count is too low, none is too high by more than the
        /// looks over the places, and what is frequent enough is there.
        #[test]
        fn what_is_frequent_is_remembered_and_its_count_is_bounded(
            stream in prop::collection::vec(prop_oneof![3 => 0_u32..4, 1 => 0_u32..5_000], 64..4_000)
        ) {
            let (mut summary, mut truth) = (Summary::default(), BTreeMap::<String, u64>::new());
            for key in stream {
                *truth.entry(key.to_string()).or_default() += 1;
                summary.add(key.to_string());
            }
            let slack = summary.looks / REMEMBERED as u64;
            for (key, count) in &summary.counts {
                prop_assert!(*count >= truth[key] && *count <= truth[key] + slack, "{key}: {count}, truly {}", truth[key]);
            }
            for (key, count) in truth.iter().filter(|(_, count)| **count > slack) {
                prop_assert!(summary.counts.iter().any(|(known, _)| known == key), "{key}, met {count} times, is missing");
            }
        }
    }

    #[test]
    fn what_was_hot_gives_way_to_what_is_hot() {
        let mut summary = Summary::default();
        (0..HALVED_AFTER).for_each(|_| summary.add("yesterday".into()));
        (0..HALVED_AFTER).for_each(|_| summary.add("today".into()));
        let hottest = summary.hottest(2);
        assert_eq!(hottest.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["today", "yesterday"]);
        assert!(hottest[0].1 > 0.6, "{hottest:?}");
    }

    #[test]
    fn a_few_looks_say_nothing() {
        let mut summary = Summary::default();
        (1..LEAST_LOOKS).for_each(|_| summary.add("only".into()));
        assert_eq!(summary.hottest(1), []);
        summary.add("only".into());
        assert_eq!(summary.hottest(1), [("only", 1.0)]);
    }
}
