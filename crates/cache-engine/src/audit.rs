//! The auditor: whether what lies in the cache is what the authority says, as a number and not as a belief.
//!
//! Owns looking at one entry, looking again after the grace period, and repair. What an entry is worth is decided in
//! [`verdict`]; how many are looked at, in [`patrol`] and [`inspection`]. Must never serve anybody: nothing waits for it, and
//! the worst a mistake of its own can do is one more miss.

pub mod difference;
pub mod inspection;
mod meters;
pub mod patrol;
mod repair;
pub mod report;
pub mod verdict;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cache_ports::{
    Truth, Witness,
    key::{self, ReadKey, Reading, Scope},
    keyspace::Keyspace,
};
use kernel::Version;
use tokio::time::{Instant, timeout};

use crate::{
    scan::{KeyScan, Page, Position},
    store::{ByteStore, Place, StoreError, Stored},
};
use difference::{FieldDifference, Salt, differences};
use meters::Meters;
use verdict::{Alone, Beside, Entry, Mismatch};

/// How long the authority may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Places one page of a walk looks at.
pub(crate) const PAGE_STEPS: u32 = 500;

/// How the auditor judges.
#[derive(Debug, Clone, Copy)]
pub struct AuditRules {
    /// How long a value that events invalidate may lag behind the authority.
    pub grace: Duration,
    /// Whether a wrong entry is removed.
    pub repair: bool,
}

/// See the module.
pub struct Auditor {
    store: Arc<dyn ByteStore>,
    scan: Arc<dyn KeyScan>,
    keyspaces: Vec<&'static Keyspace>,
    witnesses: Vec<Witness>,
    rules: AuditRules,
    salt: Salt,
    meters: BTreeMap<&'static str, Meters>,
}

/// What came of looking at a key.
#[derive(Debug)]
pub enum Outcome {
    /// The entry agrees with the authority, or is sound where nothing can be compared.
    Agrees,
    /// It cannot be judged.
    Passed(Pass),
    /// It is wrong.
    Wrong(Finding),
    /// It differs, and lag may explain it: to be looked at again.
    Suspect(Suspect),
}

/// Why an entry was not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pass {
    /// It was gone when it was looked at.
    Gone,
    /// It says nothing: a tombstone, a lease, or something another version of the program wrote.
    Silent,
    /// Its object has moved on to another key.
    Superseded,
    /// Its key holds the hash of a text instead of the text.
    Hashed,
    /// Another service knows about it.
    NotOurs,
    /// The authority did not answer.
    NoAnswer,
}

impl Pass {
    /// Its word in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Silent => "silent",
            Self::Superseded => "superseded",
            Self::Hashed => "hashed_dimension",
            Self::NotOurs => "not_ours",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// A wrong entry.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its keyspace.
    pub keyspace: &'static Keyspace,
    /// Its key.
    pub key: String,
    /// How it is wrong.
    pub kind: Mismatch,
    /// The version it carries, where that can be read.
    pub version: Option<Version>,
    /// The version of the authority, where there is one.
    pub authority: Option<Version>,
    /// Time since its fill, where that can be read: the longest it can have been wrong.
    pub age: Option<Duration>,
    /// Where the contents differ.
    pub fields: Vec<FieldDifference>,
    /// Whether it was removed.
    pub repaired: bool,
}

/// An entry to be looked at again.
#[derive(Debug, Clone)]
pub struct Suspect {
    keyspace: &'static Keyspace,
    key: String,
    /// What the authority had at the first look.
    truth: Option<Version>,
    first_look: Instant,
    /// From then on lag is no excuse.
    pub due: Instant,
}

/// An entry and the truth, both as they are now.
enum Seen {
    Agrees,
    Passed(Pass),
    Wrong(Wrong, Stored),
}

struct Wrong {
    kind: Mismatch,
    entry: Option<Entry>,
    truth: Option<Truth>,
}

