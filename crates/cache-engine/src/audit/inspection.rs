//! The inspection: one audit from beginning to end, of a sample or of everything.
//!
//! Owns choosing the entries and waiting out the grace period once for all suspects. Must never keep more than a sample's
//! keys in memory.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use cache_ports::{key::Scope, keyspace::Keyspace};
use kernel::TenantId;
use tokio::time::sleep_until;

use super::{Auditor, Outcome, Suspect, report::Report};
use crate::{patience::patiently, scan::Position, store::StoreError};

/// How many entries of each keyspace are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many, each live key with the same chance.
    Sample(usize),
    /// All.
    All,
}

/// How far an inspection is.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// Of this keyspace so many entries are to be looked at, as far as is known.
    Found(&'static Keyspace, usize),
    /// Another entry of this keyspace was looked at.
    Looked(&'static Keyspace),
    /// So many entries differ, and are looked at again after the grace period.
    Waiting(usize),
}

impl Auditor {
    /// Looks at entries of the given keyspaces, of one tenant or of all, and again at those that lag could explain.
    pub async fn inspect(
        &self,
        keyspaces: &[&'static Keyspace],
        tenant: Option<&TenantId>,
        extent: Extent,
        mut told: impl FnMut(Stage),
    ) -> Result<Report, StoreError> {
        let mut report = Report::on(keyspaces);
        let mut suspects = Vec::new();
        for keyspace in keyspaces {
            let scope = Scope { keyspace, tenant };
            match extent {
                Extent::Sample(size) => {
                    let chosen = self.choose(&scope, size).await?;
                    self.look_at(keyspace, chosen, &mut report, &mut suspects, &mut told).await?;
                }
                Extent::All => self.look_at_all(&scope, &mut report, &mut suspects, &mut told).await?,
            }
        }
        if let Some(last) = suspects.iter().map(|suspect: &Suspect| suspect.due).max() {
            told(Stage::Waiting(suspects.len()));
            sleep_until(last).await;
        }
        for suspect in suspects {
            let outcome = patiently(|| self.look_again(&suspect)).await?;
            report.note(suspect.keyspace, outcome);
        }
        Ok(report)
    }

    async fn look_at(
        &self,
        keyspace: &'static Keyspace,
        keys: Vec<String>,
        report: &mut Report,
        suspects: &mut Vec<Suspect>,
        told: &mut impl FnMut(Stage),
    ) -> Result<(), StoreError> {
        told(Stage::Found(keyspace, keys.len()));
        for key in keys {
            match patiently(|| self.look(keyspace, &key)).await? {
                Outcome::Suspect(suspect) => suspects.push(suspect),
                settled => report.note(keyspace, settled),
            }
            told(Stage::Looked(keyspace));
        }
        Ok(())
    }

    async fn look_at_all(
        &self,
        scope: &Scope<'_>,
        report: &mut Report,
        suspects: &mut Vec<Suspect>,
        told: &mut impl FnMut(Stage),
    ) -> Result<(), StoreError> {
        let mut seen = Seen::default();
        let mut from = Some(Position::default());
        while let Some(position) = from {
            let mut page = patiently(|| self.page(scope, position.clone())).await?;
            page.keys.retain(|key| seen.is_new(key));
            self.look_at(scope.keyspace, page.keys, report, suspects, told).await?;
            from = page.next;
        }
        Ok(())
    }

    /// A sample of the live keys (reservoir sampling): one walk over all of them, of which `size` are kept.
    async fn choose(&self, scope: &Scope<'_>, size: usize) -> Result<Vec<String>, StoreError> {
        let (mut chosen, mut seen, mut met) = (Vec::new(), Seen::default(), 0_usize);
        let mut from = Some(Position::default());
        while let Some(position) = from {
            let page = patiently(|| self.page(scope, position.clone())).await?;
            for key in page.keys.into_iter().filter(|key| seen.is_new(key)) {
                met += 1;
                if chosen.len() < size {
                    chosen.push(key);
                } else if let Some(place) = chosen.get_mut(fastrand::usize(..met)) {
                    *place = key;
                }
            }
            from = page.next;
        }
        Ok(chosen)
    }
}

/// Which keys a walk has met: it may return one twice. Eight bytes a key; that two keys have one hash costs one look.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    fn is_new(&mut self, key: &str) -> bool {
        self.hashes.insert(self.hasher.hash_one(key))
    }
}
