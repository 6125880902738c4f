//! A Redis as a subject of the contract suite: the store itself, and a plain connection to hurt it with.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cache_engine::{
    ByteStore, Place, Stored,
    contract::{Subject, until},
};
use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface},
    types::{
        Builder, Expiration, Key,
        config::{Config, ReconnectPolicy},
    },
};
use futures::TryStreamExt;

use crate::{RedisConfig, RedisStore};
// What the script that counts is given for a limit, and what its answer says.
pub use crate::store::{count_argument, count_replies};

/// See the module.
#[derive(Clone)]
pub struct RedisSubject {
    store: Arc<RedisStore>,
    hands: Client,
    prefix: String,
}

/// Generous, because a machine that runs tests is slower than one that serves; the faults have their own budgets.
const PATIENCE: Duration = Duration::from_secs(2);

/// A configuration with a prefix of its own.
pub fn config(url: &str) -> RedisConfig {
    RedisConfig { key_prefix: format!("suite-{:016x}:", fastrand::u64(..)), ..RedisConfig::at(url) }
}

/// The same with time for every command.
pub fn patient(url: &str) -> RedisConfig {
    RedisConfig { timeout: PATIENCE, ..config(url) }
}

/// A plain connection; it comes back with its server.
pub async fn plain(url: &str) -> Client {
    let config = Config::from_url(url).expect("a Redis URL");
    let always = ReconnectPolicy::new_constant(0, 50);
    let client = Builder::from_config(config).set_policy(always).build().expect("a client");
    client.init().await.expect("Redis is there");
    client
}

impl RedisSubject {
    /// Of the server at `url`, with a prefix of its own.
    pub async fn at(url: &str) -> Self {
        Self::over(&patient(url)).await
    }

    /// Of the server in `config`.
    pub async fn over(config: &RedisConfig) -> Self {
        Self::of(RedisStore::connect(config).expect("a Redis URL"), config).await
    }

    /// Of a store that is made already from `config`. Waits until it has its connections.
    pub async fn of(store: RedisStore, config: &RedisConfig) -> Self {
        until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
        Self { store: Arc::new(store), hands: plain(&config.url).await, prefix: config.key_prefix.clone() }
    }

    /// The store, to be walked over.
    pub fn redis(&self) -> Arc<RedisStore> {
        Arc::clone(&self.store)
    }

    fn key(&self, at: Place<'_>) -> String {
        format!("{}{}", self.prefix, at.key)
    }
}

#[async_trait]
impl Subject for RedisSubject {
    fn store(&self) -> Arc<dyn ByteStore> {
        self.store.clone()
    }

    /// The server is shared: only what has this subject's prefix is forgotten.
    async fn flush(&self) {
        let pattern = format!("{}*", self.prefix);
        let keys: Vec<Key> = if self.hands.is_clustered() {
            self.hands.scan_cluster_buffered(pattern, Some(1000), None).try_collect().await
        } else {
            self.hands.scan_buffered(pattern, Some(1000), None).try_collect().await
        }
        .expect("Redis answers");
        // One by one: in a cluster they lie apart.
        for key in keys {
            self.hands.unlink::<i64, _>(key).await.expect("Redis answers");
        }
    }

    async fn evict(&self, at: Place<'_>) {
        self.hands.del::<i64, _>(self.key(at)).await.expect("Redis answers");
    }

    async fn plant(&self, at: Place<'_>, bytes: &[u8], ttl: Option<Duration>) {
        let life = ttl.map(|ttl| Expiration::PX(i64::try_from(ttl.as_millis()).expect("a short life").max(1)));
        let bytes = Bytes::copy_from_slice(bytes);
        self.hands.set::<(), _, _>(self.key(at), bytes, life, None, false).await.expect("Redis answers");
    }

    async fn peek(&self, at: Place<'_>) -> Option<Stored> {
        let bytes: Option<Bytes> = self.hands.get(self.key(at)).await.expect("Redis answers");
        let life: i64 = self.hands.pttl(self.key(at)).await.expect("Redis answers");
        bytes.map(|bytes| Stored { bytes, remaining: u64::try_from(life).ok().map(Duration::from_millis) })
    }

    async fn life(&self, at: Place<'_>) -> Option<Duration> {
        let life: i64 = self.hands.pttl(self.key(at)).await.expect("Redis answers");
        u64::try_from(life).ok().map(Duration::from_millis)
    }
}
