//! What may change under its key, kept in the memory of several processes.
//!
//! Two or three engines over one store and one bus. A case never waits for a copy to grow old: it asks what the memory has been
//! told, or lets the store lie, so that only a hint can explain a right answer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ports::{Caches, ServedFrom};
use kernel::{TenantId, Version};
use tokio::sync::broadcast;

use super::{
    MemorySubject, Subject,
    authority::Authority,
    drivers::{self, Driver, Outcome},
    lying_bus::LyingBus,
    new_tenant,
};
use crate::{
    ByteStore, Engine, EngineConfig, Place, Stored,
    hints::{Heard, HintBus, LocalHints, MemoryState, PublisherId, Unpublished},
};

/// A store and a bus.
pub trait HintSubject: Subject {
    /// A bus to all processes over this subject.
    fn bus(&self) -> Arc<dyn HintBus>;
}

/// The ones in memory.
#[derive(Default, Clone)]
pub struct LocalSubject {
    memory: MemorySubject,
    bus: LocalHints,
}

/// One process: an engine with a memory.
pub struct Process {
    engine: Engine,
    /// Its ports.
    pub caches: Caches,
}

impl Process {
    /// A process over a store and a bus.
    pub fn over(subject: &dyn HintSubject, bus: Arc<dyn HintBus>) -> Self {
        Self::named(subject, bus, PublisherId::unique())
    }

    /// The same with a publisher's id of before.
    pub fn named(subject: &dyn HintSubject, bus: Arc<dyn HintBus>, publisher: PublisherId) -> Self {
        Self::with(subject.store(), bus, publisher)
    }

    /// The same over a store of its own.
    pub fn beside(store: Arc<dyn ByteStore>, bus: Arc<dyn HintBus>) -> Self {
        Self::with(store, bus, PublisherId::unique())
    }

    fn with(store: Arc<dyn ByteStore>, bus: Arc<dyn HintBus>, publisher: PublisherId) -> Self {
        let engine = Engine::new(store, EngineConfig { hints: Some(bus), publisher, ..EngineConfig::default() });
        Self { caches: engine.caches(), engine }
    }

    /// What the memory of a keyspace has been told.
    pub fn state(&self, driver: &Driver) -> MemoryState {
        let mut states = self.engine.memories().into_iter();
        states.find(|state| state.keyspace == driver.keyspace.name).expect("the keyspace is told of hints")
    }

    /// Waits until the memory is trusted.
    pub async fn trusted(&self, driver: &Driver) {
        until("trust in the memory", async || self.state(driver).trusted).await;
    }

    /// Waits until object 1 is served from memory.
    pub async fn knows(&self, driver: &Driver, tenant: &TenantId, authority: &Authority) -> Outcome {
        let mut last = None;
        until("an answer from memory", async || {
            let answer = driver.get(&self.caches, tenant, authority).await;
            let from_memory = answer.source == Some(ServedFrom::L1);
            last = Some(answer);
            from_memory
        })
        .await;
        last.expect("there was an answer")
    }

    /// Says goodbye.
    pub async fn leave(&self) {
        self.engine.leave().await;
    }
}

/// A memory may have to wait for a silence to be noticed and for the next beat.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..5 {
        for _ in 0..2_000 {
            if condition().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    panic!("{what} did not happen");
}

/// The drivers of keyspaces that are told of hints, and how they are invalidated.
pub fn hinted() -> Vec<(Driver, drivers::Invalidating)> {
    let all: Vec<_> = drivers::invalidated().into_iter().filter(|(driver, _)| driver.keyspace.is_hinted()).collect();
    assert!(!all.is_empty(), "no keyspace is told of hints");
    all
}

