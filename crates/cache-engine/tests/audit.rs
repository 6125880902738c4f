//! The auditor over the store in memory: every lie is found under its kind and repaired, and what is healthy stays unblamed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use cache_engine::{
    ByteStore, KeyScan, MemoryStore, NoStore, Place, StoreError, Stored,
    audit::{
        AuditRules, Auditor, Outcome, Pass, inspection::Extent, patrol::Patrol, report::Report, verdict::Mismatch,
    },
    contract::{
        Subject,
        audit::{self as audit_contract, BEFORE, NOW, Truths, compared},
        authority::Authority,
        drivers::{self, Driver},
        new_tenant, over, scan as contract,
    },
    frame::{self, HEADER_BYTES},
    scan::{Glimpse, Page, Position},
    store::{
        CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken,
        Workload,
    },
};
use cache_ports::{Caches, Loaded, Witness, catalog::keyspaces as catalog, key::Scope, keyspace::Coherence};
use kernel::{OfferingId, PublicationId, TenantId, Version};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_store_in_memory_can_be_walked_over() {
    let store = Arc::new(MemoryStore::new());
    let subject = Planted(store.clone());
    contract::a_walk_meets_all_keys_in_scope_and_no_others(&subject, store.clone()).await;
    contract::a_glimpse_shows_size_head_and_life(&subject, store.clone()).await;
    contract::what_is_unlinked_is_gone(&subject, store).await;
}

/// The store in memory, with hands.
struct Planted(Arc<MemoryStore>);

#[async_trait]
impl Subject for Planted {
    fn store(&self) -> Arc<dyn ByteStore> {
        self.0.clone()
    }
    async fn flush(&self) {
        self.0.flush();
    }
    async fn evict(&self, at: Place<'_>) {
        self.0.evict(at.key);
    }
    async fn plant(&self, at: Place<'_>, bytes: &[u8], ttl: Option<Duration>) {
        self.0.plant(at.key, Bytes::copy_from_slice(bytes), ttl);
    }
    async fn peek(&self, at: Place<'_>) -> Option<Stored> {
        self.0.peek(at.key)
    }
    async fn life(&self, at: Place<'_>) -> Option<Duration> {
        self.0.life(at.key)
    }
}

struct World {
    store: Arc<MemoryStore>,
    caches: Caches,
    truths: Truths,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self { caches: over(store.clone(), false), store, truths: Truths::default() }
    }

    fn auditor(&self, repair: bool) -> Auditor {
        self.auditor_over(self.store.clone(), self.store.clone(), repair)
    }

    fn auditor_over(&self, store: Arc<dyn ByteStore>, scan: Arc<dyn KeyScan>, repair: bool) -> Auditor {
        let keyspaces: Vec<_> = drivers::all().iter().map(|driver| driver.keyspace).collect();
        let witnesses = compared().iter().map(|driver| self.truths.witness(driver.keyspace)).collect();
        Auditor::new(store, scan, keyspaces, witnesses, AuditRules { grace: GRACE, repair })
    }

    /// Fills object `which` as the engine does when the authority has `version`; the key, and what was filled.
    async fn fill(&self, driver: &Driver, tenant: &TenantId, which: u8, version: u64) -> (String, Value) {
        let read = (driver.read)(self.caches.clone(), tenant.clone(), which, None, Authority::with(version));
        let value = read.await.expect("the authority answers").value;
        ((driver.key)(tenant, which), value)
    }

    fn bytes(&self, key: &str) -> Bytes {
        self.store.peek(key).expect("it is there").bytes
    }
}

async fn inspected(auditor: &Auditor) -> Report {
    let keyspaces = auditor.keyspaces().to_vec();
    auditor.inspect(&keyspaces, None, Extent::All, |_| ()).await.expect("the store answers")
}

