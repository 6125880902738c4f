//! The generated access rules are enough for what each service does, and for nothing else.

use std::{collections::BTreeMap, time::Duration};

use cache_engine::{
    ByteStore, KeyScan, Place, StoreError,
    contract::{
        authority::Authority,
        drivers,
        hints::{self, Process, hinted},
        new_tenant, over, until,
    },
    frame,
    scan::Position,
    store::{LeaseToken, Workload},
};
use cache_ports::{
    RateAlgorithm, RateCheck, RateDimension, RatePolicy, ServedFrom, UserKey, WithoutStore,
    catalog::keyspaces as catalog,
    coordination::keyspaces as coordination,
    counters::{LiveCount, Tally, keyspaces as counters},
    inventory::keyspaces as inventory,
    key::Scope,
    keyspace::{Owner, Service},
    pricing::keyspaces as pricing,
    registry,
    streams::{StreamId, WarmTask, keyspaces as streams},
};
use cache_redis::{Pool, RedisConfig, RedisHints, RedisStore};
use dev_stack::{ClusterShape, Component, RedisCluster, test::own};
use fred::{clients::Client, interfaces::*};
use kernel::{ContentHash, OfferingId, PriceBookId, ProductId, PublicationId, Version};

use cache_redis::contract::plain;

const PASSWORD: &str = "for-this-test-only";

/// The rules as commands for a server that runs: each user with one known password.
async fn apply(url: &str, prefix: &str) {
    let hands = plain(url).await;
    for line in registry::users_acl(prefix).lines().filter(|line| line.starts_with("user quoin-")) {
        let mut words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
        for word in words.iter_mut().filter(|word| word.starts_with("#${")) {
            *word = format!(">{PASSWORD}");
        }
        let user = words.remove(0);
        let command = fred::cmd!("ACL");
        let arguments: Vec<String> = ["SETUSER".to_owned(), user].into_iter().chain(words).collect();
        hands.custom::<(), _>(command, arguments).await.expect("Redis accepts the rule");
    }
}

fn as_service(service: Service, url: &str, prefix: &str) -> RedisConfig {
    let (scheme, server) = url.split_once("://").expect("a URL");
    let as_user = |pool| format!("{scheme}://{}:{PASSWORD}@{server}", registry::user_name(service, pool));
    let pool_urls: BTreeMap<_, _> = Pool::ALL.into_iter().map(|pool| (pool, as_user(pool))).collect();
    RedisConfig { key_prefix: prefix.to_owned(), pool_urls, ..RedisConfig::at(url) }
}

#[tokio::test]
async fn a_service_can_do_its_work_and_touch_nothing_else() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let prefix = "quoin:";
    apply(redis.url(), prefix).await;
    let store = std::sync::Arc::new(
        RedisStore::connect(&as_service(Service::Catalog, redis.url(), prefix)).expect("a Redis URL"),
    );
    until("a connection", async || store.state().iter().any(|pool| pool.pool == Pool::Content && pool.connected)).await;
    let caches = over(store.clone(), false);
    let own_content = drivers::all().into_iter().filter(|driver| driver.keyspace.owner == Owner::One(Service::Catalog));
    for driver in own_content {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        driver.get(&caches, &tenant, &authority).await;
        assert_eq!(
            driver.get(&caches, &tenant, &authority).await.source,
            Some(ServedFrom::L2),
            "{}",
            driver.keyspace.name
        );
        if let Some(invalidate) = driver.invalidate {
            invalidate(caches.clone(), tenant.clone(), 1, Version::new(4)).await.expect("it may invalidate its own");
        }
    }
    let policy = RatePolicy {
        without_store: WithoutStore::Refuse,
        ..RatePolicy::new("some", RateAlgorithm::SlidingWindow, 5, std::time::Duration::from_secs(1))
    };
    let check = RateCheck { policy: &policy, dimensions: &[RateDimension::User], actor: "sam", route: "*" };
    until("a shared count", async || {
        caches.rate.check(&new_tenant(), &[check], 1).await.is_some_and(|decision| !decision.degraded)
    })
    .await;

    let (tenant, object) = (new_tenant(), uuid::Uuid::now_v7());
    caches.counters.count(&tenant, LiveCount::OfferingViews, object);
    caches.counters.flush().await;
    let top = caches.counters.most_counted(&tenant, LiveCount::OfferingViews, 9).await;
    assert_eq!(top, Some(vec![Tally { object, count: 1 }]), "it may count");
    assert_eq!(caches.counters.sum(&tenant, LiveCount::OfferingViews, object).await, Some(1));
    until("a connection", async || store.state().iter().any(|pool| pool.pool == Pool::Hints && pool.connected)).await;
    let task = WarmTask { publication_id: PublicationId::generate(), offering_id: OfferingId::generate() };
    assert!(caches.warm.enqueue(&tenant, &[task]).await, "it may queue");
    let taken = caches.warm.take(&tenant, "w", 9).await.expect("it may take");
    caches.warm.done(&tenant, &[taken[0].receipt]).await;
    let queue = streams::warm_queue_key(&tenant).text();
    let reader = cache_engine::streams::Reader { group: "warmers", name: "w" };
    let left = store.streams().take(&queue, reader, std::time::Duration::ZERO, 9).await;
    assert_eq!(left, Ok(Vec::new()), "it may acknowledge");
    let notices = streams::ui_notices_key(&tenant, &UserKey::of(&tenant, "sam")).text();
    let outcome = store.streams().read_after(&notices, StreamId::START, 9).await;
    assert_eq!(outcome, Err(StoreError::Refused), "what users are told is another service's");
    let other = RedisStore::connect(&as_service(Service::Pricing, redis.url(), prefix)).expect("a Redis URL");
    until("a connection", async || other.state().iter().any(|pool| pool.pool == Pool::RateLimit && pool.connected))
        .await;
    let share = counters::live_counter_key(&tenant, LiveCount::OfferingViews, object, 0).text();
    let outcome = other.counters().add(&share, 1, std::time::Duration::from_secs(1)).await;
    assert_eq!(outcome, Err(StoreError::Refused), "another service may not");

    let foreign = pricing::price_book_key(&new_tenant(), PriceBookId::generate(), Version::FIRST).text();
    let at = Place { workload: Workload::Catalog, key: &foreign };
    assert_eq!(store.read(at).await, Err(StoreError::Refused), "another service's keys cannot be read");
    let outcome = store.invalidate(at, Version::FIRST, Duration::from_secs(1)).await;
    assert_eq!(outcome, Err(StoreError::Refused), "nor changed from inside a script");
    let own_key = catalog::active_publication_key(&new_tenant()).text();
    let at = Place { workload: Workload::RateLimit, key: &own_key };
    assert_eq!(store.acquire(at, LeaseToken::unique(), Duration::from_secs(1)).await, Err(StoreError::Refused));
}

