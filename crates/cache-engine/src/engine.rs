//! The engine: one store, one configuration, all ports.
//!
//! Owns the wiring. Must never know which store it was given.

use std::sync::Arc;

use cache_ports::Caches;
use kernel::{SharedClock, SystemClock};
use tokio::time::Instant;

use crate::{ports, store::ByteStore};

/// What can be chosen. Everything else is said by the keyspaces.
#[derive(Clone)]
pub struct EngineConfig {
    /// Whether keyspaces that allow it are kept in this process's memory.
    pub in_memory: bool,
    /// The wall clock that stamps values for people to read. Lifetimes never depend on it.
    pub clock: SharedClock,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { in_memory: true, clock: Arc::new(SystemClock) }
    }
}

/// All ports over one store. Build it after the metrics recorder is installed, because counters bind to the recorder
/// they find; use it inside a Tokio runtime, because loads run as tasks of their own.
#[derive(Clone)]
pub struct Engine {
    caches: Caches,
}

/// What every port shares.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn ByteStore>,
    pub(crate) config: EngineConfig,
    began: Instant,
}

impl Core {
    /// Milliseconds since the engine was built, by a clock that never goes back.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Engine {
    /// An engine over `store`.
    pub fn new(store: Arc<dyn ByteStore>, config: EngineConfig) -> Self {
        let core = Arc::new(Core { store, config, began: Instant::now() });
        Self { caches: ports::all(&core) }
    }

    /// The ports, for services.
    pub fn caches(&self) -> Caches {
        self.caches.clone()
    }
}
