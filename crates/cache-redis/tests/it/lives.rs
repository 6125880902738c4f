//! What a read asks Redis, and what it makes of an entry whose life others have changed.

use std::time::Duration;

use cache_engine::{
    Place, Stored,
    contract::{Subject, content, new_tenant, until},
    frame::{self, Content, Life},
};
use cache_ports::catalog::keyspaces::{OFFERING, offering_key};
use cache_redis::RedisConfig;
use dev_stack::{Component, Server, test::own};
use fred::{
    clients::Client,
    interfaces::{ClientLike, ConfigInterface, KeysInterface},
    types::InfoKind,
};
use kernel::{OfferingId, PublicationId, Version};

use cache_redis::contract::{RedisSubject, patient, plain};

/// Longer than any test.
const LONG: Duration = Duration::from_mins(10);
/// Long enough to be read once on a busy machine.
const SHORT: Duration = Duration::from_secs(2);

/// A Redis of its own, a reader, and hands to look and to meddle with.
struct World {
    subject: RedisSubject,
    hands: Client,
    config: RedisConfig,
    _redis: Server,
}

impl World {
    async fn new() -> Self {
        let redis = own(Component::Redis).await.expect("a Redis of our own");
        let config = patient(redis.url());
        let (subject, hands) = (RedisSubject::over(&config).await, plain(redis.url()).await);
        Self { subject, hands, config, _redis: redis }
    }

    /// An entry that another process has filled.
    async fn filled(&self, version: u64, life: Duration) -> String {
        let key = offering_key(&new_tenant(), PublicationId::generate(), OfferingId::generate(), "en").text();
        self.fill(&key, version, life).await;
        key
    }

    async fn fill(&self, key: &str, version: u64, life: Duration) {
        let version = Version::new(version);
        let of = Life { soft: life, hard: life };
        let content_of =
            Content { keyspace: &OFFERING, key, version, life: of, generated_at_ms: 0, payload: Some(b"{}") };
        let frame = frame::write(&content_of).expect("it fits");
        self.subject.plant(content(key), &frame, Some(life)).await;
    }

    async fn read(&self, key: &str) -> Stored {
        self.subject.store().read(content(key)).await.expect("Redis answers").expect("it lies there")
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.config.key_prefix)
    }

    /// How often the server was asked for a life since it was asked to forget.
    async fn asked_for_lives(&self) -> usize {
        let page: String = self.hands.info(Some(InfoKind::CommandStats)).await.expect("Redis answers");
        let calls = page.lines().find_map(|line| line.strip_prefix("cmdstat_pttl:calls="));
        calls.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or_default()
    }

    async fn forget_what_was_asked(&self) {
        let () = self.hands.config_resetstat().await.expect("Redis answers");
    }
}

fn places(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn the_life_of_a_frame_is_asked_once() {
    let world = World::new().await;
    let key = world.filled(1, LONG).await;
    let first = world.read(&key).await;
    assert_eq!(world.asked_for_lives().await, 1);
    for _ in 0..20 {
        let again = world.read(&key).await;
        assert_eq!(again.bytes, first.bytes);
        assert!(again.remaining.is_some_and(|life| life > Duration::ZERO) && again.remaining <= first.remaining);
    }
    assert_eq!(world.asked_for_lives().await, 1);
    world.fill(&key, 2, LONG).await;
    assert_ne!(world.read(&key).await.bytes, first.bytes);
    assert_eq!(world.asked_for_lives().await, 2, "another frame has a life of its own");
    world.subject.evict(content(&key)).await;
    assert_eq!(world.subject.store().read(content(&key)).await, Ok(None));
    assert_eq!(world.asked_for_lives().await, 2);
}

#[tokio::test]
async fn of_many_only_the_lives_of_strangers_are_asked() {
    let world = World::new().await;
    let mut keys = Vec::new();
    for version in 1..=4 {
        keys.push(world.filled(version, LONG).await);
    }
    let store = world.subject.store();
    world.read(&keys[0]).await;
    world.forget_what_was_asked().await;
    let workload = content("").workload;
    let first = store.read_many(workload, &places(&keys)).await.expect("Redis answers");
    assert_eq!(world.asked_for_lives().await, 3);
    let again = store.read_many(workload, &places(&keys)).await.expect("Redis answers");
    assert_eq!(world.asked_for_lives().await, 3);
    let bytes = |all: &[Option<Stored>]| all.iter().map(|one| one.clone().map(|one| one.bytes)).collect::<Vec<_>>();
    assert_eq!(bytes(&first), bytes(&again));
    world.fill(&keys[1], 9, LONG).await;
    world.subject.evict(content(&keys[2])).await;
    let last = store.read_many(workload, &places(&keys)).await.expect("Redis answers");
    assert_eq!(world.asked_for_lives().await, 4, "of the one that was replaced");
    let (before, after) = (bytes(&first), bytes(&last));
    let replaced = world.subject.peek(content(&keys[1])).await.map(|stored| stored.bytes);
    assert_eq!(after, [before[0].clone(), replaced, None, before[3].clone()]);
    assert!(last.iter().flatten().all(|one| one.remaining.is_some_and(|life| life > LONG / 2 && life <= LONG)));
}

/// Whoever examines an entry sees at once what was done to it; whoever reads it never gets it beyond its end.
#[tokio::test]
async fn an_entry_that_was_made_to_stay_still_ends() {
    let world = World::new().await;
    let key = world.filled(1, SHORT).await;
    let at: Place<'_> = content(&key);
    assert!(world.read(&key).await.remaining.is_some_and(|life| life > Duration::ZERO && life <= SHORT));
    let () = world.hands.persist(world.key(&key)).await.expect("Redis answers");
    let examined = world.subject.store().examine(at).await.expect("Redis answers").expect("it lies there");
    assert_eq!(examined.remaining, None);
    until("the end", async || world.read(&key).await.remaining == Some(Duration::ZERO)).await;
    assert!(world.subject.peek(at).await.is_some(), "the server keeps it");
    assert_eq!(world.read(&key).await.remaining, Some(Duration::ZERO));
    let other = RedisSubject::over(&world.config).await.store();
    let stranger = other.read(at).await.expect("Redis answers").expect("it lies there");
    assert_eq!(stranger.remaining, None, "who has not met it sees that it has no end");
}