#[tokio::test]
async fn a_service_finds_its_keys_in_a_cluster() {
    let shape = ClusterShape { primaries: 3, replicas: 0, spares: 0, node_timeout: Duration::from_secs(15) };
    let cluster = RedisCluster::start(shape).await.expect("a cluster of our own");
    for node in cluster.nodes() {
        apply(node.url(), "quoin:").await;
    }
    let config = as_service(Service::Catalog, &cluster.url(), "quoin:");
    let store = std::sync::Arc::new(RedisStore::connect(&config).expect("a cluster's URL"));
    until("a connection", async || store.state().iter().any(|pool| pool.pool == Pool::Content && pool.connected)).await;
    let caches = over(store.clone(), false);
    for driver in drivers::all().into_iter().filter(|driver| driver.keyspace.owner == Owner::One(Service::Catalog)) {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        driver.get(&caches, &tenant, &authority).await;
        let hit = driver.get(&caches, &tenant, &authority).await;
        assert_eq!((hit.source, authority.asked()), (Some(ServedFrom::L2), 1), "{}", driver.keyspace.name);
    }
}

/// What Redis would answer to that user's command.
async fn would(admin: &Client, user: &str, command: &[&str]) -> String {
    let arguments: Vec<&str> = ["DRYRUN", user].into_iter().chain(command.iter().copied()).collect();
    admin.custom(fred::cmd!("ACL"), arguments).await.expect("Redis answers")
}

/// Every service tells and is told; nothing else is possible with those credentials, on no other channel.
#[tokio::test]
async fn hints_pass_between_services_and_on_no_other_channel() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let prefix = "quoin:";
    apply(redis.url(), prefix).await;
    let process = |service| {
        let config = as_service(service, redis.url(), prefix);
        let store = std::sync::Arc::new(RedisStore::connect(&config).expect("a Redis URL"));
        let bus = std::sync::Arc::new(RedisHints::beside(&store, &config).expect("a Redis URL"));
        Process::beside(store, bus)
    };
    let (writer, reader) = (process(Service::Catalog), process(Service::Catalog));
    let (driver, invalidate) = hinted()
        .into_iter()
        .find(|(driver, _)| driver.keyspace.owner == Owner::One(Service::Catalog))
        .expect("the catalog's pointer");
    let (tenant, authority) = (new_tenant(), Authority::with(3));
    writer.trusted(&driver).await;
    reader.knows(&driver, &tenant, &authority).await;
    let heard = reader.state(&driver).heard;
    invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(4)).await.expect("it may invalidate its own");
    hints::until("a hint", async || reader.state(&driver).heard > heard).await;

    let admin = plain(redis.url()).await;
    let server = redis.url().strip_prefix("redis://").expect("a plain URL");
    for service in Service::ALL {
        let user = registry::user_name(*service, Pool::Hints);
        let hands = plain(&format!("redis://{user}:{PASSWORD}@{server}")).await;
        hands.publish::<i64, _, _>("quoin:hints", "x").await.expect("its own channel");
        assert!(hands.publish::<i64, _, _>("other:hints", "x").await.is_err(), "{user}");
        // The library reports a subscription as made once it is sent: Redis itself is asked what it would do.
        assert_eq!(would(&admin, &user, &["SUBSCRIBE", "quoin:hints"]).await, "OK", "{user}");
        for refused in [["SUBSCRIBE", "other:hints"], ["PSUBSCRIBE", "*"], ["PSUBSCRIBE", "quoin:*"]] {
            assert_ne!(would(&admin, &user, &refused).await, "OK", "{user} {refused:?}");
        }
        assert!(hands.get::<Option<String>, _>("quoin:hints").await.is_err(), "{user}");
        let other = registry::user_name(*service, Pool::Content);
        if registry::users_acl(prefix).contains(&format!("user {other} ")) {
            let hands = plain(&format!("redis://{other}:{PASSWORD}@{server}")).await;
            assert!(hands.publish::<i64, _, _>("quoin:hints", "x").await.is_err(), "{other}");
        }
    }
}