impl Wrong {
    fn version(&self) -> Option<Version> {
        self.entry.as_ref().map(|entry| entry.version)
    }

    fn authority(&self) -> Option<Version> {
        match self.truth {
            Some(Truth::Found { version, .. }) => Some(version),
            Some(Truth::Absent) | None => None,
        }
    }
}

impl Auditor {
    /// An auditor of `keyspaces` over one store. Of the keyspaces that are compared it judges the keys that a witness covers.
    /// Build it after the metrics recorder is installed.
    pub fn new(
        store: Arc<dyn ByteStore>,
        scan: Arc<dyn KeyScan>,
        keyspaces: Vec<&'static Keyspace>,
        witnesses: Vec<Witness>,
        rules: AuditRules,
    ) -> Self {
        let meters = keyspaces.iter().map(|keyspace| (keyspace.name, Meters::of(keyspace))).collect();
        Self { store, scan, keyspaces, witnesses, rules, salt: Salt::unique(), meters }
    }

    /// What it audits.
    pub fn keyspaces(&self) -> &[&'static Keyspace] {
        &self.keyspaces
    }

    /// A few live keys in `scope`, from a position of an earlier page on.
    pub async fn page(&self, scope: &Scope<'_>, from: Position) -> Result<Page, StoreError> {
        self.scan.scan(scope, from, PAGE_STEPS).await
    }

    /// Looks at what lies under a key.
    pub async fn look(&self, keyspace: &'static Keyspace, key: &str) -> Result<Outcome, StoreError> {
        let (wrong, stored) = match self.see(keyspace, key).await? {
            Seen::Agrees => return Ok(self.agreed(keyspace, Duration::ZERO)),
            Seen::Passed(why) => return Ok(self.passed(keyspace, why)),
            Seen::Wrong(wrong, stored) => (wrong, stored),
        };
        let at_once = match (&wrong.truth, &wrong.entry) {
            (Some(_), Some(entry)) => verdict::counts_at_once(keyspace, entry.age, self.rules.grace),
            // What is wrong by itself does not become right by waiting.
            _ => true,
        };
        if at_once {
            return Ok(Outcome::Wrong(self.condemn(keyspace, key, wrong, &stored).await));
        }
        let first_look = Instant::now();
        let due = first_look + self.rules.grace;
        Ok(Outcome::Suspect(Suspect { keyspace, key: key.to_owned(), truth: wrong.authority(), first_look, due }))
    }

    /// Looks again at what differed before the grace period. Never answers with a suspect.
    pub async fn look_again(&self, suspect: &Suspect) -> Result<Outcome, StoreError> {
        let Suspect { keyspace, key, .. } = suspect;
        let lagged = suspect.first_look.elapsed();
        match self.see(keyspace, key).await? {
            Seen::Agrees => Ok(self.agreed(keyspace, lagged)),
            Seen::Passed(why) => Ok(self.passed(keyspace, why)),
            Seen::Wrong(wrong, stored) => {
                if verdict::persists(suspect.truth, wrong.kind, wrong.version().unwrap_or_default()) {
                    Ok(Outcome::Wrong(self.condemn(keyspace, key, wrong, &stored).await))
                } else {
                    Ok(self.agreed(keyspace, lagged))
                }
            }
        }
    }

