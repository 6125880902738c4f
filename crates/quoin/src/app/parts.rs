//! What all services of a process share.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use cache_engine::{
    ByteStore, Engine, EngineConfig, HotKey, KeyScan, MemoryStore, NoStore,
    hints::{HintBus, LocalHints, MemoryState},
};
use cache_ports::Caches;
use cache_redis::{PoolState, RedisHints, RedisStore};
use chrono::{DateTime, Utc};
use events::{InProcessBus, Publisher, Source};
use events_kafka::{KafkaPublisher, KafkaSource};
use kernel::{SharedClock, SystemClock};
use serde_json::{Value, json};
use service_runtime::{
    CursorSigner, Health, Limits, OutboxHint, ServiceParts, ServiceState, auth::Identity, pool, warm_pool,
};
use sqlx::PgPool;

use super::limits;
use crate::{
    config::{Cache, CacheBackend, Config, Duty},
    services::Service,
};

/// The log of facts behind the events' ports.
#[derive(Clone)]
pub enum Log {
    /// Kafka.
    Kafka {
        /// `host:port,…`.
        brokers: String,
        /// Before every topic.
        prefix: String,
    },
    /// This process's memory.
    InProcess(InProcessBus),
}

impl Log {
    /// What the configuration says.
    pub fn of(config: &Config) -> Self {
        let kafka = &config.kafka;
        if kafka.brokers.is_empty() {
            return Self::InProcess(InProcessBus::new());
        }
        Self::Kafka { brokers: kafka.brokers.clone(), prefix: kafka.topic_prefix.clone() }
    }

    /// A writer.
    pub fn publisher(&self) -> anyhow::Result<Arc<dyn Publisher>> {
        Ok(match self {
            Self::Kafka { brokers, prefix } => Arc::new(KafkaPublisher::new(brokers, prefix)?),
            Self::InProcess(bus) => Arc::new(bus.clone()),
        })
    }

    /// A reader for one consumer.
    pub fn source(&self, consumer: &str) -> anyhow::Result<Box<dyn Source>> {
        Ok(match self {
            Self::Kafka { brokers, prefix } => Box::new(KafkaSource::new(brokers, prefix, consumer)?),
            Self::InProcess(bus) => bus.source(),
        })
    }
}

/// The one store behind the caches, by what it can do.
#[derive(Clone)]
pub struct Stores {
    /// Keeping values.
    pub bytes: Arc<dyn ByteStore>,
    /// Being walked over.
    pub scan: Arc<dyn KeyScan>,
}

impl Stores {
    /// Both sides of one store.
    pub fn of<S: ByteStore + KeyScan + 'static>(store: Arc<S>) -> Self {
        Self { bytes: store.clone(), scan: store }
    }
}

/// What all services of a process share.
pub struct Parts {
    /// What the process was told.
    pub config: Config,
    /// Whom it believes, and how it speaks for itself.
    pub identity: Identity,
    /// The cache ports.
    pub caches: Caches,
    /// What stands behind them.
    pub engine: Engine,
    /// The store behind them, for those who look after it.
    pub stores: Stores,
    /// The log of facts.
    pub log: Log,
    /// What it says about itself.
    pub health: Health,
    clock: SharedClock,
    limits: Limits,
    cursors: CursorSigner,
    hints: BTreeMap<Service, OutboxHint>,
}

impl Parts {
    /// The time of the process's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Puts them together; nothing is connected yet, so a process starts while servers are away.
    pub async fn new(config: Config, log: Log) -> anyhow::Result<Self> {
        let health = Health::new();
        let (stores, hints) = stores(&config.cache, &health)?;
        let clock: SharedClock = Arc::new(SystemClock);
        let engine = EngineConfig { in_memory: config.cache.l1, clock, hints, ..EngineConfig::default() };
        let engine = Engine::new(stores.bytes.clone(), engine);
        Self::over(config, log, engine, stores, health).await
    }

