//! A store that wraps a real one and lies by seed.
//!
//! Owns the lies, one a store, and how often each strikes; what is said instead of the truth is in `telling`, what had to be
//! remembered for it in `seen`. Every lie is something a Redis, its replica, its client or the network between them has done
//! to somebody. Must never lie unnoticed: each strike is counted, so that a test can tell a lie that never struck.

mod seen;
mod telling;
mod writes;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::oneshot;

use self::{seen::Seen, writes::Reply};
use super::Subject;
use crate::store::{ByteStore, StoreError, Stored};

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lie {
    /// Reads find nothing, ever.
    AlwaysMiss,
    /// Reads find what lay there before, with the life it had left: a replica far behind.
    OldValue,
    /// Reads find the same object under another version's key.
    AnotherVersion,
    /// Reads find another object of the tenant.
    AnotherId,
    /// Reads find the same kind of thing of another tenant.
    AnotherTenant,
    /// Reads find the beginning of a frame.
    Truncated,
    /// Reads find a frame with one bit flipped.
    Flipped,
    /// Writes are acknowledged and dropped.
    WritesDropped,
    /// Writes time out, and are executed some operations later.
    ExecutedLate,
    /// Writes are executed, and once more some operations later.
    ExecutedTwice,
    /// Two concurrent calls get each other's replies.
    RepliesSwapped,
    /// Answers take just less than the client's budget.
    Slow49,
    /// Answers take just more: executed, and the client has given up.
    Slow51,
    /// Executed half a second later, when nobody waits any more.
    Slow500,
    /// The connection breaks in the middle: executed, and an error.
    Reset,
    /// Scripts are unknown, and cannot be loaded either.
    NoScript,
    /// Writes are refused: a replica serves.
    ReadOnly,
    /// Everything is refused: it is loading its data.
    Loading,
    /// What needs memory is refused.
    OutOfMemory,
    /// Everything is refused: a script of somebody else's runs.
    Busy,
    /// Everything is forgotten, at random moments.
    Flush,
    /// The last writes are lost, at random moments: a replica was promoted.
    Failover,
    /// Half of the keys disappear, at random moments.
    EvictionStorm,
    /// A lock that is held is granted again.
    LockTwice,
    /// Rate counters start again.
    CounterReset,
    /// A lease that is held is granted again.
    LeaseTwice,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::AlwaysMiss,
        Self::OldValue,
        Self::AnotherVersion,
        Self::AnotherId,
        Self::AnotherTenant,
        Self::Truncated,
        Self::Flipped,
        Self::WritesDropped,
        Self::ExecutedLate,
        Self::ExecutedTwice,
        Self::RepliesSwapped,
        Self::Slow49,
        Self::Slow51,
        Self::Slow500,
        Self::Reset,
        Self::NoScript,
        Self::ReadOnly,
        Self::Loading,
        Self::OutOfMemory,
        Self::Busy,
        Self::Flush,
        Self::Failover,
        Self::EvictionStorm,
        Self::LockTwice,
        Self::CounterReset,
        Self::LeaseTwice,
    ];

    /// What it is called in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlwaysMiss => "always miss",
            Self::OldValue => "old value",
            Self::AnotherVersion => "another version's value",
            Self::AnotherId => "another id's value",
            Self::AnotherTenant => "another tenant's value",
            Self::Truncated => "truncated bytes",
            Self::Flipped => "flipped bit",
            Self::WritesDropped => "write acknowledged and dropped",
            Self::ExecutedLate => "write executed late",
            Self::ExecutedTwice => "write executed twice",
            Self::RepliesSwapped => "replies swapped",
            Self::Slow49 => "answer after 49 ms",
            Self::Slow51 => "answer after 51 ms",
            Self::Slow500 => "answer after 500 ms",
            Self::Reset => "connection reset in the middle",
            Self::NoScript => "NOSCRIPT",
            Self::ReadOnly => "READONLY",
            Self::Loading => "LOADING",
            Self::OutOfMemory => "OOM",
            Self::Busy => "BUSY",
            Self::Flush => "FLUSHALL at random moments",
            Self::Failover => "failover that loses the last writes",
            Self::EvictionStorm => "eviction storm",
            Self::LockTwice => "lock granted twice",
            Self::CounterReset => "rate counter reset",
            Self::LeaseTwice => "lease granted twice",
        }
    }

    /// Whether an acknowledged invalidation may be undone by it. No protocol of a cache alone can tell; such an old value is
    /// shown until its life ends, and only where the keyspace lets it be shown at all.
    pub const fn may_show_old(self) -> bool {
        matches!(self, Self::OldValue | Self::WritesDropped | Self::Failover)
    }

    /// How often it strikes, of a hundred chances.
    const fn odds(self) -> u8 {
        match self {
            Self::AlwaysMiss | Self::LockTwice | Self::CounterReset | Self::RepliesSwapped => 100,
            Self::Slow49 | Self::Slow51 | Self::Slow500 | Self::Flush | Self::EvictionStorm => 8,
            Self::Failover => 15,
            _ => 50,
        }
    }
}

/// See the module.
pub struct LyingStore {
    subject: Arc<dyn Subject>,
    honest: Arc<dyn ByteStore>,
    lie: Lie,
    dice: Mutex<fastrand::Rng>,
    seen: Mutex<Seen>,
    swap: Mutex<Swap>,
    asked: AtomicU64,
    struck: AtomicU64,
    bypassed: AtomicU64,
}

/// Calls that wait for somebody to swap replies with.
#[derive(Default)]
struct Swap {
    read: Option<Waiting<Result<Option<Stored>, StoreError>>>,
    write: Option<Waiting<Result<Reply, StoreError>>>,
}

/// One of them: the key it asked for, and where it takes the other's reply and leaves its own.
struct Waiting<R> {
    key: String,
    mine: R,
    take: oneshot::Sender<R>,
}

impl LyingStore {
    /// A store over `subject` that tells `lie`, as the dice of `seed` fall.
    pub fn over(subject: Arc<dyn Subject>, lie: Lie, seed: u64) -> Self {
        Self {
            honest: subject.store(),
            subject,
            lie,
            dice: Mutex::new(fastrand::Rng::with_seed(seed)),
            seen: Mutex::default(),
            swap: Mutex::default(),
            asked: AtomicU64::new(0),
            struck: AtomicU64::new(0),
            bypassed: AtomicU64::new(0),
        }
    }

    /// Which lie it tells.
    pub const fn lie(&self) -> Lie {
        self.lie
    }

    /// How many operations were asked of it.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many answers or keys were not what the honest store would have given.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    /// How many operations ended with an error, so that whoever asked went on without the store.
    pub fn bypassed(&self) -> u64 {
        self.bypassed.load(Ordering::Relaxed)
    }

    /// Whether the lie is told this time.
    fn falls(&self) -> bool {
        self.dice().u8(0..100) < self.lie.odds()
    }

    fn strike(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }

    fn dice(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap(&self) -> MutexGuard<'_, Swap> {
        self.swap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