/// Only a hint can tell this reader: its own copy is young, and the store has been put back to the old value.
pub async fn a_change_reaches_the_memory_of_another_process(subject: &dyn HintSubject) {
    let (one, other) = (Process::over(subject, subject.bus()), Process::over(subject, subject.bus()));
    let untold = Process::over(subject, Arc::new(LocalHints::new()));
    for (driver, invalidate) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        assert_eq!(other.knows(&driver, &tenant, &authority).await.version, Some(Version::new(3)));
        one.trusted(&driver).await;
        let (key, heard) = ((driver.key)(&tenant, 1), other.state(&driver).heard);
        let old = subject.peek(driver.place(&key)).await.expect("it is kept");
        authority.commit(4);
        invalidate(one.caches.clone(), tenant.clone(), 1, Version::new(4)).await.expect("the store answers");
        until("a hint", async || other.state(&driver).heard > heard).await;
        subject.plant(driver.place(&key), &old.bytes, Some(Duration::from_secs(30))).await;
        let lied_to = driver.get(&untold.caches, &tenant, &authority).await;
        assert_eq!(lied_to.version, Some(Version::new(3)), "{}: the store lies", driver.keyspace.name);
        let told = driver.get(&other.caches, &tenant, &authority).await;
        assert_eq!(told.version, Some(Version::new(4)), "{}", driver.keyspace.name);
        let own = driver.get(&one.caches, &tenant, &authority).await;
        assert_eq!(own.version, Some(Version::new(4)), "{}: its own change", driver.keyspace.name);
    }
}

/// At once: not even the store is waited for.
pub async fn an_own_change_is_seen_at_once(subject: &dyn HintSubject) {
    let process = Process::over(subject, subject.bus());
    for (driver, invalidate) in hinted() {
        let (tenant, other_tenant) = (new_tenant(), new_tenant());
        let (authority, unchanged) = (Authority::with(3), Authority::with(8));
        process.knows(&driver, &tenant, &authority).await;
        process.knows(&driver, &other_tenant, &unchanged).await;
        authority.commit(4);
        let changing = invalidate(process.caches.clone(), tenant.clone(), 1, Version::new(4));
        let (changed, answer) = tokio::join!(changing, driver.get(&process.caches, &tenant, &authority));
        changed.expect("the store answers");
        assert_eq!(answer.version, Some(Version::new(4)), "{}", driver.keyspace.name);
        let kept = process.knows(&driver, &other_tenant, &unchanged).await;
        assert_eq!(kept.version, Some(Version::new(8)), "another object's copy is left alone");
    }
}

/// A process that hears nobody, not even itself, asks the store each time.
pub async fn without_a_way_to_be_told_nothing_is_kept(subject: &dyn HintSubject) {
    let deaf = Process::over(subject, Arc::new(Deaf));
    let alone = Engine::new(subject.store(), EngineConfig::default());
    for (driver, _) in hinted() {
        for caches in [&deaf.caches, &alone.caches()] {
            let (tenant, authority) = (new_tenant(), Authority::with(3));
            for expected in [ServedFrom::Authority, ServedFrom::L2, ServedFrom::L2] {
                let answer = driver.get(caches, &tenant, &authority).await;
                assert_eq!(answer.source, Some(expected), "{}", driver.keyspace.name);
            }
        }
        assert!(!deaf.state(&driver).trusted);
    }
    assert!(alone.memories().is_empty());
}

/// Takes everything and lets nobody hear it.
struct Deaf;

#[async_trait]
impl HintBus for Deaf {
    async fn publish(&self, _messages: &[Bytes]) -> Result<(), Unpublished> {
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Heard> {
        broadcast::Sender::new(1).subscribe()
    }
}

/// The next message shows it; everything is dropped, nothing is kept until the publisher is in order again.
pub async fn a_lost_hint_is_noticed_and_the_memory_begins_anew(subject: &dyn HintSubject) {
    let lossy = LyingBus::over(subject.bus());
    let (writer, reader) = (Process::over(subject, lossy.clone()), Process::over(subject, subject.bus()));
    for (driver, invalidate) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        writer.trusted(&driver).await;
        reader.knows(&driver, &tenant, &authority).await;
        let before = reader.state(&driver);
        lossy.lose_one();
        authority.commit(4);
        invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(4)).await.expect("the store answers");
        until("the gap", async || reader.state(&driver).flushes_for("gap") > before.flushes_for("gap")).await;
        let answer = reader.knows(&driver, &tenant, &authority).await;
        assert_eq!(answer.version, Some(Version::new(4)), "{}", driver.keyspace.name);
        assert_eq!(reader.state(&driver).heard, before.heard, "nobody told it");
    }
}

