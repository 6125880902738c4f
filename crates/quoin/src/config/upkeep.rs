//! How the cache is looked after: the sections `[audit]` and `[sweep]`.

use std::time::Duration;

use cache_engine::{audit::AuditRules, sweep::SweepRules};
use serde::Deserialize;

/// The auditor of `quoin work`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Whether it runs.
    pub enabled: bool,
    /// Time between two rounds, in milliseconds.
    pub interval_ms: u64,
    /// Entries of each keyspace looked at in a round.
    pub sample: usize,
    /// How long a value that events invalidate may lag, in milliseconds.
    pub grace_ms: u64,
    /// Whether wrong entries are removed.
    pub repair: bool,
}

impl Audit {
    /// Time between two rounds.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.max(1))
    }

    /// How it judges.
    pub const fn rules(&self) -> AuditRules {
        AuditRules { grace: Duration::from_millis(self.grace_ms), repair: self.repair }
    }
}

/// The comparison of outbox and log in `quoin work`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// Whether it runs.
    pub enabled: bool,
    /// Time between two rounds, in seconds.
    pub interval_secs: u64,
}

impl Reconcile {
    /// Time between two rounds.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_secs.max(1))
    }
}

/// The sweeper of `quoin work`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Whether it runs.
    pub enabled: bool,
    /// Time between the end of a sweep and the next one, in milliseconds.
    pub interval_ms: u64,
    /// Younger entries are left alone, in milliseconds.
    pub min_age_ms: u64,
    /// Most keys judged in a second.
    pub keys_per_sec: u32,
}

impl Sweep {
    /// Time between two sweeps.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.max(1))
    }

    /// How it works.
    pub const fn rules(&self, dry_run: bool) -> SweepRules {
        SweepRules { min_age: Duration::from_millis(self.min_age_ms), keys_per_sec: self.keys_per_sec, dry_run }
    }
}
