//! Hints over a real Redis: the contract, and what happens to the connection that listens.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cache_engine::{
    ByteStore, Place, Stored,
    contract::{
        Subject,
        authority::Authority,
        hints::{HintSubject, Process, hinted, until},
        new_tenant,
    },
    hints::HintBus,
};
use cache_ports::ServedFrom;
use cache_redis::{RedisConfig, RedisHints, RedisStore};
use dev_stack::{Component, test::own};
use fred::{interfaces::*, types::CustomCommand};
use kernel::Version;

use cache_redis::contract::{RedisSubject, config, plain};

/// A Redis as a store and a bus; each process has connections of its own.
struct Listening {
    redis: RedisSubject,
    config: RedisConfig,
}

impl Listening {
    async fn at(url: &str) -> Self {
        let config = RedisConfig { timeout: Duration::from_secs(2), ..config(url) };
        Self { redis: RedisSubject::over(&config).await, config }
    }
}

async fn subject() -> Listening {
    Listening::at(dev_stack::test::redis().await.expect("a Redis for tests")).await
}

cache_engine::hint_suite!(subject);

#[async_trait]
impl Subject for Listening {
    fn store(&self) -> Arc<dyn ByteStore> {
        self.redis.store()
    }

    async fn flush(&self) {
        self.redis.flush().await;
    }

    async fn evict(&self, at: Place<'_>) {
        self.redis.evict(at).await;
    }

    async fn plant(&self, at: Place<'_>, bytes: &[u8], ttl: Option<Duration>) {
        self.redis.plant(at, bytes, ttl).await;
    }

    async fn peek(&self, at: Place<'_>) -> Option<Stored> {
        self.redis.peek(at).await
    }

    async fn life(&self, at: Place<'_>) -> Option<Duration> {
        self.redis.life(at).await
    }
}

impl HintSubject for Listening {
    fn bus(&self) -> Arc<dyn HintBus> {
        bus(&self.config)
    }
}

fn bus(config: &RedisConfig) -> Arc<dyn HintBus> {
    let store = RedisStore::connect(config).expect("a Redis URL");
    Arc::new(RedisHints::beside(&store, config).expect("a Redis URL"))
}

/// A reader who has a copy, and what it is of.
struct Case {
    subject: Listening,
    writer: Process,
    reader: Process,
    tenant: kernel::TenantId,
    authority: Authority,
}

impl Case {
    async fn on(url: &str) -> Self {
        let subject = Listening::at(url).await;
        let (writer, reader) = (Process::over(&subject, subject.bus()), Process::over(&subject, subject.bus()));
        let case = Self { subject, writer, reader, tenant: new_tenant(), authority: Authority::with(3) };
        let (driver, _) = hinted()[0];
        case.writer.trusted(&driver).await;
        case.reader.knows(&driver, &case.tenant, &case.authority).await;
        case
    }

    /// A change reaches the reader although the store has been put back to the old value.
    async fn a_change_arrives(&self, version: u64) {
        let (driver, invalidate) = hinted()[0];
        self.writer.trusted(&driver).await;
        self.reader.knows(&driver, &self.tenant, &self.authority).await;
        let heard = self.reader.state(&driver).heard;
        let key = (driver.key)(&self.tenant, 1);
        let old = self.subject.peek(driver.place(&key)).await;
        self.authority.commit(version);
        until("an invalidation", async || {
            invalidate(self.writer.caches.clone(), self.tenant.clone(), 1, Version::new(version)).await.is_ok()
        })
        .await;
        until("a hint", async || self.reader.state(&driver).heard > heard).await;
        if let Some(old) = old {
            self.subject.plant(driver.place(&key), &old.bytes, Some(Duration::from_secs(30))).await;
        }
        let answer = driver.get(&self.reader.caches, &self.tenant, &self.authority).await;
        assert_eq!(answer.version, Some(Version::new(version)));
    }

    fn flushes(&self, reason: &str) -> u64 {
        self.reader.state(&hinted()[0].0).flushes_for(reason)
    }
}

#[tokio::test]
async fn a_listener_that_was_cut_off_begins_anew_and_hears_again() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let case = Case::on(redis.url()).await;
    let hands = plain(redis.url()).await;
    let before = case.flushes("interrupted");
    let killed: i64 = hands
        .custom(CustomCommand::new_static("CLIENT", None, false), vec!["KILL", "TYPE", "pubsub"])
        .await
        .expect("Redis answers");
    assert!(killed >= 2, "{killed} listeners");
    until("the interruption", async || case.flushes("interrupted") > before).await;
    case.a_change_arrives(4).await;
}

#[tokio::test]
async fn redis_may_stop_and_its_listeners_hear_again() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let case = Case::on(redis.url()).await;
    let (driver, _) = hinted()[0];
    redis.stop().await.expect("it stops");
    until("distrust", async || !case.reader.state(&driver).trusted).await;
    for _ in 0..3 {
        let answer = driver.get(&case.reader.caches, &case.tenant, &case.authority).await;
        assert_eq!(answer.source, Some(ServedFrom::Authority), "neither store nor memory");
    }
    redis.start().await.expect("it starts");
    case.a_change_arrives(4).await;
}

/// Nothing is closed and nothing is said: only the missing beats tell.
#[tokio::test]
async fn a_redis_that_falls_silent_is_noticed_by_its_silence() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let case = Case::on(redis.url()).await;
    let (driver, _) = hinted()[0];
    redis.freeze().await.expect("it freezes");
    until("distrust", async || !case.reader.state(&driver).trusted).await;
    redis.thaw().await.expect("it thaws");
    case.a_change_arrives(4).await;
}

/// A flush empties the store, and no message says so: copies in memory are as right as before and as short-lived.
#[tokio::test]
async fn a_flushed_redis_changes_no_answer() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let case = Case::on(redis.url()).await;
    let hands = plain(redis.url()).await;
    let (driver, invalidate) = hinted()[0];
    for version in 4..8 {
        hands.flushall::<()>(false).await.expect("Redis answers");
        let heard = case.reader.state(&driver).heard;
        case.authority.commit(version);
        let changed = invalidate(case.writer.caches.clone(), case.tenant.clone(), 1, Version::new(version)).await;
        changed.expect("Redis answers");
        hands.flushall::<()>(false).await.expect("Redis answers");
        until("a hint", async || case.reader.state(&driver).heard > heard).await;
        let answer = driver.get(&case.reader.caches, &case.tenant, &case.authority).await;
        assert_eq!(answer.version, Some(Version::new(version)), "the tombstone is gone, the hint is not");
    }
}

/// The connection that listens ends with the engine that wanted it.
#[tokio::test]
async fn nobody_listens_for_an_engine_that_is_gone() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let case = Case::on(redis.url()).await;
    let hands = plain(redis.url()).await;
    let channel = format!("{}hints", case.subject.config.key_prefix);
    let listeners = async || {
        let arguments = vec!["NUMSUB".to_owned(), channel.clone()];
        let counted: (String, i64) =
            hands.custom(CustomCommand::new_static("PUBSUB", None, false), arguments).await.expect("Redis answers");
        counted.1
    };
    assert_eq!(listeners().await, 2);
    case.writer.leave().await;
    until("one listener less", async || listeners().await == 1).await;
    drop(case.reader);
    until("no listener", async || listeners().await == 0).await;
}
