//! What was killed, and whether something took its place.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, ensure};
use fail_points::Step;

/// Why something died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It killed itself there.
    At(Step),
    /// A worker, from outside, at no step in particular.
    Worker,
    /// The process that answers, from outside.
    Serve,
    /// PostgreSQL, all of it.
    Postgres,
    /// Kafka.
    Kafka,
    /// A worker that broke down in native code, as Kafka's client does now and then when a broker returns (docs/proofs.md). Nobody
    /// struck, so it need not happen; what holds after a kill must hold after it.
    Breakdown,
}

impl Cause {
    /// Everything that must have died once.
    fn due() -> impl Iterator<Item = Self> {
        Step::ALL.into_iter().map(Self::At).chain([Self::Worker, Self::Serve, Self::Postgres, Self::Kafka])
    }

    /// Everything that may have.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::due().chain([Self::Breakdown])
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::At(step) => step.name(),
            Self::Worker => "a worker, from outside",
            Self::Serve => "the services, from outside",
            Self::Postgres => "PostgreSQL",
            Self::Kafka => "Kafka",
            Self::Breakdown => "a worker, broken down in native code",
        })
    }
}

/// Kills of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub killed: usize,
    /// How often its successor was seen at work.
    pub recovered: usize,
}

/// All kills.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<BTreeMap<Cause, Count>>,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<Cause, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It died.
    pub fn killed(&self, cause: Cause) {
        self.counts().entry(cause).or_default().killed += 1;
    }

    /// What took its place works.
    pub fn recovered(&self, cause: Cause) {
        self.counts().entry(cause).or_default().recovered += 1;
    }

    /// How often this was the cause.
    pub fn of(&self, cause: Cause) -> Count {
        self.counts().get(&cause).copied().unwrap_or_default()
    }

    /// All kills together.
    pub fn total(&self) -> Count {
        self.counts().values().fold(Count::default(), |sum, count| Count {
            killed: sum.killed + count.killed,
            recovered: sum.recovered + count.recovered,
        })
    }

    /// Causes of which there was no kill yet.
    pub fn missing(&self) -> Vec<Cause> {
        Cause::due().filter(|cause| self.of(*cause).killed == 0).collect()
    }

    /// Every cause struck, and everything came back.
    pub fn check(&self) -> Result<()> {
        let missing = self.missing();
        ensure!(missing.is_empty(), "nothing was killed: {missing:?}");
        for cause in Cause::all() {
            let Count { killed, recovered } = self.of(cause);
            ensure!(killed == recovered, "{cause}: {killed} kills, {recovered} recoveries");
        }
        Ok(())
    }
}
