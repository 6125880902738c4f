//! What is counted, and that no tenant or id is ever a label.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache_engine::{
    Engine, EngineConfig, NoStore,
    contract::{
        MemorySubject, Subject,
        authority::Authority,
        drivers,
        hints::{self, HintSubject, LocalSubject, Process},
        new_tenant, over,
    },
};
use cache_ports::{
    LockKey, RateAlgorithm, RateCheck, RateDimension, RatePolicy, committed_at,
    counters::{LiveCount, Tally},
};
use kernel::{Clock, ContentHash, SystemClock, TenantId, Version};
use metrics_exporter_prometheus::PrometheusBuilder;

/// So long after a commit its invalidation begins; far longer than it takes.
const LAG: Duration = Duration::from_hours(1);

/// Runs `work` on this thread and gives what a scrape would show.
fn scraped(work: impl AsyncFnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work());
    });
    handle.render()
}

fn shows(page: &str, line: &str) {
    assert!(page.lines().any(|shown| shown == line), "{line} is not in\n{page}");
}

/// One of everything, by tenant `tenant`.
async fn one_of_everything(tenant: &TenantId) {
    let subject = MemorySubject::default();
    let caches = over(subject.store(), true);
    let driver = drivers::all()[0];
    assert_eq!(driver.keyspace.name, "catalog offering");
    for _ in 0..3 {
        driver.get(&caches, tenant, &Authority::with(1)).await;
    }
    driver.get(&over(subject.store(), false), tenant, &Authority::with(1)).await;
    let key = (driver.key)(tenant, 1);
    subject.plant(driver.place(&key), b"garbage", Some(Duration::from_secs(9))).await;
    driver.get(&over(subject.store(), false), tenant, &Authority::with(1)).await;
    driver.get(&over(Arc::new(NoStore), false), tenant, &Authority::with(1)).await;

    let (pointer, invalidate) = drivers::invalidated()[0];
    assert_eq!(pointer.keyspace.name, "active publication pointer");
    pointer.get(&caches, tenant, &Authority::with(1)).await;
    for version in [1, 2] {
        let told = invalidate(caches.clone(), tenant.clone(), 1, Version::new(version));
        committed_at(SystemClock.now() - LAG, told).await.expect("the store answers");
    }
    // By the process that made the change: nobody measures what nobody waited for.
    invalidate(caches.clone(), tenant.clone(), 1, Version::new(3)).await.expect("the store answers");
    let lock = LockKey::CacheWarm { tenant: tenant.clone(), key_hash: ContentHash::of_bytes(b"x") };
    let _held = caches.locks.try_acquire(lock.clone(), Duration::from_secs(1)).await;
    let _refused = caches.locks.try_acquire(lock, Duration::from_secs(1)).await;
    let policy = RatePolicy::new("one", RateAlgorithm::Gcra, 1, Duration::from_mins(1));
    let shadow =
        RatePolicy { shadow: true, ..RatePolicy::new("dark", RateAlgorithm::TokenBucket, 1, Duration::from_mins(1)) };
    let of = |policy| RateCheck { policy, dimensions: &[RateDimension::User], actor: "canary-actor", route: "*" };
    caches.rate.check(tenant, &[of(&shadow)], 1).await;
    caches.rate.check(tenant, &[of(&shadow)], 1).await;
    for _ in 0..3 {
        caches.rate.check(tenant, &[of(&policy)], 1).await;
    }
}

