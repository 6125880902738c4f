//! The sweeper over the store in memory: what is superseded goes, and nothing else.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache_engine::{
    KeyScan, MemoryStore, NoStore,
    frame::{self, Content, Life},
    store::LeaseToken,
    sweep::{SweepError, SweepRules, Sweeper, Swept},
};
use cache_ports::{
    Loaded, Witness, catalog::keyspaces as catalog, inventory::keyspaces as inventory, keyspace::Keyspace,
    order::keyspaces as order,
};
use kernel::{OrderId, ProductId, TenantId, Version};
use metrics_exporter_prometheus::PrometheusBuilder;

const NEWEST: u64 = 5;
const RULES: SweepRules = SweepRules { min_age: Duration::from_secs(15), keys_per_sec: 1_000, dry_run: false };

#[derive(Debug, thiserror::Error)]
#[error("away")]
struct Away;

/// Knows that every object's newest version is the fifth, or nothing at all.
fn witness(keyspace: &'static Keyspace, newest: Option<u64>) -> Witness {
    Witness::of(keyspace, (), |(), _| async { Ok(Loaded::<u64>::Absent) })
        .knowing_newest(newest, |newest, _| async move { Ok(newest.map(Version::new)) })
}

struct World {
    store: Arc<MemoryStore>,
    tenant: TenantId,
    product: ProductId,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self { store, tenant: "acme".parse().expect("a tenant"), product: ProductId::generate() }
    }

    /// Fills one version of the stock; the key.
    fn fill(&self, version: u64) -> String {
        let key = inventory::stock_item_key(&self.tenant, self.product, Version::new(version)).text();
        self.put(&inventory::STOCK_ITEM, &key, version);
        key
    }

    fn put(&self, keyspace: &'static Keyspace, key: &str, version: u64) {
        let life = Life::drawn(keyspace);
        let version = Version::new(version);
        let content = Content { keyspace, key, version, life, generated_at_ms: 0, payload: Some(b"{}") };
        self.store.plant(key, frame::write(&content).expect("it is small").into(), Some(life.hard));
    }

    fn has(&self, key: &str) -> bool {
        self.store.peek(key).is_some()
    }

    async fn sweep(&self, rules: SweepRules, newest: Option<u64>) -> Swept {
        let witnesses = vec![witness(&inventory::STOCK_ITEM, newest)];
        let swept = Sweeper::new(self.store.clone(), witnesses, rules).sweep(|_, _| ()).await.expect("all answer");
        swept.into_iter().map(|(_, swept)| swept).next().expect("one keyspace")
    }
}

#[tokio::test(start_paused = true)]
async fn superseded_versions_go_and_the_newest_stays() {
    let world = World::new();
    let keys: Vec<String> = (1..=NEWEST + 1).map(|version| world.fill(version)).collect();
    tokio::time::advance(RULES.min_age * 3).await;
    let dry = world.sweep(SweepRules { dry_run: true, ..RULES }, Some(NEWEST)).await;
    assert!(keys.iter().all(|key| world.has(key)), "a dry run removes nothing");
    let swept = world.sweep(RULES, Some(NEWEST)).await;
    assert_eq!((swept.seen, swept.removed), (NEWEST + 1, NEWEST - 1));
    assert_eq!(swept, dry);
    assert!(swept.bytes > 4 * 64);
    let left: Vec<bool> = keys.iter().map(|key| world.has(key)).collect();
    // The sixth is of a write that came between the question and the look.
    assert_eq!(left, [false, false, false, false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn what_is_young_or_being_loaded_or_of_nobody_stays() {
    let world = World::new();
    let lease = inventory::stock_item_key(&world.tenant, world.product, Version::new(1)).text();
    tokio::time::advance(Duration::from_mins(1)).await;
    let young = world.fill(2);
    world.store.plant(
        &lease,
        Bytes::copy_from_slice(&frame::lease(LeaseToken::unique())),
        Some(Duration::from_secs(5)),
    );
    assert_eq!(world.sweep(RULES, Some(NEWEST)).await.removed, 0);
    assert!(world.has(&young) && world.has(&lease));
    tokio::time::advance(RULES.min_age * 2).await;
    assert_eq!(world.sweep(RULES, None).await.removed, 0, "an object that does not exist has no newest version");
    assert!(world.has(&young));
    assert_eq!(world.sweep(RULES, Some(NEWEST)).await.removed, 1);
    assert!(!world.has(&young));
}

#[tokio::test(start_paused = true)]
async fn without_the_authority_nothing_goes() {
    let world = World::new();
    let key = world.fill(1);
    tokio::time::advance(RULES.min_age * 3).await;
    let silent = Witness::of(&inventory::STOCK_ITEM, (), |(), _| async { Ok(Loaded::<u64>::Absent) })
        .knowing_newest((), |(), _| async { Err::<Option<Version>, _>(Away.into()) });
    let outcome = Sweeper::new(world.store.clone(), vec![silent], RULES).sweep(|_, _| ()).await;
    assert!(matches!(outcome, Err(SweepError::Authority(_))), "{outcome:?}");
    assert!(world.has(&key));
}

#[tokio::test(start_paused = true)]
async fn only_keyspaces_whose_keys_count_versions_are_swept() {
    let witnesses = vec![
        witness(&catalog::OFFERING, Some(NEWEST)),
        witness(&order::ORDER_SUMMARY, Some(NEWEST)),
        Witness::of(&inventory::STOCK_ITEM, (), |(), _| async { Ok(Loaded::<u64>::Absent) }),
    ];
    let sweeper = Sweeper::new(Arc::new(NoStore), witnesses, RULES);
    let names: Vec<&str> = sweeper.keyspaces().map(|keyspace| keyspace.name).collect();
    assert_eq!(names, ["order summary"], "an offering has no versions, and nobody knows the newest stock");
}

/// A rate limit is kept: as many keys as are judged in a second take a second.
#[tokio::test(start_paused = true)]
async fn a_sweep_takes_its_time() {
    let world = World::new();
    for _ in 0..300 {
        let key = order::order_summary_key(&world.tenant, OrderId::generate(), Version::FIRST).text();
        world.put(&order::ORDER_SUMMARY, &key, 1);
    }
    tokio::time::advance(Duration::from_secs(20)).await;
    let began = tokio::time::Instant::now();
    let rules = SweepRules { keys_per_sec: 100, ..RULES };
    let scan: Arc<dyn KeyScan> = world.store.clone();
    let sweeper = Sweeper::new(scan, vec![witness(&order::ORDER_SUMMARY, Some(NEWEST))], rules);
    let mut told = 0;
    let swept = sweeper.sweep(|_, _| told += 1).await.expect("all answer");
    assert_eq!(swept[0].1.seen, 300);
    assert!(swept[0].1.removed > 0 && told > 1);
    // The clock is the test's own, and moves by what the sweeper waits.
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[test]
fn what_is_swept_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let world = World::new();
            world.fill(1);
            tokio::time::advance(RULES.min_age * 3).await;
            world.sweep(RULES, Some(NEWEST)).await;
        });
    });
    let page = handle.render();
    assert!(page.contains(r#"cache_swept_keys_total{keyspace="inventory item"} 1"#), "{page}");
    assert!(page.contains(r#"cache_swept_bytes_total{keyspace="inventory item"}"#), "{page}");
}
