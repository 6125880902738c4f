//! The engine: one store, one configuration, all ports.
//!
//! Owns the wiring. Must never know which store it was given.

use std::sync::Arc;

use cache_ports::Caches;
use kernel::{SharedClock, SystemClock};
use tokio::time::Instant;

use crate::{
    guards::Guards,
    hints::{HintBus, Hints, MemoryState, PublisherId},
    hot_keys::{AllHotKeys, HotKey},
    ports,
    store::ByteStore,
};

/// What can be chosen. Everything else is said by the keyspaces.
#[derive(Clone)]
pub struct EngineConfig {
    /// Whether keyspaces that allow it are kept in this process's memory.
    pub in_memory: bool,
    /// The wall clock that stamps values for people to read. Lifetimes never depend on it.
    pub clock: SharedClock,
    /// How processes tell each other what changed. Without it, what may change is not kept in memory.
    pub hints: Option<Arc<dyn HintBus>>,
    /// Whom the hints are from.
    pub publisher: PublisherId,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { in_memory: true, clock: Arc::new(SystemClock), hints: None, publisher: PublisherId::unique() }
    }
}

/// All ports over one store. Build it after the metrics recorder is installed, because counters bind to the recorder
/// they find; use it inside a Tokio runtime, because loads and hints run as tasks of their own. The tasks of hints end when the
/// last port is dropped.
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
    caches: Caches,
}

/// What every port shares.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn ByteStore>,
    pub(crate) config: EngineConfig,
    pub(crate) hints: Option<Hints>,
    pub(crate) guards: Guards,
    pub(crate) hot_keys: AllHotKeys,
    began: Instant,
}

impl Core {
    pub(crate) fn new(guards: Guards, store: Arc<dyn ByteStore>, config: EngineConfig) -> Self {
        let began = Instant::now();
        let hints = config.hints.clone().map(|bus| Hints::new(bus, config.publisher, began));
        Self { store, config, hints, guards, hot_keys: AllHotKeys::default(), began }
    }

    /// Milliseconds since the engine was built, by a clock that never goes back.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Engine {
    /// An engine over `store`.
    pub fn new(store: Arc<dyn ByteStore>, config: EngineConfig) -> Self {
        Self::guarded_by(Guards::ALL, store, config)
    }

    /// An engine with a guard switched off; only to see that somebody notices.
    #[cfg(feature = "contract-suite")]
    pub fn with_guards(guards: Guards, store: Arc<dyn ByteStore>, config: EngineConfig) -> Self {
        Self::guarded_by(guards, store, config)
    }

    fn guarded_by(guards: Guards, store: Arc<dyn ByteStore>, config: EngineConfig) -> Self {
        let core = Arc::new(Core::new(guards, store, config));
        let caches = ports::all(&core);
        if let Some(hints) = &core.hints {
            hints.begin();
        }
        Self { core, caches }
    }

    /// How the memories that hints reach are doing.
    pub fn memories(&self) -> Vec<MemoryState> {
        self.core.hints.as_ref().map(Hints::states).unwrap_or_default()
    }

    /// The keys this process is asked for most, so many of each keyspace; estimated from a sample. They name tenants and ids: not
    /// for metrics, and for nobody outside.
    pub fn hot_keys(&self, most: usize) -> Vec<HotKey> {
        self.core.hot_keys.hottest(most)
    }

    /// Says goodbye to the other processes, before this one ends. Not needed for anything to stay right: without it they notice
    /// the silence.
    pub async fn leave(&self) {
        if let Some(hints) = &self.core.hints {
            hints.leave().await;
        }
    }

    /// The ports, for services.
    pub fn caches(&self) -> Caches {
        self.caches.clone()
    }
}
