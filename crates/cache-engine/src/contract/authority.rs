//! The authority of a case: says what it is told to, and counts how often it is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_ports::{Loaded, Loading};
use kernel::Version;
use tokio::sync::Semaphore;

/// See the module. Clones are the same authority.
#[derive(Clone)]
pub struct Authority {
    version: Arc<AtomicU64>,
    asked: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    manner: Manner,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    AfterAWhile,
    AfterOthers,
    Fails,
    Panics,
}

/// The authority could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the authority is away")]
pub struct Away;

const OPEN: usize = 1 << 20;

impl Authority {
    /// Has the object in this version.
    pub fn with(version: u64) -> Self {
        Self {
            version: Arc::new(AtomicU64::new(version)),
            asked: Arc::default(),
            gate: Arc::new(Semaphore::new(OPEN)),
            manner: Manner::Answers,
        }
    }

    /// Has no such object.
    pub fn without() -> Self {
        Self::with(0)
    }

    /// Reads first and answers only when told to.
    pub fn gated(version: u64) -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), ..Self::with(version) }
    }

    /// Takes as long as a slow query.
    pub fn slow(version: u64) -> Self {
        Self { manner: Manner::AfterAWhile, ..Self::with(version) }
    }

    /// Answers after others had their turn, so that loads overlap.
    pub fn yielding(version: u64) -> Self {
        Self { manner: Manner::AfterOthers, ..Self::with(version) }
    }

    /// Cannot be asked.
    pub fn failing() -> Self {
        Self { manner: Manner::Fails, ..Self::with(1) }
    }

    /// Breaks.
    pub fn panicking() -> Self {
        Self { manner: Manner::Panics, ..Self::with(1) }
    }

    /// The object changes.
    pub fn commit(&self, version: u64) {
        self.version.store(version, Ordering::SeqCst);
    }

    /// Lets the answers of a gated authority out.
    pub fn open(&self) {
        self.gate.add_permits(OPEN);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it has been asked.
    pub async fn until_asked(&self) {
        super::until("a question to the authority", async || self.asked() > 0).await;
    }

    /// A loader that asks it.
    pub fn load<T, M>(&self, make: M) -> impl Fn() -> Loading<T> + Send + Sync + use<T, M>
    where
        T: Send + 'static,
        M: Fn(Version) -> T + Send + Sync + 'static,
    {
        let authority = self.clone();
        let make = Arc::new(make);
        move || {
            let (authority, make) = (authority.clone(), Arc::clone(&make));
            Box::pin(async move {
                // The row is read first; what happens afterwards no longer changes the answer.
                let version = Version::new(authority.version.load(Ordering::SeqCst));
                authority.asked.fetch_add(1, Ordering::SeqCst);
                authority.wait().await?;
                Ok(if version == Version::ZERO {
                    Loaded::Absent
                } else {
                    Loaded::Found { value: make(version), version }
                })
            })
        }
    }

    async fn wait(&self) -> Result<(), Away> {
        match self.manner {
            Manner::Answers => {
                self.gate.acquire().await.map_err(|_| Away)?.forget();
                Ok(())
            }
            Manner::AfterAWhile => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(())
            }
            Manner::AfterOthers => {
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Manner::Fails => Err(Away),
            Manner::Panics => panic!("the authority breaks, as this case wants"),
        }
    }
}