#[tokio::test]
async fn every_lie_is_found_under_its_kind_and_repaired() {
    let store = Arc::new(MemoryStore::new());
    audit_contract::every_lie_is_found_under_its_kind_and_repaired(&Planted(store.clone()), store).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_keeps_is_never_blamed() {
    let world = World::new();
    for driver in drivers::all() {
        let tenant = new_tenant();
        let (key, value) = world.fill(&driver, &tenant, 1, NOW).await;
        world.truths.say(&key, NOW, value);
    }
    let report = inspected(&world.auditor(true)).await;
    assert_eq!((report.mismatches(), report.checked()), (0, drivers::all().len() as u64), "{:?}", report.findings);
}

#[tokio::test(start_paused = true)]
async fn fields_in_another_order_are_no_other_content() {
    let (world, tenant) = (World::new(), new_tenant());
    let driver = compared()[0];
    let (key, value) = world.fill(&driver, &tenant, 1, NOW).await;
    // serde_json's map sorts by name, the cached struct does not: the bytes differ, the content does not.
    world.truths.say(&key, NOW, value);
    assert_eq!(inspected(&world.auditor(false)).await.mismatches(), 0);
}

/// A look, then what happens within the grace period, then the second look.
async fn after_grace(world: &World, driver: &Driver, key: &str, meanwhile: impl AsyncFnOnce()) -> Outcome {
    let auditor = world.auditor(false);
    let first = auditor.look(driver.keyspace, key).await.expect("the store answers");
    let Outcome::Suspect(suspect) = first else { panic!("{}: {first:?}", driver.keyspace.name) };
    meanwhile().await;
    tokio::time::sleep_until(suspect.due).await;
    auditor.look_again(&suspect).await.expect("the store answers")
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_within_the_grace_period_leaves_nothing_to_blame() {
    for (driver, invalidate) in drivers::invalidated() {
        let (world, tenant) = (World::new(), new_tenant());
        let (key, value) = world.fill(&driver, &tenant, 1, BEFORE).await;
        world.truths.say(&key, NOW, value);
        let caches = world.caches.clone();
        let outcome = after_grace(&world, &driver, &key, async || {
            invalidate(caches, tenant.clone(), 1, Version::new(NOW)).await.expect("the store answers");
        })
        .await;
        assert!(matches!(outcome, Outcome::Passed(Pass::Silent)), "{}: {outcome:?}", driver.keyspace.name);
    }
}

#[tokio::test(start_paused = true)]
async fn who_caught_up_and_fell_behind_again_has_only_lagged() {
    let slow = |driver: &&(Driver, _)| driver.0.keyspace.ttl.hard > 2 * GRACE;
    for (driver, invalidate) in drivers::invalidated().iter().filter(slow) {
        let (world, tenant) = (World::new(), new_tenant());
        let (key, value) = world.fill(driver, &tenant, 1, BEFORE).await;
        world.truths.say(&key, NOW, value.clone());
        let outcome = after_grace(&world, driver, &key, async || {
            invalidate(world.caches.clone(), tenant.clone(), 1, Version::new(NOW)).await.expect("the store answers");
            world.fill(driver, &tenant, 1, NOW).await;
            world.truths.say(&key, NOW + 1, value);
        })
        .await;
        assert!(matches!(outcome, Outcome::Agrees), "{}: {outcome:?}", driver.keyspace.name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_changes_is_blamed_at_once_when_it_is_old_enough() {
    let (world, tenant, driver) = (World::new(), new_tenant(), compared()[0]);
    assert_eq!(driver.keyspace.coherence, Coherence::Versioned);
    let (key, _) = world.fill(&driver, &tenant, 1, NOW).await;
    world.truths.say(&key, NOW, json!({ "other": true }));
    tokio::time::advance(GRACE * 2).await;
    let outcome = world.auditor(false).look(driver.keyspace, &key).await.expect("the store answers");
    let Outcome::Wrong(finding) = outcome else { panic!("{outcome:?}") };
    assert_eq!((finding.kind, finding.age.map(|age| age >= GRACE)), (Mismatch::OtherContent, Some(true)));
    assert!(finding.fields.iter().any(|field| field.path == "/other"), "{:?}", finding.fields);
}

#[tokio::test(start_paused = true)]
async fn superseded_versions_leases_and_newer_programs_are_not_judged() {
    let (world, tenant) = (World::new(), new_tenant());
    let auditor = world.auditor(true);
    let numbered = compared().into_iter().find(|driver| driver.keyspace.numbered_by().is_some()).expect("one");
    let (key, value) = world.fill(&numbered, &tenant, 1, NOW).await;
    world.truths.say(&key, NOW + 1, value);
    let look = async |driver: &Driver, key: &str| auditor.look(driver.keyspace, key).await.expect("the store answers");
    assert!(matches!(look(&numbered, &key).await, Outcome::Passed(Pass::Superseded)));

    let (driver, invalidate) = drivers::invalidated()[0];
    let key = (driver.key)(&tenant, 1);
    invalidate(world.caches.clone(), tenant.clone(), 1, Version::new(NOW)).await.expect("the store answers");
    assert!(matches!(look(&driver, &key).await, Outcome::Passed(Pass::Silent)), "a tombstone says nothing");
    world.store.plant(&key, Bytes::copy_from_slice(&frame::lease(LeaseToken::unique())), Some(Duration::from_secs(5)));
    assert!(matches!(look(&driver, &key).await, Outcome::Passed(Pass::Silent)), "a lease says nothing");
    let (key, _) = world.fill(&driver, &new_tenant(), 1, NOW).await;
    let mut newer = world.bytes(&key).to_vec();
    newer[2] += 1;
    world.store.plant(&key, newer.into(), Some(Duration::from_secs(30)));
    assert!(
        matches!(look(&driver, &key).await, Outcome::Passed(Pass::Silent)),
        "a newer program's value is left alone"
    );
    assert!(world.store.peek(&key).is_some());
}

#[tokio::test]
async fn a_key_that_hides_its_text_behind_a_hash_is_not_guessed() {
    let (world, tenant) = (World::new(), new_tenant());
    let locale = "x".repeat(200);
    let key = catalog::offering_key(&tenant, PublicationId::generate(), OfferingId::generate(), &locale).text();
    world.store.plant(&key, Bytes::from_static(b"whatever"), Some(Duration::from_secs(30)));
    let outcome = world.auditor(true).look(&catalog::OFFERING, &key).await.expect("the store answers");
    assert!(matches!(outcome, Outcome::Passed(Pass::Hashed)), "{outcome:?}");
    assert!(world.store.peek(&key).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_or_a_sample_bounds_what_is_looked_at() {
    let (world, tenant, driver) = (World::new(), new_tenant(), compared()[0]);
    for which in 1..=40 {
        for tenant in [&tenant, &new_tenant()] {
            let (key, value) = world.fill(&driver, tenant, which, NOW).await;
            world.truths.say(&key, NOW, value);
        }
    }
    let auditor = world.auditor(false);
    let checked = async |tenant, extent| {
        let report = auditor.inspect(&[driver.keyspace], tenant, extent, |_| ()).await.expect("the store answers");
        assert_eq!(report.mismatches(), 0);
        report.checked()
    };
    assert_eq!(checked(None, Extent::All).await, 80);
    assert_eq!(checked(Some(&tenant), Extent::All).await, 40);
    assert_eq!(checked(None, Extent::Sample(7)).await, 7);
    assert_eq!(checked(None, Extent::Sample(500)).await, 80);
}

/// A store that can be told to lose invalidations, to be away, or to answer only some of what it is asked.
struct Faulty {
    store: Arc<MemoryStore>,
    loses_invalidations: bool,
    away: AtomicBool,
    /// Every so many-th question is left without an answer; none where it is 0.
    silent_every: AtomicU32,
    asked: AtomicU32,
}

impl Faulty {
    fn over(store: Arc<MemoryStore>, loses_invalidations: bool) -> Arc<Self> {
        Arc::new(Self {
            store,
            loses_invalidations,
            away: AtomicBool::new(false),
            silent_every: AtomicU32::new(0),
            asked: AtomicU32::new(0),
        })
    }

    fn here(&self) -> Result<&MemoryStore, StoreError> {
        let (asked, every) = (self.asked.fetch_add(1, Ordering::SeqCst) + 1, self.silent_every.load(Ordering::SeqCst));
        let silent = every > 0 && asked.is_multiple_of(every);
        if silent || self.away.load(Ordering::SeqCst) { Err(StoreError::Unavailable) } else { Ok(&self.store) }
    }
}

#[async_trait]
impl ByteStore for Faulty {
    async fn read(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        self.here()?.read(at).await
    }
    async fn read_many(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.here()?.read_many(workload, keys).await
    }
    async fn lease(&self, at: Place<'_>, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        self.here()?.lease(at, request).await
    }
    async fn fill(&self, at: Place<'_>, request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        self.here()?.fill(at, request).await
    }
    async fn abandon(&self, at: Place<'_>, token: LeaseToken) -> Result<(), StoreError> {
        self.here()?.abandon(at, token).await
    }
    async fn invalidate(&self, at: Place<'_>, least: Version, ttl: Duration) -> Result<InvalidateReply, StoreError> {
        if self.loses_invalidations {
            return Ok(InvalidateReply::Tombstoned);
        }
        self.here()?.invalidate(at, least, ttl).await
    }
    async fn discard(&self, at: Place<'_>, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        self.here()?.discard(at, header).await
    }
    async fn put(&self, at: Place<'_>, frame: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.here()?.put(at, frame, ttl).await
    }
    async fn acquire(&self, at: Place<'_>, token: LeaseToken, ttl: Duration) -> Result<bool, StoreError> {
        self.here()?.acquire(at, token, ttl).await
    }
    async fn release(&self, at: Place<'_>, token: LeaseToken) -> Result<bool, StoreError> {
        self.here()?.release(at, token).await
    }
    async fn count(&self, requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        self.here()?.count(requests).await
    }
}

#[async_trait]
impl KeyScan for Faulty {
    async fn scan(&self, scope: &Scope<'_>, from: Position, steps: u32) -> Result<Page, StoreError> {
        self.here()?.scan(scope, from, steps).await
    }
    async fn glimpse(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Glimpse>>, StoreError> {
        self.here()?.glimpse(workload, keys).await
    }
    async fn unlink(&self, workload: Workload, keys: &[&str]) -> Result<u64, StoreError> {
        self.here()?.unlink(workload, keys).await
    }
}

/// Objects change all the time, each change is told to the port, and a patrol goes round meanwhile. Gives what it blamed.
async fn patrolled_while_writing(store: Arc<Faulty>) -> (u64, u64) {
    let world = World { caches: over(store.clone(), false), store: store.store.clone(), truths: Truths::default() };
    let mut patrol = Patrol::of(world.auditor_over(store.clone(), store, false), 100);
    let (mut checked, mut wrong) = (0, 0);
    let tenant = new_tenant();
    for version in 1..=60 {
        for (driver, invalidate) in drivers::invalidated() {
            for which in 1..=3 {
                let key = (driver.key)(&tenant, which);
                // The change first, then the word of it.
                let (_, value) = World::new().fill(&driver, &tenant, which, version).await;
                world.truths.say(&key, version, value);
                let told = invalidate(world.caches.clone(), tenant.clone(), which, Version::new(version)).await;
                told.expect("the store answers");
                world.fill(&driver, &tenant, which, version).await;
            }
        }
        let report = patrol.round().await.expect("the store answers");
        checked += report.checked();
        wrong += report.mismatches();
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    (checked, wrong)
}

#[tokio::test(start_paused = true)]
async fn a_healthy_engine_with_running_writes_is_never_blamed() {
    let (checked, wrong) = patrolled_while_writing(Faulty::over(Arc::new(MemoryStore::new()), false)).await;
    assert_eq!(wrong, 0);
    assert!(checked > 300, "only {checked} entries were judged");
}

/// The control: an auditor that finds nothing when invalidation is switched off proves nothing when it is on.
#[tokio::test(start_paused = true)]
async fn an_engine_without_invalidation_is_found_out() {
    let (_, wrong) = patrolled_while_writing(Faulty::over(Arc::new(MemoryStore::new()), true)).await;
    assert!(wrong > 10, "only {wrong} entries were blamed");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_ends_an_audit_and_the_patrol_goes_on_when_it_is_back() {
    let store = Faulty::over(Arc::new(MemoryStore::new()), false);
    let world = World { caches: over(store.clone(), false), store: store.store.clone(), truths: Truths::default() };
    let driver = compared()[0];
    let (key, value) = world.fill(&driver, &new_tenant(), 1, NOW).await;
    world.truths.say(&key, NOW, value);
    let mut patrol = Patrol::of(world.auditor_over(store.clone(), store.clone(), true), 5);
    store.away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(patrol.round().await.err(), Some(StoreError::Unavailable));
    }
    let auditor = world.auditor_over(store.clone(), store.clone(), true);
    let ended = auditor.inspect(&[driver.keyspace], None, Extent::All, |_| ()).await;
    assert_eq!(ended.err(), Some(StoreError::Unavailable));
    store.away.store(false, Ordering::SeqCst);
    assert_eq!(patrol.round().await.expect("it is back").checked(), 1);
}

/// A busy server answers some of what it is asked: the keyspaces at the end have their turn all the same.
#[tokio::test(start_paused = true)]
async fn a_store_that_answers_now_and_then_keeps_no_keyspace_from_its_turn() {
    let store = Faulty::over(Arc::new(MemoryStore::new()), false);
    let world = World { caches: over(store.clone(), false), store: store.store.clone(), truths: Truths::default() };
    let tenant = new_tenant();
    let mut planted = Vec::new();
    for driver in compared() {
        let (key, _) = world.fill(&driver, &tenant, 1, NOW).await;
        world.store.plant(&key, Bytes::from_static(b"not a frame"), Some(Duration::from_hours(1)));
        planted.push(key);
    }
    assert!(planted.len() > 5, "too few to tell the first from the last");
    let mut patrol = Patrol::of(world.auditor_over(store.clone(), store.clone(), true), 5);
    store.silent_every.store(5, Ordering::SeqCst);
    let mut broken_off = 0;
    for _ in 0..10 * planted.len() {
        broken_off += u32::from(patrol.round().await.is_err());
    }
    assert!(broken_off > 0, "the store answered everything");
    let left: Vec<&String> = planted.iter().filter(|key| world.store.peek(key).is_some()).collect();
    assert!(left.is_empty(), "never looked at: {left:?}");
}

#[tokio::test]
async fn an_authority_that_is_away_blames_nobody() {
    #[derive(Debug, thiserror::Error)]
    #[error("away")]
    struct Away;
    let (world, tenant, driver) = (World::new(), new_tenant(), compared()[0]);
    let (key, _) = world.fill(&driver, &tenant, 1, NOW).await;
    let silent = Witness::of(driver.keyspace, (), |(), _| async { Err::<Loaded<Value>, _>(Away.into()) });
    let rules = AuditRules { grace: Duration::ZERO, repair: true };
    let auditor = Auditor::new(world.store.clone(), world.store.clone(), vec![driver.keyspace], vec![silent], rules);
    let outcome = auditor.look(driver.keyspace, &key).await.expect("the store answers");
    assert!(matches!(outcome, Outcome::Passed(Pass::NoAnswer)), "{outcome:?}");
    assert!(world.store.peek(&key).is_some());
}

#[tokio::test]
async fn without_a_store_there_is_nothing_to_audit() {
    let world = World::new();
    let auditor = world.auditor_over(Arc::new(NoStore), Arc::new(NoStore), true);
    assert_eq!(inspected(&auditor).await.checked(), 0);
}

#[tokio::test]
async fn another_objects_entry_and_one_too_big_are_found() {
    let (world, tenant, driver) = (World::new(), new_tenant(), compared()[0]);
    let auditor = world.auditor(true);
    let kind = async |key: &str| match auditor.look(driver.keyspace, key).await.expect("the store answers") {
        Outcome::Wrong(finding) => Some(finding.kind),
        _ => None,
    };
    let (key, _) = world.fill(&driver, &tenant, 1, NOW).await;
    let (other, _) = world.fill(&driver, &tenant, 2, NOW).await;
    world.store.plant(&key, world.bytes(&other), Some(Duration::from_secs(30)));
    assert_eq!(kind(&key).await, Some(Mismatch::OtherKey));
    assert!(world.store.peek(&key).is_none());
    let huge = vec![b' '; driver.keyspace.size.max_bytes as usize + 1_000];
    world.store.plant(&key, huge.into(), Some(Duration::from_secs(30)));
    assert_eq!(kind(&key).await, Some(Mismatch::Oversize));
    // A tombstone that never ends would keep the key empty for ever.
    world.store.plant(&key, Bytes::copy_from_slice(&frame::tombstone(Version::new(7))), None);
    assert_eq!(kind(&key).await, Some(Mismatch::NoEndOfLife));
    assert!(world.store.peek(&key).is_none());
}

#[test]
fn what_is_found_is_counted_by_keyspace_and_kind_and_never_by_tenant() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let tenant = new_tenant();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (world, driver) = (World::new(), compared()[0]);
            let auditor = world.auditor(true);
            let (key, value) = world.fill(&driver, &tenant, 1, NOW).await;
            world.truths.say(&key, NOW, value);
            auditor.look(driver.keyspace, &key).await.expect("the store answers");
            world.store.plant(&key, world.bytes(&key), None);
            auditor.look(driver.keyspace, &key).await.expect("the store answers");
            auditor.look(driver.keyspace, &key).await.expect("the store answers");
        });
    });
    let page = handle.render();
    for line in [
        r#"cache_audit_checked_total{keyspace="catalog offering"} 2"#,
        r#"cache_audit_mismatch_total{keyspace="catalog offering",kind="no_end_of_life"} 1"#,
        r#"cache_audit_mismatch_total{keyspace="order summary",kind="stale_version"} 0"#,
        r#"cache_audit_repaired_total{keyspace="catalog offering"} 1"#,
        r#"cache_audit_passed_total{keyspace="catalog offering",reason="gone"} 1"#,
        r#"cache_audit_staleness_seconds_count{keyspace="catalog offering"} 1"#,
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains(tenant.as_str()), "{page}");
}