    async fn see(&self, keyspace: &'static Keyspace, key: &str) -> Result<Seen, StoreError> {
        let witness = match self.witness(keyspace, key) {
            Ok(witness) => witness,
            Err(why) => return Ok(Seen::Passed(why)),
        };
        let at = Place { workload: keyspace.workload, key };
        let Some(stored) = self.store.examine(at).await? else { return Ok(Seen::Passed(Pass::Gone)) };
        let entry = match verdict::alone(keyspace, key, &stored) {
            Alone::Sound(entry) => entry,
            Alone::Silent => return Ok(Seen::Passed(Pass::Silent)),
            Alone::Wrong(kind) => return Ok(Seen::Wrong(Wrong { kind, entry: None, truth: None }, stored)),
        };
        let Some((witness, read)) = witness else { return Ok(Seen::Agrees) };
        let numbered = keyspace.numbered_by().and_then(|dimension| read.number(dimension).ok()).map(Version::new);
        let truth = match timeout(ANSWER_TIMEOUT, witness.truth(read)).await {
            Ok(Ok(truth)) => truth,
            Ok(Err(error)) => {
                tracing::debug!(keyspace = keyspace.name, %error, "the authority did not answer the auditor");
                return Ok(Seen::Passed(Pass::NoAnswer));
            }
            Err(_) => return Ok(Seen::Passed(Pass::NoAnswer)),
        };
        Ok(match verdict::beside(keyspace, &entry, numbered, &truth) {
            Beside::Agrees => Seen::Agrees,
            Beside::Superseded => Seen::Passed(Pass::Superseded),
            Beside::Differs(kind) => Seen::Wrong(Wrong { kind, entry: Some(entry), truth: Some(truth) }, stored),
        })
    }

    /// Who knows what `key` should hold; `None` where an entry is judged alone.
    fn witness(&self, keyspace: &'static Keyspace, key: &str) -> Result<Option<(&Witness, ReadKey)>, Pass> {
        let read = match key::read(keyspace, key) {
            Some(Reading::Whole(read)) => read,
            Some(Reading::Hashed { .. }) => return Err(Pass::Hashed),
            None => return Err(Pass::NotOurs),
        };
        if !keyspace.audit.asks_the_authority() {
            return Ok(None);
        }
        let knows = |witness: &&Witness| std::ptr::eq(witness.keyspace(), keyspace) && witness.covers(&read);
        match self.witnesses.iter().find(knows) {
            Some(witness) => Ok(Some((witness, read))),
            None => Err(Pass::NotOurs),
        }
    }

    fn agreed(&self, keyspace: &Keyspace, lagged: Duration) -> Outcome {
        if let Some(meters) = self.meters.get(keyspace.name) {
            meters.agreed(lagged);
        }
        Outcome::Agrees
    }

    fn passed(&self, keyspace: &Keyspace, why: Pass) -> Outcome {
        if let Some(meters) = self.meters.get(keyspace.name) {
            meters.passed(why);
        }
        Outcome::Passed(why)
    }

    /// Counts, tells and, where that is wanted, removes a wrong entry.
    async fn condemn(&self, keyspace: &'static Keyspace, key: &str, wrong: Wrong, stored: &Stored) -> Finding {
        let fields = match (&wrong.entry, &wrong.truth) {
            (Some(Entry { payload: Some(cached), .. }), Some(Truth::Found { payload, .. })) => {
                differences(&self.salt, cached, payload)
            }
            _ => Vec::new(),
        };
        let repaired = self.rules.repair && self.repair(keyspace, key, &wrong, stored).await;
        let finding = Finding {
            keyspace,
            key: key.to_owned(),
            kind: wrong.kind,
            version: wrong.version(),
            authority: wrong.authority(),
            age: wrong.entry.as_ref().map(|entry| entry.age),
            fields,
            repaired,
        };
        if let Some(meters) = self.meters.get(keyspace.name) {
            meters.wrong(&finding);
        }
        tell(&finding);
        finding
    }
}

/// Once, where the auditor is the boundary. Paths and salted hashes only, never a value.
fn tell(finding: &Finding) {
    let fields: Vec<&str> = finding.fields.iter().map(|field| field.path.as_str()).collect();
    tracing::warn!(
        keyspace = finding.keyspace.name,
        kind = finding.kind.as_str(),
        key = finding.key,
        version = finding.version.map(Version::get),
        authority_version = finding.authority.map(Version::get),
        age_secs = finding.age.map(|age| age.as_secs()),
        ?fields,
        repaired = finding.repaired,
        "a cached entry does not agree with its authority"
    );
}