/// What was on its way before the hint is answered, and not kept.
pub async fn a_value_that_was_being_read_when_it_changed_is_not_kept(subject: &dyn HintSubject) {
    let (writer, reader) = (Process::over(subject, subject.bus()), Process::over(subject, subject.bus()));
    for (driver, invalidate) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::gated(6));
        writer.trusted(&driver).await;
        reader.trusted(&driver).await;
        let slow = tokio::spawn({
            let (caches, tenant, authority) = (reader.caches.clone(), tenant.clone(), authority.clone());
            async move { driver.get(&caches, &tenant, &authority).await }
        });
        authority.until_asked().await;
        let heard = reader.state(&driver).heard;
        authority.commit(7);
        invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(7)).await.expect("the store answers");
        until("a hint", async || reader.state(&driver).heard > heard).await;
        // Whoever comes now joins nobody who began before the hint.
        let after = Authority::with(7);
        assert_eq!(driver.get(&reader.caches, &tenant, &after).await.version, Some(Version::new(7)));
        authority.open();
        assert_eq!(slow.await.expect("the reader ends").version, Some(Version::new(6)));
        let next = driver.get(&reader.caches, &tenant, &after).await;
        assert_eq!(next.version, Some(Version::new(7)), "{}", driver.keyspace.name);
    }
}

/// Nobody tells this reader; the store has refused its fill because something newer is known.
pub async fn what_the_store_refused_is_not_kept_in_memory(subject: &dyn HintSubject) {
    let lossy = LyingBus::over(subject.bus());
    let (writer, reader) = (Process::over(subject, lossy.clone()), Process::over(subject, subject.bus()));
    for (driver, invalidate) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::gated(6));
        writer.trusted(&driver).await;
        reader.trusted(&driver).await;
        let slow = tokio::spawn({
            let (caches, tenant, authority) = (reader.caches.clone(), tenant.clone(), authority.clone());
            async move { driver.get(&caches, &tenant, &authority).await }
        });
        authority.until_asked().await;
        lossy.lose_one();
        authority.commit(7);
        invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(7)).await.expect("the store answers");
        authority.open();
        assert_eq!(slow.await.expect("the reader ends").version, Some(Version::new(6)));
        let next = driver.get(&reader.caches, &tenant, &Authority::with(7)).await;
        assert_eq!(next.version, Some(Version::new(7)), "{}", driver.keyspace.name);
    }
}

/// Doubled, late and overtaken hints change nothing: the newest version that was heard holds.
pub async fn the_newest_hint_holds_in_any_order(subject: &dyn HintSubject) {
    let (writer, reader) = (Process::over(subject, subject.bus()), Process::over(subject, subject.bus()));
    for (driver, invalidate) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        writer.trusted(&driver).await;
        reader.knows(&driver, &tenant, &authority).await;
        let heard = reader.state(&driver).heard;
        authority.commit(9);
        for version in [9, 4, 9, 7] {
            let changed = invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(version)).await;
            changed.expect("the store answers");
        }
        until("all hints", async || reader.state(&driver).heard >= heard + 4).await;
        assert_eq!(reader.knows(&driver, &tenant, &authority).await.version, Some(Version::new(9)));
        let key = (driver.key)(&tenant, 1);
        let nine = subject.peek(driver.place(&key)).await.expect("it is kept");
        authority.commit(10);
        invalidate(writer.caches.clone(), tenant.clone(), 1, Version::new(10)).await.expect("the store answers");
        until("the last hint", async || reader.state(&driver).heard >= heard + 5).await;
        subject.plant(driver.place(&key), &nine.bytes, Some(Duration::from_secs(30))).await;
        assert_eq!(driver.get(&reader.caches, &tenant, &authority).await.version, Some(Version::new(10)));
    }
}