/// The auditor and the sweeper work with the credentials of their service, and reach no further than it.
#[tokio::test]
async fn a_service_can_audit_and_sweep_its_own_keys_and_no_others() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let prefix = "quoin:";
    apply(redis.url(), prefix).await;
    let as_inventory = as_service(Service::Inventory, redis.url(), prefix);
    let store = std::sync::Arc::new(RedisStore::connect(&as_inventory).expect("a Redis URL"));
    let pools = [Pool::Content, Pool::Coordination, Pool::RateLimit];
    until("connections", async || {
        store.state().iter().filter(|pool| pools.contains(&pool.pool)).all(|pool| pool.connected)
    })
    .await;
    let hands = plain(redis.url()).await;
    let (tenant, life) = (new_tenant(), Duration::from_mins(1));
    let own_key = inventory::stock_item_key(&tenant, ProductId::generate(), Version::FIRST).text();
    let foreign = pricing::price_book_key(&tenant, PriceBookId::generate(), Version::FIRST).text();
    let foreign_at = format!("{prefix}{foreign}");
    hands.set::<(), _, _>(foreign_at.clone(), "x", None, None, false).await.expect("Redis answers");
    for keyspace in registry::audited_by(Service::Inventory) {
        let scope = Scope { keyspace, tenant: Some(&tenant) };
        store.scan(&scope, Position::default(), 10).await.expect("it may walk where it audits");
    }
    for (workload, lie) in
        [(Workload::Catalog, &b"no frame"[..]), (Workload::Catalog, &frame::tombstone(Version::FIRST))]
    {
        store.put(Place { workload, key: &own_key }, lie, life).await.expect("it may write its own");
        let glimpses = store.glimpse(workload, &[own_key.as_str()]).await.expect("it may look at its own");
        assert_eq!(glimpses[0].as_ref().map(|glimpse| glimpse.len), Some(lie.len() as u64));
        assert_eq!(store.unlink(workload, &[own_key.as_str()]).await, Ok(1), "it may remove its own");
    }
    let answer = coordination::idempotency_key(&tenant, "inventory.reserve", ContentHash::of_bytes(b"k")).text();
    let at = Place { workload: Workload::Idempotency, key: &answer };
    store.put(at, &[b'q'; 64], life).await.expect("it may remember answers");
    store.discard(at, &[b'q'; 64]).await.expect("it may remove a wrong answer");
    assert_eq!(store.read(at).await, Ok(None));

    for outcome in [
        store.unlink(Workload::Catalog, &[foreign.as_str()]).await.err(),
        store.glimpse(Workload::Catalog, &[foreign.as_str()]).await.err(),
    ] {
        assert_eq!(outcome, Some(StoreError::Refused), "another service's keys are not its own");
    }
    assert!(hands.exists::<bool, _>(foreign_at).await.expect("Redis answers"));
    let scope = Scope { keyspace: &coordination::RATE, tenant: Some(&tenant) };
    let walk = store.scan(&scope, Position::default(), 10).await;
    assert_eq!(walk.err(), Some(StoreError::Refused), "there is nothing to audit among counts");
}

#[tokio::test]
async fn dangerous_commands_are_denied() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    apply(redis.url(), "").await;
    let server = redis.url().strip_prefix("redis://").expect("a plain URL");
    for service in Service::ALL {
        let user = registry::user_name(*service, Pool::RateLimit);
        let hands = plain(&format!("redis://{user}:{PASSWORD}@{server}")).await;
        assert!(hands.flushall::<()>(false).await.is_err(), "{user}");
        assert!(
            hands.eval::<i64, _, _, _>("return 1", Vec::<String>::new(), Vec::<String>::new()).await.is_err(),
            "{user}"
        );
        assert!(hands.config_get::<fred::types::Value, _>("*").await.is_err(), "{user}");
        let keys = hands.custom::<Vec<String>, String>(fred::cmd!("KEYS"), vec!["*".into()]).await;
        assert!(keys.is_err(), "{user}");
    }
}
