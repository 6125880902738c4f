//! Readers and writers over a store that lies: every answer is one the authority gave, to that tenant, about that object.
//!
//! Two processes share the lying store. Objects are told apart by ranges of versions: an answer about another object or
//! tenant carries a version outside the range it should be in. Must never excuse an old value where the lie cannot make one.

use std::{sync::Arc, time::Duration};

use cache_ports::{CachedResponse, Caches, LockAttempt, LockKey, RateAlgorithm, RateCheck, RateDimension, RatePolicy};
use kernel::{ContentHash, TenantId, Version};

use super::{
    Subject,
    authority::Authority,
    drivers::{self, Driver, Outcome},
    lying::{Lie, LyingStore},
    new_tenant, over,
};
use crate::{Engine, EngineConfig, NoStore};

/// Versions of one object lie within a range of this size.
const RANGE: u64 = 1_000_000;
/// Steps of one keyspace's schedule; fewer where nothing changes.
const STEPS: usize = 12;
const STEPS_WITHOUT_CHANGE: usize = 3;
/// How often an invalidation is tried, as its consumer would until it works.
const TRIES: usize = 2_000;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(2);
/// The same dice every time.
const SEED: u64 = 0x71_75_6f_69_6e;

/// Another key's, another tenant's, an older, half, a broken value: the authority answers instead.
pub async fn what_lies_there_is_never_believed_blindly<S: Subject + Clone>(subject: &S) {
    for lie in [
        Lie::AlwaysMiss,
        Lie::OldValue,
        Lie::AnotherVersion,
        Lie::AnotherId,
        Lie::AnotherTenant,
        Lie::Truncated,
        Lie::Flipped,
    ] {
        every_answer_is_right(subject, lie).await;
    }
}

/// Done is what was said to be done, or the next one notices.
pub async fn writes_that_are_dropped_late_or_doubled_change_no_answer<S: Subject + Clone>(subject: &S) {
    for lie in [Lie::WritesDropped, Lie::ExecutedLate, Lie::ExecutedTwice, Lie::RepliesSwapped, Lie::Reset] {
        every_answer_is_right(subject, lie).await;
    }
}

/// Just within the budget, just past it, long past it.
pub async fn slow_answers_change_no_answer<S: Subject + Clone>(subject: &S) {
    for lie in [Lie::Slow49, Lie::Slow51, Lie::Slow500] {
        every_answer_is_right(subject, lie).await;
    }
}

/// Whatever Redis gives as its reason.
pub async fn refusals_change_no_answer<S: Subject + Clone>(subject: &S) {
    for lie in [Lie::NoScript, Lie::ReadOnly, Lie::Loading, Lie::OutOfMemory, Lie::Busy] {
        every_answer_is_right(subject, lie).await;
    }
}

/// All of it, the newest of it, half of it.
pub async fn a_store_that_forgets_changes_no_answer<S: Subject + Clone>(subject: &S) {
    for lie in [Lie::Flush, Lie::Failover, Lie::EvictionStorm] {
        every_answer_is_right(subject, lie).await;
    }
}

/// Locks save work and leases save loads; neither is what makes an answer right.
pub async fn what_is_granted_twice_changes_no_answer<S: Subject + Clone>(subject: &S) {
    for lie in [Lie::LockTwice, Lie::CounterReset, Lie::LeaseTwice] {
        every_answer_is_right(subject, lie).await;
    }
}

/// One object of one tenant, as its authority has it.
struct Object {
    tenant: TenantId,
    which: u8,
    authority: Authority,
    /// Its first version.
    first: u64,
    /// Its version now.
    now: u64,
    /// Nothing older may be shown: acknowledged, and the lie cannot undo that.
    floor: u64,
}

struct World {
    driver: Driver,
    what: &'static str,
    may_show_old: bool,
    processes: [Caches; 2],
    /// Without a store, to say what an answer should be.
    without: Caches,
    objects: Vec<Object>,
    dice: fastrand::Rng,
}

/// Runs a schedule on each keyspace, and then locks, limits and remembered answers, over a store that tells `lie`.
pub async fn every_answer_is_right<S: Subject + Clone>(subject: &S, lie: Lie) {
    let mut struck = 0;
    let (what, may_show_old) = (lie.as_str(), lie.may_show_old());
    let lying = || Arc::new(LyingStore::over(Arc::new(subject.clone()), lie, SEED));
    for driver in drivers::all() {
        let store = lying();
        let process = || {
            let config = EngineConfig { in_memory: false, ..EngineConfig::default() };
            Engine::with_guards(subject.guards(), store.clone(), config).caches()
        };
        readers_and_writers(driver, what, may_show_old, [process(), process()]).await;
        struck += store.struck();
    }
    let store = lying();
    locks_limits_and_answers(what, &over(store.clone(), false)).await;
    struck += store.struck();
    assert!(struck > 0, "{what}: it never struck");
}

/// Two processes read and change objects of one keyspace; their store has something wrong with it.
pub async fn readers_and_writers(driver: Driver, what: &'static str, may_show_old: bool, processes: [Caches; 2]) {
    let mut world = World::new(driver, what, may_show_old, processes);
    let steps = if driver.invalidate.is_some() { STEPS } else { STEPS_WITHOUT_CHANGE };
    for _ in 0..steps {
        world.step().await;
    }
}

