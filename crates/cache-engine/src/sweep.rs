//! The sweeper: removes versions that their object has left behind.
//!
//! Owns which keys may go: a superseded version, older than a bound, that nobody is loading. Their time to live would remove
//! them too; until then they keep out what is asked for. Must never remove the newest version, or hurry.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cache_ports::{
    LoadError, Witness,
    key::{self, ReadKey, Reading, Scope},
    keyspace::Keyspace,
};
use kernel::Version;
use metrics::counter;
use tokio::time::{Instant, sleep_until};

use crate::{
    frame::{self, Glance, Kind, glance},
    patience::patiently,
    scan::{Glimpse, KeyScan, Page, Position},
    store::StoreError,
};

/// Places one page of a walk looks at, and most keys removed at once.
const PAGE_STEPS: u32 = 200;

/// How the sweeper works.
#[derive(Debug, Clone, Copy)]
pub struct SweepRules {
    /// A younger entry is left alone: whoever asked for it may ask again.
    pub min_age: Duration,
    /// Most keys judged in a second.
    pub keys_per_sec: u32,
    /// Only counts.
    pub dry_run: bool,
}

/// See the module.
pub struct Sweeper {
    scan: Arc<dyn KeyScan>,
    witnesses: Vec<Witness>,
    rules: SweepRules,
}

/// What was swept of one keyspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Keys seen.
    pub seen: u64,
    /// Keys removed, or that would be.
    pub removed: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority did not answer: nothing is removed without it.
    #[error("the authority did not answer: {0}")]
    Authority(LoadError),
}

/// What to do with one key.
struct Candidate {
    key: String,
    read: ReadKey,
    version: Version,
    bytes: u64,
}

impl Sweeper {
    /// A sweeper of the keyspaces whose witnesses know newest versions.
    pub fn new(scan: Arc<dyn KeyScan>, witnesses: Vec<Witness>, rules: SweepRules) -> Self {
        let witnesses = witnesses.into_iter().filter(|it| it.keyspace().numbered_by().is_some() && it.knows_newest());
        Self { scan, witnesses: witnesses.collect(), rules }
    }

    /// What it sweeps.
    pub fn keyspaces(&self) -> impl Iterator<Item = &'static Keyspace> {
        self.witnesses.iter().map(Witness::keyspace)
    }

    /// Goes through everything once. `told` hears of each keyspace what was swept of it so far.
    pub async fn sweep(
        &self,
        mut told: impl FnMut(&'static Keyspace, Swept),
    ) -> Result<Vec<(&'static Keyspace, Swept)>, SweepError> {
        let mut all = Vec::new();
        for witness in &self.witnesses {
            let scope = Scope { keyspace: witness.keyspace(), tenant: None };
            let mut swept = Swept::default();
            let mut from = Some(Position::default());
            while let Some(position) = from.take() {
                let began = Instant::now();
                let page = patiently(|| self.scan.scan(&scope, position.clone(), PAGE_STEPS)).await?;
                let keys = u32::try_from(page.keys.len()).unwrap_or(u32::MAX);
                from.clone_from(&page.next);
                self.sweep_page(witness, page, &mut swept).await?;
                told(witness.keyspace(), swept);
                let pause = Duration::from_secs(1) * keys / self.rules.keys_per_sec.max(1);
                sleep_until(began + pause).await;
            }
            all.push((witness.keyspace(), swept));
        }
        Ok(all)
    }

    async fn sweep_page(&self, witness: &Witness, page: Page, swept: &mut Swept) -> Result<(), SweepError> {
        swept.seen += page.keys.len() as u64;
        let candidates = self.candidates(witness.keyspace(), page).await?;
        let mut newest: HashMap<String, Option<Version>> = HashMap::new();
        let mut leaving = Vec::new();
        for candidate in candidates {
            let object = object_of(&candidate);
            let newest = if let Some(known) = newest.get(&object) {
                *known
            } else {
                let asked = witness.newest(candidate.read.clone()).await.map_err(SweepError::Authority)?;
                newest.insert(object, asked);
                asked
            };
            // An object that does not exist has no newest version: what lies there is the auditor's business.
            if newest.is_some_and(|newest| candidate.version < newest) {
                leaving.push(candidate);
            }
        }
        self.remove(witness.keyspace(), leaving, swept).await
    }

    /// Values of the page that are old enough.
    async fn candidates(&self, keyspace: &'static Keyspace, page: Page) -> Result<Vec<Candidate>, StoreError> {
        if page.keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<&str> = page.keys.iter().map(String::as_str).collect();
        let glimpses = patiently(|| self.scan.glimpse(keyspace.workload, &keys)).await?;
        let candidate = |(key, glimpse): (String, Option<Glimpse>)| {
            let glimpse = glimpse.filter(|glimpse| is_old(glimpse, self.rules.min_age))?;
            let Some(Reading::Whole(read)) = key::read(keyspace, &key) else { return None };
            let version = Version::new(read.number(keyspace.numbered_by()?).ok()?);
            Some(Candidate { key, read, version, bytes: glimpse.len })
        };
        Ok(page.keys.into_iter().zip(glimpses).filter_map(candidate).collect())
    }

    async fn remove(
        &self,
        keyspace: &'static Keyspace,
        leaving: Vec<Candidate>,
        swept: &mut Swept,
    ) -> Result<(), SweepError> {
        if leaving.is_empty() {
            return Ok(());
        }
        let bytes: u64 = leaving.iter().map(|candidate| candidate.bytes).sum();
        let mut removed = leaving.len() as u64;
        if !self.rules.dry_run {
            let keys: Vec<&str> = leaving.iter().map(|candidate| candidate.key.as_str()).collect();
            removed = patiently(|| self.scan.unlink(keyspace.workload, &keys)).await?;
            counter!("cache_swept_keys_total", "keyspace" => keyspace.name).increment(removed);
            counter!("cache_swept_bytes_total", "keyspace" => keyspace.name).increment(bytes);
        }
        swept.removed += removed;
        swept.bytes += bytes;
        Ok(())
    }
}

/// The key without its version: the last segment.
fn object_of(candidate: &Candidate) -> String {
    candidate.key.rsplit_once(':').map_or("", |(object, _)| object).to_owned()
}

/// Whether it is a value whose fill lies back far enough.
fn is_old(glimpse: &Glimpse, min_age: Duration) -> bool {
    let is_value = matches!(glance(&glimpse.head), Glance::Ours(header) if header.kind == Kind::Value);
    let age = glimpse.remaining.and_then(|remaining| frame::age(&glimpse.head, remaining));
    is_value && age.is_some_and(|age| age >= min_age)
}
