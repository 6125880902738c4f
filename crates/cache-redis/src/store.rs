//! The store of bytes, over Redis.
//!
//! Owns how each operation becomes commands. Every key is one string; everything that decides runs in one script. Must never
//! know what a frame holds beyond its first sixty-four bytes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use cache_engine::{
    ByteStore, CounterStore, Place, StoreError, Stored, StreamStore,
    counting::Rule,
    frame::{self, HEADER_BYTES},
    store::{
        CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken, Pool,
        Version, Workload,
    },
};
use fred::{
    clients::{Client, WithOptions},
    interfaces::KeysInterface,
    types::{Expiration, SetOptions, Value},
};

use crate::{
    config::{InvalidRedisConfig, RedisConfig},
    connections::{Connections, Urgency},
    lives::Lives,
    meters::Operation,
    reading,
    scripts::Scripts,
    survey::{self, Survey},
};

/// See the module.
pub struct RedisStore {
    pools: [Arc<Connections>; Pool::ALL.len()],
    pub(crate) scripts: Scripts,
    pub(crate) lives: Lives,
    prefix: String,
}

/// How a pool is doing, for the detail of a readiness check. A pool that is away makes no process unready.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolState {
    /// The pool.
    pub pool: Pool,
    /// Whether a connection stands.
    pub connected: bool,
    /// The share of calls that the breaker sheds.
    pub shed_ratio: f64,
}

impl RedisStore {
    /// Starts connecting in the background and returns at once, whether Redis is there or not. Only a URL that cannot be
    /// understood is an error. Needs a Tokio runtime.
    pub fn connect(config: &RedisConfig) -> Result<Self, InvalidRedisConfig> {
        let [content, preview, rate, coordination, session, hints] =
            Pool::ALL.map(|name| Connections::connect(name, config));
        Ok(Self {
            pools: [content?, preview?, rate?, coordination?, session?, hints?],
            scripts: Scripts::new(),
            lives: Lives::new(),
            prefix: config.key_prefix.clone(),
        })
    }

    /// The same with other scripts.
    #[cfg(test)]
    pub(crate) fn with_scripts(self, scripts: Scripts) -> Self {
        Self { scripts, ..self }
    }

    /// How the pools are doing.
    pub fn state(&self) -> Vec<PoolState> {
        let state = |pool: &Arc<Connections>| PoolState {
            pool: pool.name(),
            connected: pool.is_connected(),
            shed_ratio: pool.shed_ratio(),
        };
        self.pools.iter().map(state).collect()
    }

    /// The connections that hints are published over.
    pub(crate) fn hints_pool(&self) -> Arc<Connections> {
        Arc::clone(&self.pools[5])
    }

    /// What the servers say about themselves. A pool whose server does not answer is left out.
    pub async fn survey(&self) -> Survey {
        let mut survey = Survey::new();
        for pool in &self.pools {
            if let Ok(facts) = pool.facts().await {
                survey.insert(pool.name(), facts);
            }
        }
        survey
    }

    /// Shows in the metrics how the servers are doing, from now on and for as long as the store lives. Warns where a server may
    /// evict what should stay.
    pub fn watch(self: &Arc<Self>) {
        survey::watch(self);
    }

    /// Closes all connections.
    pub async fn close(&self) {
        for pool in &self.pools {
            pool.close().await;
        }
    }

    pub(crate) fn pool(&self, workload: Workload) -> &Connections {
        match workload.pool() {
            Pool::Content => &self.pools[0],
            Pool::Preview => &self.pools[1],
            Pool::RateLimit => &self.pools[2],
            Pool::Coordination => &self.pools[3],
            Pool::Session => &self.pools[4],
            Pool::Hints => &self.pools[5],
        }
    }

    pub(crate) fn key(&self, key: &str) -> String {
        [&self.prefix, key].concat()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

#[async_trait]
impl ByteStore for RedisStore {
    async fn read(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        reading::read(self, at).await
    }

    async fn examine(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        reading::examine(self, at).await
    }

    async fn read_many(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        reading::read_many(self, workload, keys).await
    }

    async fn lease(&self, at: Place<'_>, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        let over = request.over.map_or_else(Vec::new, |version| version.get().to_be_bytes().to_vec());
        let arguments = vec![
            bytes(&request.token.0),
            millis(request.ttl),
            bytes(&frame::lease(request.token)),
            Value::Bytes(over.into()),
        ];
        let pool = self.pool(at.workload);
        let (script, keys) = (&self.scripts.lease, vec![self.key(at.key)]);
        let answer: Vec<Value> = pool.script(Operation::Lease, Urgency::Help, script, keys, arguments).await?;
        match (answer.first().and_then(Value::as_i64), answer.get(1).and_then(Value::as_bytes)) {
            (Some(1), Some(version)) => {
                let version = version.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Refused)?;
                Ok(LeaseReply::Granted { at_least: Version::new(version) })
            }
            (Some(2), _) => Ok(LeaseReply::Held),
            (Some(3), _) => Ok(LeaseReply::Present),
            _ => Err(StoreError::Refused),
        }
    }

    async fn fill(&self, at: Place<'_>, request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        let arguments = vec![
            bytes(&request.token.0),
            bytes(&request.version.get().to_be_bytes()),
            bytes(request.frame),
            millis(request.ttl),
        ];
        let (pool, key, asked) = (self.pool(at.workload), self.key(at.key), Instant::now());
        let slot = self.lives.slot(&key);
        let answer: i64 = pool.script(Operation::Fill, Urgency::Help, &self.scripts.fill, vec![key], arguments).await?;
        match answer {
            1 => {
                self.lives.filled(slot, request.frame, asked, request.ttl);
                Ok(FillReply::Stored)
            }
            2 => Ok(FillReply::LeaseLost),
            3 => Ok(FillReply::OlderThanKnown),
            _ => Err(StoreError::Refused),
        }
    }

