//! Redis absent, stopped, frozen, flushed, full, forgetful of scripts: the authority answers, in time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cache_engine::{
    ByteStore, Place, StoreError,
    contract::{authority::Authority, drivers, new_tenant, over, until},
    store::Workload,
};
use cache_ports::{
    CacheUnavailable, Caches, LockAttempt, LockKey, RateAlgorithm, RateCheck, RateDimension, RatePolicy, ServedFrom,
    WithoutStore, one_budget,
};
use cache_redis::{RedisConfig, RedisStore};
use dev_stack::{Component, test::own};
use fred::{interfaces::*, types::InfoKind};
use kernel::{ContentHash, Version};

use cache_redis::contract::{config, plain};

/// Longer than this is "for ever" to somebody who waits for a page; a command's budget is a hundredth of it.
const SOON: Duration = Duration::from_secs(5);

fn connect(config: &RedisConfig) -> (Arc<RedisStore>, Caches) {
    let store = Arc::new(RedisStore::connect(config).expect("a Redis URL"));
    let caches = over(store.clone(), false);
    (store, caches)
}

async fn connected(store: &RedisStore) {
    until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
}

/// Every port gives the right answer, and soon.
async fn everything_answers(caches: &Caches) {
    for driver in drivers::all() {
        let (tenant, authority, began) = (new_tenant(), Authority::with(3), Instant::now());
        let answer = driver.get(caches, &tenant, &authority).await;
        assert_eq!((answer.version, answer.source), (Some(Version::new(3)), Some(ServedFrom::Authority)));
        assert!(began.elapsed() < SOON, "{} took {:?}", driver.keyspace.name, began.elapsed());
    }
    let tenant = new_tenant();
    let lock = LockKey::CacheWarm { tenant: tenant.clone(), key_hash: ContentHash::of_bytes(b"x") };
    assert!(matches!(caches.locks.try_acquire(lock, SOON).await, LockAttempt::Unavailable));
    assert_eq!(caches.idempotency.done(&tenant, "route", &ContentHash::of_bytes(b"x")).await, None);
}

async fn reads_hit(caches: &Caches) {
    let driver = drivers::all()[0];
    until("a hit", async || {
        let tenant = new_tenant();
        driver.get(caches, &tenant, &Authority::with(1)).await;
        driver.get(caches, &tenant, &Authority::with(2)).await.source == Some(ServedFrom::L2)
    })
    .await;
}

#[tokio::test]
async fn redis_may_be_absent_at_start_and_come_later() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    redis.stop().await.expect("it stops");
    let (store, caches) = connect(&config(redis.url()));
    everything_answers(&caches).await;
    assert!(store.state().iter().all(|pool| !pool.connected));
    redis.start().await.expect("it starts");
    connected(&store).await;
    reads_hit(&caches).await;
}

#[tokio::test]
async fn redis_may_stop_and_come_back() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let (store, caches) = connect(&config(redis.url()));
    connected(&store).await;
    reads_hit(&caches).await;
    redis.stop().await.expect("it stops");
    everything_answers(&caches).await;
    let (driver, invalidate) = drivers::invalidated()[0];
    let lost = invalidate(caches.clone(), new_tenant(), 1, Version::new(2)).await;
    assert_eq!(lost, Err(CacheUnavailable), "{}: whoever consumes the event must know", driver.keyspace.name);
    redis.start().await.expect("it starts");
    connected(&store).await;
    reads_hit(&caches).await;
}

#[tokio::test]
async fn a_frozen_redis_holds_up_few_reads() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let (store, caches) = connect(&config(redis.url()));
    connected(&store).await;
    reads_hit(&caches).await;
    redis.freeze().await.expect("it freezes");
    everything_answers(&caches).await;
    // By now the breaker keeps most reads from waiting out the budget.
    let at = Place { workload: Workload::Catalog, key: "k" };
    let mut spared = 0;
    for _ in 0..200 {
        spared += usize::from(store.read(at).await == Err(StoreError::BreakerOpen));
    }
    assert!(spared >= 120, "only {spared} of 200 reads were spared");
    redis.thaw().await.expect("it thaws");
    reads_hit(&caches).await;
}

/// Each pool has its own breaker, and each would let the first calls wait.
#[tokio::test]
async fn a_request_waits_for_a_frozen_redis_once() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let (store, _caches) = connect(&config(redis.url()));
    connected(&store).await;
    redis.freeze().await.expect("it freezes");
    let at = |workload| Place { workload, key: "k" };
    let request = one_budget(Box::pin(async {
        assert_eq!(store.read(at(Workload::Catalog)).await, Err(StoreError::TimedOut));
        for workload in [Workload::Catalog, Workload::Preview, Workload::Session] {
            assert_eq!(store.read(at(workload)).await, Err(StoreError::BreakerOpen), "{workload:?}");
        }
        let lost = store.invalidate(at(Workload::Catalog), Version::new(2), SOON).await;
        assert_eq!(lost, Err(StoreError::TimedOut), "an invalidation is sent all the same");
    }));
    request.await;
    assert_eq!(
        store.read(at(Workload::Preview)).await,
        Err(StoreError::TimedOut),
        "the next request finds out by itself"
    );
    redis.thaw().await.expect("it thaws");
}

