//! The hints of one engine: its outbox, the memories that are told, and the two tasks.
//!
//! Owns when the tasks begin and end: they end with the engine. Must never know what a memory holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kernel::Version;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    HintBus,
    following::Doubt,
    listening::Listener,
    message::{Epoch, KeyHash, PublisherId},
    publishing::Outbox,
};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// The memory of one keyspace, as far as hints reach it.
pub(crate) trait Told: Send + Sync {
    /// The keyspace's name.
    fn keyspace(&self) -> &'static str;
    /// Nothing older than `version` is acceptable for that key.
    fn apply(&self, key: KeyHash, version: Version, now_ms: u64);
    /// Anything may be old: everything goes, and nothing that is being read now is kept.
    fn flush(&self, why: Doubt);
    /// The memory may be used until then, in the engine's milliseconds.
    fn trust_until(&self, until_ms: u64, now_ms: u64);
    /// How it is doing.
    fn state(&self, now_ms: u64) -> MemoryState;
}

/// How the memory of one keyspace is doing, for the detail of a readiness check. One that is not trusted makes no process
/// unready: the store is asked instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryState {
    /// The keyspace's name.
    pub keyspace: &'static str,
    /// Whether it serves and keeps values now.
    pub trusted: bool,
    /// Hints that were applied to it.
    pub heard: u64,
    /// How often everything was dropped, by reason.
    pub flushes: BTreeMap<&'static str, u64>,
}

impl MemoryState {
    /// How often everything was dropped for that reason.
    pub fn flushes_for(&self, reason: &str) -> u64 {
        self.flushes.get(reason).copied().unwrap_or_default()
    }
}

/// See the module.
pub(crate) struct Hints {
    bus: Arc<dyn HintBus>,
    publisher: PublisherId,
    epoch: Epoch,
    outbox: Arc<Outbox>,
    began: Instant,
    tiers: Mutex<Vec<Arc<dyn Told>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Hints {
    pub(crate) fn new(bus: Arc<dyn HintBus>, publisher: PublisherId, began: Instant) -> Self {
        let epoch = Epoch::begin();
        let outbox = Outbox::new(publisher, epoch, began);
        Self { bus, publisher, epoch, outbox, began, tiers: Mutex::default(), tasks: Mutex::default() }
    }

    /// Tells a memory of hints, once the tasks have begun.
    pub(crate) fn tell(&self, tier: Arc<dyn Told>) {
        self.tiers.lock().unwrap_or_else(PoisonError::into_inner).push(tier);
    }

    /// Begins to publish, and to listen where there is a memory to be told.
    pub(crate) fn begin(&self) {
        let tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !tiers.is_empty() {
            let listener = Listener::new(self.publisher, self.epoch, tiers, self.began);
            tasks.push(tokio::spawn(listener.run(self.bus.subscribe())));
        }
        tasks.push(tokio::spawn(Arc::clone(&self.outbox).run(Arc::clone(&self.bus))));
    }

    /// Tells other processes that something changed.
    pub(crate) fn publish(&self, keyspace: &'static str, key: KeyHash, version: Version) {
        self.outbox.put(keyspace, key, version);
    }

    /// How the memories are doing.
    pub(crate) fn states(&self) -> Vec<MemoryState> {
        let now_ms = self.now_ms();
        let tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        tiers.iter().map(|tier| tier.state(now_ms)).collect()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ends the tasks after a farewell, so that nobody waits for this publisher's next beat.
    pub(crate) async fn leave(&self) {
        self.outbox.end();
        let publishing = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut publishing) = publishing {
            // If it cannot be sent in time, the others notice the silence.
            if tokio::time::timeout(FAREWELL, &mut publishing).await.is_err() {
                publishing.abort();
            }
        }
        self.abort();
        let now_ms = self.now_ms();
        for tier in self.tiers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            tier.trust_until(0, now_ms);
        }
    }

    fn abort(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.abort();
    }
}
