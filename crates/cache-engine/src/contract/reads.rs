//! Reading through the engine, one keyspace after the other.

use std::time::Duration;

use cache_ports::{
    Caches, ServedFrom,
    key::belongs_to,
    keyspace::{Exposure, Keyspace},
};
use kernel::Version;

use super::{
    Subject,
    authority::Authority,
    drivers::{self, Driver},
    new_tenant, process, remembering_process, samples, until,
};
use crate::frame::{self, Content, Life};

/// The first read asks the authority, the second does not; the key is the tenant's own, and it ends in time.
pub async fn a_miss_loads_and_the_next_read_hits(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, authority, name) = (new_tenant(), Authority::with(3), driver.keyspace.name);
        let first = driver.get(&caches, &tenant, &authority).await;
        let second = driver.get(&caches, &tenant, &authority).await;
        assert_eq!((first.source, second.source), (Some(ServedFrom::Authority), Some(ServedFrom::L2)), "{name}");
        assert_eq!((&first.value, first.version), (&second.value, second.version), "{name}");
        assert_eq!(first.version, Some(Version::new(3)), "{name}");
        assert_eq!(authority.asked(), 1, "{name}");
        let key = (driver.key)(&tenant, 1);
        assert!(belongs_to(driver.keyspace, &key) && key.contains(tenant.as_str()), "{key}");
        let life = subject.peek(driver.place(&key)).await.and_then(|stored| stored.remaining);
        let longest = driver.keyspace.ttl.hard.mul_f64(1.0 + f64::from(driver.keyspace.ttl.jitter_percent) / 100.0);
        let shortest = driver.keyspace.ttl.hard.saturating_sub(Duration::from_secs(1));
        assert!(life.is_some_and(|life| shortest <= life && life <= longest), "{name}: {life:?}");
    }
}

/// Where declared, the store is not asked again; everywhere else it is. Nobody tells these processes what changes.
pub async fn memory_serves_what_never_changes(subject: &dyn Subject) {
    let caches = remembering_process(subject);
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        let loaded = driver.get(&caches, &tenant, &authority).await;
        let again = driver.get(&caches, &tenant, &authority).await;
        let never_changes = driver.keyspace.in_memory().is_some() && !driver.keyspace.is_hinted();
        let tier = if never_changes { ServedFrom::L1 } else { ServedFrom::L2 };
        assert_eq!((again.source, &again.value), (Some(tier), &loaded.value), "{}", driver.keyspace.name);
        // Another process finds it in the store, and keeps it from there.
        let other = remembering_process(subject);
        let found = driver.get(&other, &tenant, &authority).await;
        let kept = driver.get(&other, &tenant, &authority).await;
        assert_eq!((found.source, kept.source), (Some(ServedFrom::L2), Some(tier)), "{}", driver.keyspace.name);
        assert_eq!((kept.value, kept.json), (loaded.value, loaded.json), "{}", driver.keyspace.name);
    }
}

/// What depends on the reader's rights never reaches a client as it is kept, on a hit as on a miss.
pub async fn an_internal_value_is_never_ready_to_send(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        let miss = driver.get(&caches, &tenant, &authority).await;
        let hit = driver.get(&caches, &tenant, &authority).await;
        let expected = (driver.keyspace.exposure == Exposure::Public).then(|| miss.value.clone());
        assert_eq!((miss.json, hit.json), (expected.clone(), expected), "{}", driver.keyspace.name);
    }
}

/// For a short while, and only where the keyspace says so.
pub async fn absence_is_remembered_where_declared(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, authority, name) = (new_tenant(), Authority::without(), driver.keyspace.name);
        let remembers = driver.keyspace.ttl.negative.is_some() || name == "catalog offering";
        for _ in 0..2 {
            assert_eq!(driver.get(&caches, &tenant, &authority).await.version, None, "{name}");
        }
        assert_eq!(authority.asked(), if remembers { 1 } else { 2 }, "{name}");
        let key = (driver.key)(&tenant, 1);
        let life = subject.peek(driver.place(&key)).await.and_then(|stored| stored.remaining);
        assert!(life.unwrap_or_default() <= Duration::from_secs(30), "{name}: {life:?}");
    }
}

/// A frame of that age, as an earlier process would have left it.
pub(super) fn aged(keyspace: &'static Keyspace, key: &str, version: u64, payload: &[u8]) -> Vec<u8> {
    let life = Life { soft: keyspace.ttl.soft, hard: keyspace.ttl.hard };
    let version = Version::new(version);
    let content = Content { keyspace, key, version, life, generated_at_ms: 0, payload: Some(payload) };
    frame::write(&content).expect("the sample fits")
}