#[test]
fn hits_misses_fills_and_invalidations_are_counted_by_keyspace() {
    let tenant = new_tenant();
    let page = scraped(async || one_of_everything(&tenant).await);
    shows(&page, r#"cache_hits_total{keyspace="catalog offering",tier="l1"} 2"#);
    shows(&page, r#"cache_hits_total{keyspace="catalog offering",tier="l2"} 1"#);
    shows(&page, r#"cache_misses_total{keyspace="catalog offering",reason="corrupt"} 1"#);
    shows(&page, r#"cache_misses_total{keyspace="catalog offering",reason="absent"} 2"#);
    shows(&page, r#"cache_fills_total{keyspace="catalog offering",outcome="stored"} 2"#);
    shows(&page, r#"cache_authority_loads_total{keyspace="catalog offering"} 3"#);
    shows(&page, r#"cache_invalidations_total{keyspace="active publication pointer",outcome="not_older"} 1"#);
    shows(&page, r#"cache_invalidations_total{keyspace="active publication pointer",outcome="tombstoned"} 2"#);
    let lag = |of| format!("cache_invalidation_lag_seconds_{of}{{keyspace=\"active publication pointer\"}} ");
    shows(&page, &format!("{}2", lag("count")));
    let sum: f64 =
        page.lines().find_map(|line| line.strip_prefix(&lag("sum"))).expect("a sum").parse().expect("seconds");
    assert!(sum >= 2.0 * LAG.as_secs_f64() && sum < 3.0 * LAG.as_secs_f64(), "{sum}");
    shows(&page, r#"cache_lock_attempts_total{keyspace="cache-warm lock",outcome="granted"} 1"#);
    shows(&page, r#"cache_lock_attempts_total{keyspace="cache-warm lock",outcome="held"} 1"#);
    for (policy, outcome, mode) in [
        ("one", "allowed", "shared"),
        ("one", "refused", "shared"),
        ("one", "refused", "remembered"),
        ("dark", "allowed", "shared"),
        ("dark", "would_refuse", "shared"),
    ] {
        let labels = format!(r#"keyspace="rate limit",policy="{policy}",outcome="{outcome}",mode="{mode}""#);
        shows(&page, &format!("cache_rate_checks_total{{{labels}}} 1"));
    }
    assert!(!page.contains(tenant.as_str()) && !page.contains("canary-actor"), "{page}");
}

/// Three of four readers ask for the same key: a sample finds it, whoever looks into the process is told, the metrics only learn
/// its share.
#[test]
fn the_key_that_most_ask_for_is_found_and_the_metrics_learn_its_share_alone() {
    let (popular, others) = (new_tenant(), [(); 97].map(|()| new_tenant()));
    let driver = drivers::all()[0];
    let mut hottest = Vec::new();
    let page = scraped(async || {
        let engine = Engine::new(MemorySubject::default().store(), EngineConfig::default());
        let (caches, authority) = (engine.caches(), Authority::with(1));
        for round in 0..20_000 {
            let tenant = if round % 4 == 0 { &others[round % others.len()] } else { &popular };
            driver.get(&caches, tenant, &authority).await;
        }
        hottest = engine.hot_keys(1);
    });
    assert_eq!(hottest.len(), 1, "only one keyspace was read: {hottest:?}");
    assert_eq!((hottest[0].keyspace, &hottest[0].key), (driver.keyspace.name, &(driver.key)(&popular, 1)));
    assert!((0.5..1.0).contains(&hottest[0].share), "{hottest:?}");
    let share =
        page.lines().find_map(|line| line.strip_prefix(r#"cache_hottest_key_share{keyspace="catalog offering"} "#));
    assert_eq!(share.and_then(|share| share.parse().ok()), Some(hottest[0].share), "{page}");
    assert!(!page.contains(popular.as_str()), "{page}");
}

#[test]
fn hints_are_counted_by_keyspace() {
    let tenant = new_tenant();
    let page = scraped(async || {
        let subject = LocalSubject::default();
        let (writer, reader) = (Process::over(&subject, subject.bus()), Process::over(&subject, subject.bus()));
        let (driver, invalidate) = hints::hinted()[0];
        writer.trusted(&driver).await;
        reader.knows(&driver, &tenant, &Authority::with(1)).await;
        invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(2)).await.expect("the store answers");
        hints::until("a hint", async || reader.state(&driver).heard == 1).await;
        subject.local().interrupt();
        hints::until("a flush", async || reader.state(&driver).flushes_for("interrupted") == 1).await;
        reader.trusted(&driver).await;
        writer.trusted(&driver).await;
        let lost = Bytes::from_static(b"not a hint");
        subject.bus().publish(&[lost]).await.expect("the bus answers");
        hints::until("a flush", async || reader.state(&driver).flushes_for("unreadable") == 1).await;
    });
    shows(&page, r#"cache_hints_published_total{keyspace="active publication pointer"} 1"#);
    shows(&page, r#"cache_hints_received_total{keyspace="active publication pointer"} 1"#);
    shows(&page, r#"cache_hints_lost_total{reason="unreadable"} 2"#);
    let flushes = r#"cache_in_memory_flushes_total{keyspace="active publication pointer",reason="interrupted"} 2"#;
    shows(&page, flushes);
    shows(&page, r#"cache_in_memory_bypassed{keyspace="active publication pointer"} 0"#);
    assert!(!page.contains(tenant.as_str()), "{page}");
}

#[test]
fn counts_reach_the_metrics_once_and_without_tenant_or_object() {
    let (tenant, object) = (new_tenant(), uuid::Uuid::now_v7());
    let page = scraped(async || {
        let subject = MemorySubject::default();
        let (one, other) = (over(subject.store(), false), over(subject.store(), false));
        for caches in [&one, &other, &one] {
            caches.counters.count(&tenant, LiveCount::OfferingViews, object);
        }
        for caches in [&one, &other, &one] {
            caches.counters.flush().await;
        }
        let nowhere = over(Arc::new(NoStore), false);
        nowhere.counters.count(&tenant, LiveCount::OfferingViews, object);
        nowhere.counters.flush().await;
    });
    shows(&page, "catalog_offering_views_total 3");
    shows(&page, r#"cache_counts_skipped_total{keyspace="live counter",step="write",reason="unavailable"} 1"#);
    assert!(!page.contains(tenant.as_str()) && !page.contains(&object.to_string()), "{page}");
}

/// Without anybody asking for it. The clock is paused: it goes on while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_count_is_written_out_and_moved_behind_the_request() {
    let subject = MemorySubject::default();
    let (one, other) = (over(subject.store(), false), over(subject.store(), false));
    let (tenant, object) = (new_tenant(), uuid::Uuid::now_v7());
    for round in 1..=2 {
        one.counters.count(&tenant, LiveCount::OfferingViews, object);
        assert_eq!(other.counters.sum(&tenant, LiveCount::OfferingViews, object).await, Some(round - 1));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(other.counters.sum(&tenant, LiveCount::OfferingViews, object).await, Some(round));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let listed = other.counters.most_counted(&tenant, LiveCount::OfferingViews, 1).await;
        assert_eq!(listed, Some(vec![Tally { object, count: round }]));
    }
}
