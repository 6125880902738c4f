//! Hints between engines of one process: the contract, and what only a stopped clock shows.

use std::{
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use cache_engine::{
    contract::{
        authority::Authority,
        drivers::{Driver, Invalidating},
        hints::{HintSubject, LocalSubject, Process, hinted},
        lying_bus::LyingBus,
        new_tenant,
    },
    hints::{Epoch, Heard, HintBus, Message, PublisherId, Word},
};
use cache_ports::ServedFrom;
use kernel::{TenantId, Version};
use tokio::{
    sync::broadcast::Receiver,
    time::{Instant, advance},
};

fn subject() -> impl Future<Output = LocalSubject> {
    ready(LocalSubject::default())
}

cache_engine::hint_suite!(subject);

/// Lets every task do what it can do now.
async fn settle() {
    for _ in 0..60 {
        tokio::task::yield_now().await;
    }
}

/// Lets that much time pass, in steps no longer than a task sleeps.
async fn pass(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        advance(Duration::from_millis(50)).await;
        settle().await;
    }
}

fn two(subject: &LocalSubject) -> (Driver, Process, Process) {
    (hinted()[0].0, Process::over(subject, subject.bus()), Process::over(subject, subject.bus()))
}

#[tokio::test(start_paused = true)]
async fn whoever_falls_silent_is_waited_for_and_then_believed_gone() {
    let subject = LocalSubject::default();
    let (driver, silent, reader) = two(&subject);
    pass(Duration::from_secs(2)).await;
    assert!(reader.state(&driver).trusted);
    drop(silent);
    pass(Duration::from_secs(4)).await;
    let state = reader.state(&driver);
    assert!(!state.trusted && state.flushes_for("silence") == 1, "{state:?}");
    pass(Duration::from_secs(15)).await;
    assert!(reader.state(&driver).trusted);
}

#[tokio::test(start_paused = true)]
async fn whoever_says_goodbye_is_not_missed() {
    let subject = LocalSubject::default();
    let (driver, leaving, reader) = two(&subject);
    pass(Duration::from_secs(2)).await;
    leaving.leave().await;
    assert!(!leaving.state(&driver).trusted, "whoever no longer listens keeps nothing");
    for _ in 0..100 {
        pass(Duration::from_millis(50)).await;
        assert!(reader.state(&driver).trusted);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_may_have_missed_something_begins_anew() {
    let subject = LocalSubject::default();
    let (driver, _other, reader) = two(&subject);
    let (tenant, authority) = (new_tenant(), Authority::with(3));
    reader.knows(&driver, &tenant, &authority).await;
    subject.local().interrupt();
    settle().await;
    let state = reader.state(&driver);
    assert!(!state.trusted && state.flushes_for("interrupted") == 1, "{state:?}");
    reader.knows(&driver, &tenant, &authority).await;
    // More at once than the bus holds for a listener.
    let beat =
        Message { publisher: PublisherId::unique(), epoch: Epoch::begin(), seq: 0, word: Word::Beat { at_ms: 1 } };
    subject.bus().publish(&vec![beat.to_bytes(); 3_000]).await.expect("the bus answers");
    settle().await;
    let state = reader.state(&driver);
    assert!(!state.trusted && state.flushes_for("lagged") == 1, "{state:?}");
}

/// One object that several processes read and change while the bus lies.
struct World {
    driver: Driver,
    invalidate: Invalidating,
    processes: Vec<Process>,
    tap: Receiver<Heard>,
    tenant: TenantId,
    authority: Authority,
    began: Instant,
    /// Each change: when, and by whom.
    changes: Vec<(u128, usize)>,
    /// The newest version that any hint named.
    told: u64,
    from_memory: usize,
    late: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let subject = LocalSubject::default();
        let tap = subject.bus().subscribe();
        let bus: Arc<dyn HintBus> = LyingBus::by_seed(subject.bus(), seed);
        let processes = (0..3).map(|_| Process::over(&subject, Arc::clone(&bus))).collect();
        let all = hinted();
        let (driver, invalidate) = all[usize::try_from(seed).expect("a small seed") % all.len()];
        let (tenant, authority) = (new_tenant(), Authority::with(1));
        Self {
            driver,
            invalidate,
            processes,
            tap,
            tenant,
            authority,
            began: Instant::now(),
            changes: vec![(0, 0)],
            told: 0,
            from_memory: 0,
            late: 0,
        }
    }

    /// Versions are counted from 1: the number of changes is the newest.
    fn newest(&self) -> u64 {
        self.changes.len() as u64
    }

    async fn change(&mut self, who: usize) {
        self.changes.push((self.began.elapsed().as_millis(), who));
        self.authority.commit(self.newest());
        let caches = self.processes[who].caches.clone();
        let changed = (self.invalidate)(caches, self.tenant.clone(), 1, Version::new(self.newest())).await;
        changed.expect("the store answers");
    }

    /// What has been delivered has been applied.
    async fn hear(&mut self) {
        settle().await;
        while let Ok(heard) = self.tap.try_recv() {
            let Heard::Message(bytes) = heard else { continue };
            if let Some(Message { word: Word::Hint(hint), .. }) = Message::parse(&bytes) {
                self.told = self.told.max(hint.version.get());
            }
        }
    }

    async fn read(&mut self, who: usize) {
        let answer = self.driver.get(&self.processes[who].caches, &self.tenant, &self.authority).await;
        let version = answer.version.expect("it exists").get();
        let (_, max_age) = self.driver.keyspace.in_memory().expect("it is kept in memory");
        let now_ms = self.began.elapsed().as_millis();
        let long_ago = |at_ms: u128| at_ms + max_age.as_millis() <= now_ms;
        let settled = self.changes.iter().filter(|(at_ms, _)| long_ago(*at_ms)).count() as u64;
        assert!(version >= settled, "{version} is served, {settled} is older than any copy may be");
        assert!(version >= self.told, "{version} is served after a hint of {}", self.told);
        let own = self.changes.iter().rposition(|(_, by)| *by == who).map_or(0, |at| at as u64 + 1);
        assert!(version >= own, "{version} is served to whoever made {own}");
        self.from_memory += usize::from(answer.source == Some(ServedFrom::L1));
        self.late += usize::from(version < self.newest());
    }
}

/// Lost, doubled, held back, reordered: no copy is older than its keyspace allows, nor than anything its process was told.
#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_hints_no_copy_is_too_old() {
    let (mut from_memory, mut late) = (0, 0);
    for seed in 0..40 {
        let (mut world, mut random) = (World::new(seed), fastrand::Rng::with_seed(seed));
        for _ in 0..250 {
            match random.u8(0..10) {
                0 => world.change(random.usize(0..3)).await,
                1..=3 => advance(Duration::from_millis(random.u64(1..700))).await,
                _ => world.read(random.usize(0..3)).await,
            }
            world.hear().await;
        }
        (from_memory, late) = (from_memory + world.from_memory, late + world.late);
    }
    assert!(from_memory > 500, "only {from_memory} answers came from memory");
    assert!(late > 0, "the lies had no effect: this world shows nothing");
}