/// A publisher of the same name that counts anew: what the one before it did last is not known.
pub async fn a_publisher_that_begins_anew_is_noticed(subject: &dyn HintSubject) {
    let reader = Process::over(subject, subject.bus());
    let id = PublisherId::unique();
    let driver = hinted()[0].0;
    let before = Process::named(subject, subject.bus(), id);
    before.trusted(&driver).await;
    reader.trusted(&driver).await;
    let flushes = reader.state(&driver).flushes_for("epoch");
    drop(before);
    let after = Process::named(subject, subject.bus(), id);
    until("the new epoch", async || reader.state(&driver).flushes_for("epoch") > flushes).await;
    after.trusted(&driver).await;
    let (tenant, authority) = (new_tenant(), Authority::with(3));
    reader.knows(&driver, &tenant, &authority).await;
}

/// What cannot be read may have been a hint.
pub async fn a_message_that_cannot_be_read_is_a_doubt(subject: &dyn HintSubject) {
    let reader = Process::over(subject, subject.bus());
    for (driver, _) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        reader.knows(&driver, &tenant, &authority).await;
        let flushes = reader.state(&driver).flushes_for("unreadable");
        let bus = subject.bus();
        until("a message", async || bus.publish(&[Bytes::from_static(b"not a hint")]).await.is_ok()).await;
        until("the doubt", async || reader.state(&driver).flushes_for("unreadable") > flushes).await;
        reader.knows(&driver, &tenant, &authority).await;
    }
}

/// A caller who has seen a version gets no older one from memory, told or not.
pub async fn memory_never_undercuts_a_demanded_version(subject: &dyn HintSubject) {
    let process = Process::over(subject, subject.bus());
    for (driver, _) in hinted() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        process.knows(&driver, &tenant, &authority).await;
        authority.commit(5);
        let demanded = driver.get_at_least(&process.caches, &tenant, Some(5), &authority).await;
        assert_eq!(demanded.version, Some(Version::new(5)), "{}", driver.keyspace.name);
        assert_eq!(driver.get(&process.caches, &tenant, &authority).await.version, Some(Version::new(5)), "and kept");
    }
}

#[async_trait]
impl Subject for LocalSubject {
    fn store(&self) -> Arc<dyn ByteStore> {
        self.memory.store()
    }

    async fn flush(&self) {
        self.memory.flush().await;
    }

    async fn evict(&self, at: Place<'_>) {
        self.memory.evict(at).await;
    }

    async fn plant(&self, at: Place<'_>, bytes: &[u8], ttl: Option<Duration>) {
        self.memory.plant(at, bytes, ttl).await;
    }

    async fn peek(&self, at: Place<'_>) -> Option<Stored> {
        self.memory.peek(at).await
    }

    async fn life(&self, at: Place<'_>) -> Option<Duration> {
        self.memory.life(at).await
    }
}

impl HintSubject for LocalSubject {
    fn bus(&self) -> Arc<dyn HintBus> {
        Arc::new(self.bus.clone())
    }
}

impl LocalSubject {
    /// The bus itself.
    pub const fn local(&self) -> &LocalHints {
        &self.bus
    }
}

/// Runs every case on the subject that the given async function makes.
#[macro_export]
macro_rules! hint_suite {
    ($subject:path) => {
        $crate::hint_suite! { @cases $subject,
            a_change_reaches_the_memory_of_another_process,
            an_own_change_is_seen_at_once,
            without_a_way_to_be_told_nothing_is_kept,
            a_lost_hint_is_noticed_and_the_memory_begins_anew,
            a_value_that_was_being_read_when_it_changed_is_not_kept,
            what_the_store_refused_is_not_kept_in_memory,
            the_newest_hint_holds_in_any_order,
            a_publisher_that_begins_anew_is_noticed,
            a_message_that_cannot_be_read_is_a_doubt,
            memory_never_undercuts_a_demanded_version,
        }
    };
    (@cases $subject:path, $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let subject = $subject().await;
                $crate::contract::hints::$case(&subject).await;
            }
        )*
    };
}