    /// The same over an engine that is made already, whatever the configuration says of the store behind it; `stores` are for
    /// those who look after it.
    pub async fn over(
        config: Config,
        log: Log,
        engine: Engine,
        stores: Stores,
        health: Health,
    ) -> anyhow::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let identity =
            Identity::from_config(&config.runtime.auth, clock.clone()).await.context("no usable identity")?;
        let cursors = CursorSigner::from_config(&config.runtime.cursors);
        let shown = engine.clone();
        health.shows("memory", Arc::new(move || memories(&shown)));
        let shown = engine.clone();
        health.shows("hotKeys", Arc::new(move || hot_keys(&shown)));
        Ok(Self {
            identity,
            caches: engine.caches(),
            engine,
            stores,
            log,
            health,
            clock,
            limits: limits::in_force(&config.runtime.limits)?,
            cursors: cursors.map_err(|_| anyhow::anyhow!("the system gives no randomness"))?,
            hints: Service::ALL.into_iter().map(|service| (service, OutboxHint::default())).collect(),
            config,
        })
    }

    /// Connections of a service for a duty; those that answer requests are opened ahead of need.
    pub fn pool(&self, service: Service, duty: Duty) -> anyhow::Result<PgPool> {
        let url = self.config.database_url(service, duty)?;
        let role = service.role(duty);
        let open = match duty {
            Duty::Serve => warm_pool,
            Duty::Work => pool,
        };
        let pool = open(&url, &format!("quoin {role}"), &self.config.runtime.database);
        let pool = pool.with_context(|| format!("the database URL of {role} is not usable"))?;
        self.health.needs_database(role, pool.clone());
        Ok(pool)
    }

    /// What every handler and worker of a service needs, over `pool`.
    pub fn state(&self, service: Service, pool: PgPool) -> ServiceState {
        ServiceState::new(ServiceParts {
            service: service.name(),
            pool,
            caches: self.caches.clone(),
            clock: self.clock.clone(),
            hints: self.hint(service),
            cursors: self.cursors.clone(),
            verifier: Arc::clone(&self.identity.verifier),
            keys: Some(Arc::clone(&self.identity.refresher)),
            tokens: self.identity.tokens_of(service.name()),
            limits: self.limits.clone(),
        })
    }

    /// Wakes the service's relay when it runs in this process.
    pub fn hint(&self, service: Service) -> OutboxHint {
        self.hints.get(&service).cloned().unwrap_or_default()
    }
}

/// What the caches are kept in, and the bus that goes with it.
type Behind = (Stores, Option<Arc<dyn HintBus>>);

/// The store of the configuration, and the bus that goes with it. Redis is shown in `/ready`, and is never a reason to be
/// unready. Processes that share no store have nothing to tell each other.
fn stores(cache: &Cache, health: &Health) -> anyhow::Result<Behind> {
    Ok(match cache.backend {
        CacheBackend::Redis => {
            let config = cache.redis()?;
            let redis = RedisStore::connect(&config).context("the section cache is not usable")?;
            let hints = RedisHints::beside(&redis, &config).context("the section cache is not usable")?;
            let redis = Arc::new(redis);
            redis.watch();
            let shown = Arc::clone(&redis);
            health.shows("redis", Arc::new(move || connections(&shown)));
            (Stores::of(redis), Some(Arc::new(hints)))
        }
        CacheBackend::Memory => (Stores::of(Arc::new(MemoryStore::new())), Some(Arc::new(LocalHints::new()))),
        CacheBackend::None => (Stores::of(Arc::new(NoStore)), None),
    })
}

fn connections(redis: &RedisStore) -> Value {
    let pool = |state: PoolState| {
        (state.pool.as_str().to_owned(), json!({ "connected": state.connected, "shedRatio": state.shed_ratio }))
    };
    Value::Object(redis.state().into_iter().map(pool).collect())
}

/// What is kept in this process's memory although it may change, and whether hints of it arrive.
fn memories(engine: &Engine) -> Value {
    let memory = |state: MemoryState| {
        let told = json!({ "trusted": state.trusted, "hints": state.heard, "flushes": state.flushes });
        (state.keyspace.to_owned(), told)
    };
    Value::Object(engine.memories().into_iter().map(memory).collect())
}

/// What this process is asked for most.
fn hot_keys(engine: &Engine) -> Value {
    /// Of each keyspace.
    const SHOWN: usize = 3;
    let key = |hot: HotKey| json!({ "keyspace": hot.keyspace, "key": hot.key, "share": hot.share });
    Value::Array(engine.hot_keys(SHOWN).into_iter().map(key).collect())
}