impl World {
    fn new(driver: Driver, what: &'static str, may_show_old: bool, processes: [Caches; 2]) -> Self {
        let tenants = [new_tenant(), new_tenant()];
        let object = |place: u8| {
            let tenant = tenants[usize::from(place) % 2].clone();
            let first = u64::from(place + 1) * RANGE;
            Object {
                tenant,
                which: 1 + place / 2,
                authority: Authority::yielding(first),
                first,
                now: first,
                floor: first,
            }
        };
        // A keyspace of one key a tenant has one object a tenant.
        let objects = if driver.keyspace.dimensions.len() > 1 { 4 } else { 2 };
        let objects = (0..objects).map(object).collect();
        let without = over(Arc::new(NoStore), false);
        Self { driver, what, may_show_old, processes, without, objects, dice: fastrand::Rng::with_seed(SEED) }
    }

    async fn step(&mut self) {
        let changes = self.driver.invalidate.is_some() && self.dice.u8(0..100) < 30;
        if changes {
            self.change().await;
        }
        self.read_all().await;
    }

    /// One object changes, and its event arrives.
    async fn change(&mut self) {
        let Some(invalidate) = self.driver.invalidate else { return };
        let place = self.dice.usize(0..self.objects.len());
        let caches = self.processes[self.dice.usize(0..2)].clone();
        let object = &mut self.objects[place];
        object.now += 1;
        object.authority.commit(object.now);
        for _ in 0..TRIES {
            let tenant = object.tenant.clone();
            if invalidate(caches.clone(), tenant, object.which, Version::new(object.now)).await.is_ok() {
                if !self.may_show_old {
                    object.floor = object.now;
                }
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{}: {} tries were not enough", self.what, TRIES);
    }

    /// Every object is read by both processes at the same time, some by callers who demand the newest version.
    async fn read_all(&mut self) {
        let mut reads = Vec::new();
        let readers = (0..self.objects.len()).flat_map(|place| [(place, 0), (place, 1)]);
        for (place, process) in readers {
            let object = &self.objects[place];
            let demands = self.driver.invalidate.is_some() && self.dice.u8(0..100) < 25;
            let min = demands.then(|| Version::new(object.now));
            let caches = self.processes[process].clone();
            let read = (self.driver.read)(caches, object.tenant.clone(), object.which, min, object.authority.clone());
            reads.push((place, min, tokio::spawn(read)));
        }
        for (place, min, read) in reads {
            let what = format!("{}: {}", self.driver.keyspace.name, self.what);
            let answer = read.await.expect("the reader ends").unwrap_or_else(|error| panic!("{what}: {error}"));
            self.judge(&self.objects[place], min, &answer, &what).await;
        }
    }

    async fn judge(&self, object: &Object, min: Option<Version>, answer: &Outcome, what: &str) {
        let Some(version) = answer.version.map(Version::get) else { panic!("{what}: it exists") };
        assert!((object.first..=object.now).contains(&version), "{what}: {version} of another object, or of none");
        let least = object.floor.max(min.map_or(0, Version::get));
        assert!(version >= least, "{what}: {version} after {least} was acknowledged or demanded");
        let truth = self.driver.get(&self.without, &object.tenant, &Authority::with(version)).await;
        assert_eq!((&answer.value, &answer.json), (&truth.value, &truth.json), "{what}");
    }
}

/// Units of the limit that nobody reaches.
const PLENTY: u32 = 1_000;

/// Nothing is made up: an answer that was never given, a refusal without a reason.
pub async fn locks_limits_and_answers(what: &str, caches: &Caches) {
    let tenant = new_tenant();
    let response = |body: u8| CachedResponse {
        status: 201,
        body: vec![body; 40],
        content_type: "application/json".into(),
        etag: None,
        location: None,
        fingerprint: ContentHash::of_bytes(&[body]),
    };
    for round in 0..8_u8 {
        let key = ContentHash::of_bytes(&[round]);
        assert_eq!(caches.idempotency.done(&tenant, "createOrder", &key).await, None, "{what}: it was never done");
        caches.idempotency.remember(&tenant, "createOrder", &key, &response(round)).await;
        for known in 0..=round {
            let key = ContentHash::of_bytes(&[known]);
            let told = caches.idempotency.done(&tenant, "createOrder", &key).await;
            assert!(told.is_none() || told == Some(response(known)), "{what}: {told:?}");
        }
        let lock = LockKey::CacheWarm { tenant: tenant.clone(), key_hash: key };
        let first = caches.locks.try_acquire(lock.clone(), Duration::from_secs(4)).await;
        if let LockAttempt::Granted(lease) = first {
            let second = caches.locks.try_acquire(lock, Duration::from_secs(4)).await;
            // Held by two is what a lock of an accelerator may be; giving it back twice must do no harm.
            if let LockAttempt::Granted(again) = second {
                caches.locks.release(again).await;
            }
            caches.locks.release(lease).await;
        }
        let policy = RatePolicy::new("plenty", RateAlgorithm::FixedWindow, PLENTY, Duration::from_mins(10));
        let check = RateCheck { policy: &policy, dimensions: &[RateDimension::User], actor: "sam", route: "*" };
        let decision = caches.rate.check(&tenant, &[check], 1).await.expect("there is something to check");
        assert!(decision.allowed, "{what}: a refusal out of nothing");
    }
}
