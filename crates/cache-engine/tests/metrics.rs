//! What is counted, and that no tenant or id is ever a label.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache_engine::{
    NoStore,
    contract::{
        MemorySubject, Subject,
        authority::Authority,
        drivers,
        hints::{self, HintSubject, LocalSubject, Process},
        new_tenant, over,
    },
};
use cache_ports::{LockKey, RateAlgorithm, RateCheck, RateDimension, RatePolicy};
use kernel::{ContentHash, TenantId, Version};
use metrics_exporter_prometheus::PrometheusBuilder;

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
        invalidate(caches.clone(), tenant.clone(), 1, Version::new(version)).await.expect("the store answers");
    }
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
    shows(&page, r#"cache_invalidations_total{keyspace="active publication pointer",outcome="tombstoned"} 1"#);
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