async fn plant_aged(
    subject: &dyn Subject,
    driver: &Driver,
    caches: &Caches,
    remaining: Duration,
) -> (String, kernel::TenantId) {
    let tenant = new_tenant();
    let sample = driver.get(caches, &tenant, &Authority::with(1)).await;
    let key = (driver.key)(&tenant, 1);
    let payload = serde_json::to_vec(&sample.value).expect("JSON is JSON");
    let frame = aged(driver.keyspace, &key, 1, &payload);
    subject.plant(driver.place(&key), &frame, Some(remaining)).await;
    (key, tenant)
}

/// At once, and refreshed once however many ask; where nothing is served late, a fresh answer is waited for.
pub async fn a_stale_value_is_served_while_one_refresh_runs(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let ttl = driver.keyspace.ttl;
        if ttl.soft == ttl.hard {
            continue;
        }
        let left = ttl.hard.saturating_sub(ttl.soft) / 2;
        let (_, tenant) = plant_aged(subject, &driver, &caches, left).await;
        let authority = Authority::gated(2);
        for _ in 0..3 {
            let stale = driver.get(&caches, &tenant, &authority).await;
            assert_eq!(stale.source, Some(ServedFrom::L2Stale), "{}", driver.keyspace.name);
            assert!(stale.age + left >= ttl.hard, "{:?}", stale.age);
        }
        authority.until_asked().await;
        authority.open();
        until("the refresh", async || driver.get(&caches, &tenant, &authority).await.source == Some(ServedFrom::L2))
            .await;
        assert_eq!(authority.asked(), 1, "{}", driver.keyspace.name);
    }
}

/// Not even while the store still has it.
pub async fn an_expired_value_is_not_served(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        // A life longer than the frame's own comes from a clock or a writer that is wrong; the age cannot be told from it.
        let (key, tenant) = plant_aged(subject, &driver, &caches, Duration::from_millis(1)).await;
        until("the end of the value", async || subject.peek(driver.place(&key)).await.is_none()).await;
        let answer = driver.get(&caches, &tenant, &Authority::with(2)).await;
        assert_eq!((answer.version, answer.source), (Some(Version::new(2)), Some(ServedFrom::Authority)));
    }
}

/// The caller gets it all the same.
pub async fn a_value_too_big_is_served_and_not_kept(subject: &dyn Subject) {
    let caches = remembering_process(subject);
    let (tenant, authority) = (new_tenant(), Authority::with(1));
    let keyspace = &cache_ports::catalog::keyspaces::OFFERING;
    let text = "x".repeat(keyspace.size.max_bytes as usize + 1);
    for asked in 1..=2 {
        let text = text.clone();
        let load = authority.load(move |version| samples::described_offering(version, &text));
        let (publication, offering) = (
            kernel::PublicationId::derived(uuid::Uuid::nil(), "p"),
            kernel::OfferingId::derived(uuid::Uuid::nil(), "o"),
        );
        let answer = caches.catalog.offering(&tenant, publication, offering, "en", &load).await;
        let served = answer.expect("the authority answers").expect("it exists");
        assert_eq!(served.source, ServedFrom::Authority);
        assert_eq!(authority.asked(), asked);
    }
}

/// Packed above the declared size, and the same afterwards.
pub async fn large_values_are_kept_small_and_come_back_whole(subject: &dyn Subject) {
    let caches = process(subject);
    let (tenant, authority) = (new_tenant(), Authority::with(1));
    let text = "fiber ".repeat(20_000);
    let load = authority.load(move |version| samples::described_offering(version, &text));
    let (publication, offering) = (kernel::PublicationId::generate(), kernel::OfferingId::generate());
    let mut values = Vec::new();
    for _ in 0..2 {
        let answer = caches.catalog.offering(&tenant, publication, offering, "en", &load).await;
        values.push(answer.expect("the store or the authority answers").expect("it exists"));
    }
    assert_eq!((values[0].source, values[1].source), (ServedFrom::Authority, ServedFrom::L2));
    assert_eq!((&values[0].value, &values[0].json), (&values[1].value, &values[1].json));
    let key = cache_ports::catalog::keyspaces::offering_key(&tenant, publication, offering, "en").text();
    let stored = subject.peek(super::content(&key)).await.expect("it is kept");
    assert!(stored.bytes.len() < 20_000, "{} bytes", stored.bytes.len());
}