#[tokio::test]
async fn an_invalidation_is_never_shed() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let (store, _caches) = connect(&config(redis.url()));
    connected(&store).await;
    redis.freeze().await.expect("it freezes");
    let at = Place { workload: Workload::Catalog, key: "k" };
    let mut shed = 0;
    for _ in 0..60 {
        shed += usize::from(store.read(at).await == Err(StoreError::BreakerOpen));
    }
    assert!(shed > 0, "the breaker sheds reads");
    for _ in 0..20 {
        let outcome = store.invalidate(at, Version::new(2), SOON).await;
        assert!(matches!(outcome, Err(StoreError::TimedOut | StoreError::Unavailable)), "{outcome:?}");
    }
    redis.thaw().await.expect("it thaws");
    until("an invalidation", async || store.invalidate(at, Version::new(3), SOON).await.is_ok()).await;
}

#[tokio::test]
async fn a_redis_that_lost_everything_serves_on() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let config = config(redis.url());
    let (store, caches) = connect(&config);
    connected(&store).await;
    reads_hit(&caches).await;
    let hands = plain(redis.url()).await;
    hands.flushall::<()>(false).await.expect("Redis answers");
    hands.script_flush(false).await.expect("Redis answers");
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        driver.get(&caches, &tenant, &authority).await;
        let hit = driver.get(&caches, &tenant, &authority).await;
        assert_eq!((hit.source, authority.asked()), (Some(ServedFrom::L2), 1), "{}", driver.keyspace.name);
        // The scripts are gone again at the next write.
        hands.script_flush(false).await.expect("Redis answers");
    }
}

#[tokio::test]
async fn a_redis_without_memory_refuses_fills_and_nothing_else() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let (store, caches) = connect(&config(redis.url()));
    connected(&store).await;
    let hands = plain(redis.url()).await;
    hands.config_set("maxmemory-policy", "noeviction").await.expect("Redis answers");
    hands.config_set("maxmemory", "1mb").await.expect("Redis answers");
    everything_answers_without_store(&caches).await;
    hands.config_set("maxmemory", "0").await.expect("Redis answers");
    reads_hit(&caches).await;
}

async fn everything_answers_without_store(caches: &Caches) {
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        for _ in 0..2 {
            let answer = driver.get(caches, &tenant, &authority).await;
            assert_eq!(answer.source, Some(ServedFrom::Authority), "{}", driver.keyspace.name);
        }
    }
}

/// Answers stay right while keys disappear all the time.
#[tokio::test]
async fn an_evicting_redis_changes_no_answer() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let (store, caches) = connect(&config(redis.url()));
    connected(&store).await;
    let hands = plain(redis.url()).await;
    hands.config_set("maxmemory-policy", "allkeys-random").await.expect("Redis answers");
    let used = hands.info::<String>(Some(InfoKind::Memory)).await.expect("Redis answers");
    let used: u64 = used
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .and_then(|bytes| bytes.trim().parse().ok())
        .expect("Redis knows its memory");
    hands.config_set("maxmemory", (used + 200_000).to_string()).await.expect("Redis answers");
    for round in 0..40_u64 {
        for (driver, invalidate) in drivers::invalidated() {
            let tenant = new_tenant();
            let authority = Authority::with(round + 1);
            driver.get(&caches, &tenant, &authority).await;
            authority.commit(round + 2);
            // An invalidation that a full Redis refuses is tried again, as a consumer would.
            until("an invalidation", async || {
                invalidate(caches.clone(), tenant.clone(), 1, Version::new(round + 2)).await.is_ok()
            })
            .await;
            let answer = driver.get(&caches, &tenant, &authority).await;
            assert_eq!(answer.version, Some(Version::new(round + 2)), "{}", driver.keyspace.name);
        }
    }
}

#[tokio::test]
async fn limits_are_counted_alone_or_refused_while_redis_is_away() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    redis.stop().await.expect("it stops");
    let (_store, caches) = connect(&config(redis.url()));
    let policy = |without_store| RatePolicy {
        without_store,
        // One of two processes.
        alone: 2,
        ..RatePolicy::new("four", RateAlgorithm::Gcra, 4, Duration::from_mins(1))
    };
    let (open, closed) = (policy(WithoutStore::CountLocally), policy(WithoutStore::Refuse));
    let of = |policy| RateCheck { policy, dimensions: &[RateDimension::User], actor: "sam", route: "*" };
    let tenant = new_tenant();
    let mut allowed = Vec::new();
    for _ in 0..4 {
        let decision = caches.rate.check(&tenant, &[of(&open)], 1).await.expect("there is something to check");
        assert!(decision.degraded);
        allowed.push(decision.allowed);
    }
    assert_eq!(allowed, [true, true, false, false]);
    let decision = caches.rate.check(&new_tenant(), &[of(&open), of(&closed)], 1).await.expect("something to check");
    assert!(!decision.allowed && decision.degraded && decision.retry_after > Duration::ZERO);
}