    async fn abandon(&self, at: Place<'_>, token: LeaseToken) -> Result<(), StoreError> {
        let pool = self.pool(at.workload);
        let arguments = vec![bytes(&token.0)];
        pool.script::<i64>(Operation::Abandon, Urgency::Help, &self.scripts.abandon, vec![self.key(at.key)], arguments)
            .await?;
        Ok(())
    }

    async fn invalidate(&self, at: Place<'_>, at_least: Version, ttl: Duration) -> Result<InvalidateReply, StoreError> {
        let arguments = vec![bytes(&at_least.get().to_be_bytes()), bytes(&frame::tombstone(at_least)), millis(ttl)];
        let pool = self.pool(at.workload);
        let (script, keys) = (&self.scripts.invalidate, vec![self.key(at.key)]);
        match pool.script::<i64>(Operation::Invalidate, Urgency::Always, script, keys, arguments).await? {
            1 => Ok(InvalidateReply::Tombstoned),
            2 => Ok(InvalidateReply::NotOlder),
            _ => Err(StoreError::Refused),
        }
    }

    async fn discard(&self, at: Place<'_>, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        let pool = self.pool(at.workload);
        let arguments = vec![bytes(header)];
        pool.script::<i64>(Operation::Discard, Urgency::Help, &self.scripts.discard, vec![self.key(at.key)], arguments)
            .await?;
        Ok(())
    }

    async fn put(&self, at: Place<'_>, frame: &[u8], ttl: Duration) -> Result<(), StoreError> {
        let (key, value, life) = (self.key(at.key), bytes(frame), Some(Expiration::PX(px(ttl))));
        let (slot, asked) = (self.lives.slot(&key), Instant::now());
        let put = async |client: &WithOptions<Client>| client.set::<(), _, _>(key, value, life, None, false).await;
        self.pool(at.workload).run(Operation::Put, Urgency::Help, put).await?;
        self.lives.filled(slot, frame, asked, ttl);
        Ok(())
    }

    async fn acquire(&self, at: Place<'_>, token: LeaseToken, ttl: Duration) -> Result<bool, StoreError> {
        let (key, token, life) = (self.key(at.key), bytes(&token.0), Some(Expiration::PX(px(ttl))));
        let acquire = async |client: &WithOptions<Client>| {
            client.set::<Option<String>, _, _>(key, token, life, Some(SetOptions::NX), false).await
        };
        Ok(self.pool(at.workload).run(Operation::Acquire, Urgency::Help, acquire).await?.is_some())
    }

    async fn release(&self, at: Place<'_>, token: LeaseToken) -> Result<bool, StoreError> {
        let pool = self.pool(at.workload);
        let (script, keys) = (&self.scripts.release, vec![self.key(at.key)]);
        let released: i64 =
            pool.script(Operation::Release, Urgency::Always, script, keys, vec![bytes(&token.0)]).await?;
        Ok(released == 1)
    }

    async fn count(&self, requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        let keys = requests.iter().map(|request| self.key(request.key)).collect();
        let arguments = requests.iter().map(|request| Value::Bytes(count_argument(request))).collect();
        let pool = self.pool(Workload::RateLimit);
        let answer: Bytes = pool.script(Operation::Count, Urgency::Help, &self.scripts.count, keys, arguments).await?;
        count_replies(&answer).filter(|replies| replies.len() == requests.len()).ok_or(StoreError::Refused)
    }

    fn counters(&self) -> &dyn CounterStore {
        self
    }

    fn streams(&self) -> &dyn StreamStore {
        self
    }
}

/// The rule of one limit, as the script unpacks it.
pub fn count_argument(request: &CountRequest<'_>) -> Bytes {
    let Rule { limit, window_us, cost } = Rule::of(request);
    let numbers = [limit, window_us, cost].map(u64::to_be_bytes);
    [&[u8::from(request.shadow)], numbers.as_flattened(), request.algorithm.as_str().as_bytes(), b"\0"].concat().into()
}

/// What the script packs for each limit: a byte, and three numbers of eight.
const COUNT_ANSWER_BYTES: usize = 25;

/// The script's answer; nothing where it is not one.
pub fn count_replies(answer: &[u8]) -> Option<Vec<CountReply>> {
    let (replies, rest) = answer.as_chunks::<COUNT_ANSWER_BYTES>();
    if rest.is_empty() { replies.iter().map(count_reply).collect() } else { None }
}

fn count_reply([allowed, numbers @ ..]: &[u8; COUNT_ANSWER_BYTES]) -> Option<CountReply> {
    let number = |at: usize| numbers.as_chunks().0.get(at).copied().map(i64::from_be_bytes);
    let micros = |at: usize| Some(Duration::from_micros(u64::try_from(number(at)?).ok()?));
    Some(CountReply {
        allowed: *allowed == 1,
        remaining: u32::try_from(number(0)?).ok()?,
        retry_after: micros(1)?,
        reset_after: micros(2)?,
    })
}

fn bytes(of: &[u8]) -> Value {
    Value::Bytes(Bytes::copy_from_slice(of))
}

pub(crate) fn millis(duration: Duration) -> Value {
    Value::Integer(px(duration))
}

/// At least one: Redis refuses a life of zero.
fn px(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1)
}
