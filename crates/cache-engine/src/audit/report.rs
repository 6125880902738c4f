//! What an audit found, counted by keyspace.

use std::collections::BTreeMap;

use cache_ports::keyspace::Keyspace;

use super::{Finding, Outcome, Pass, verdict::Mismatch};

/// Most findings kept with their keys; all are counted.
const MAX_FINDINGS: usize = 100;

/// The counts of one keyspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries that agree.
    pub agreed: u64,
    /// Entries that were not judged, by reason.
    pub passed: BTreeMap<Pass, u64>,
    /// Wrong entries by kind.
    pub wrong: BTreeMap<Mismatch, u64>,
    /// Wrong entries that were removed.
    pub repaired: u64,
}

impl Tally {
    /// Entries that were judged.
    pub fn checked(&self) -> u64 {
        self.agreed + self.mismatches()
    }

    /// Wrong entries.
    pub fn mismatches(&self) -> u64 {
        self.wrong.values().sum()
    }
}

/// What an audit found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The counts by keyspace, in the order of the registry.
    pub tallies: Vec<(&'static Keyspace, Tally)>,
    /// The first wrong entries.
    pub findings: Vec<Finding>,
}

impl Report {
    /// An empty report on these keyspaces.
    pub fn on(keyspaces: &[&'static Keyspace]) -> Self {
        let tallies = keyspaces.iter().map(|keyspace| (*keyspace, Tally::default())).collect();
        Self { tallies, findings: Vec::new() }
    }

    /// The counts of one keyspace.
    pub fn of(&self, keyspace: &Keyspace) -> Option<&Tally> {
        self.tallies.iter().find(|(known, _)| std::ptr::eq(*known, keyspace)).map(|(_, tally)| tally)
    }

    /// All wrong entries.
    pub fn mismatches(&self) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.mismatches()).sum()
    }

    /// Wrong entries that are still there.
    pub fn remaining(&self) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.mismatches() - tally.repaired).sum()
    }

    /// Entries that were judged.
    pub fn checked(&self) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.checked()).sum()
    }

    pub(super) fn note(&mut self, keyspace: &Keyspace, outcome: Outcome) {
        let Some((_, tally)) = self.tallies.iter_mut().find(|(known, _)| std::ptr::eq(*known, keyspace)) else {
            return;
        };
        match outcome {
            Outcome::Agrees => tally.agreed += 1,
            Outcome::Passed(why) => *tally.passed.entry(why).or_default() += 1,
            Outcome::Wrong(finding) => {
                *tally.wrong.entry(finding.kind).or_default() += 1;
                tally.repaired += u64::from(finding.repaired);
                if self.findings.len() < MAX_FINDINGS {
                    self.findings.push(finding);
                }
            }
            // Whoever holds the suspect looks again and notes that.
            Outcome::Suspect(_) => {}
        }
    }
}
