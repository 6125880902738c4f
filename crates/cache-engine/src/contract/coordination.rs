//! Locks, limits and remembered answers.

use std::time::Duration;

use cache_ports::{
    CachedResponse, LockAttempt, LockKey, RateAlgorithm, RateCheck, RateDimension, RatePolicy, WithoutStore,
};
use kernel::ContentHash;

use super::{Subject, new_tenant, process, until};

const LONG: Duration = Duration::from_secs(4);

/// Nobody else can take it or give it back, and it ends.
pub async fn a_lock_belongs_to_its_holder(subject: &dyn Subject) {
    let (one, other) = (process(subject).locks, process(subject).locks);
    let lock = LockKey::CacheWarm { tenant: new_tenant(), key_hash: ContentHash::of_bytes(b"what") };
    let LockAttempt::Granted(lease) = one.try_acquire(lock.clone(), LONG).await else { panic!("it is free") };
    assert!(lease.remaining() > Duration::from_secs(1) && lease.remaining() <= LONG);
    assert!(matches!(other.try_acquire(lock.clone(), LONG).await, LockAttempt::Held));
    let now = std::time::Instant::now();
    let forged = cache_ports::LockLease::new(lock.clone(), [7; 16], now, now + LONG);
    other.release(forged).await;
    assert!(
        matches!(other.try_acquire(lock.clone(), LONG).await, LockAttempt::Held),
        "a forged token releases nothing"
    );
    one.release(lease).await;
    let LockAttempt::Granted(second) = other.try_acquire(lock.clone(), Duration::from_millis(5)).await else {
        panic!("it was given back")
    };
    until("the end of the lock", async || matches!(one.try_acquire(lock.clone(), LONG).await, LockAttempt::Granted(_)))
        .await;
    other.release(second).await;
    assert!(matches!(other.try_acquire(lock, LONG).await, LockAttempt::Held), "a lock that ended releases no other's");
}

/// Nobody is kept waiting by somebody who asked for an hour.
pub async fn a_lock_is_never_held_longer_than_declared(subject: &dyn Subject) {
    let lock = LockKey::CacheWarm { tenant: new_tenant(), key_hash: ContentHash::of_bytes(b"what") };
    let attempt = process(subject).locks.try_acquire(lock.clone(), Duration::from_hours(1)).await;
    let LockAttempt::Granted(lease) = attempt else { panic!("it is free") };
    let keyspace = &cache_ports::coordination::keyspaces::WARM_LOCK;
    assert!(lease.remaining() <= keyspace.ttl.hard);
    let key = cache_ports::coordination::keyspaces::lock_key(&lock).text();
    let place = crate::Place { workload: keyspace.workload, key: &key };
    let life = subject.peek(place).await.and_then(|stored| stored.remaining);
    assert!(life.is_some_and(|life| life <= keyspace.ttl.hard), "{life:?}");
}

fn policy(name: &str, algorithm: RateAlgorithm, limit: u32) -> RatePolicy {
    let policy = RatePolicy::new(name, algorithm, limit, Duration::from_mins(10));
    RatePolicy { without_store: WithoutStore::Refuse, ..policy }
}

/// Over all processes together.
pub async fn a_limit_lets_exactly_its_units_pass(subject: &dyn Subject) {
    let processes = [process(subject).rate, process(subject).rate];
    for algorithm in RateAlgorithm::ALL {
        let (tenant, rule) = (new_tenant(), policy("five", algorithm, 5));
        let check = RateCheck { policy: &rule, dimensions: &[RateDimension::User], actor: "a:b*{c}", route: "GET /x" };
        for turn in 0..8_u32 {
            let limiter = &processes[turn as usize % 2];
            let decision = limiter.check(&tenant, &[check], 1).await.expect("there is something to check");
            assert_eq!(decision.allowed, turn < 5, "{algorithm:?} {turn}");
            assert_eq!(decision.remaining, 4_u32.saturating_sub(turn), "{algorithm:?} {turn}");
            assert_eq!((decision.limit, &*decision.policy, decision.degraded), (5, "five", false));
            assert!(decision.reset_after > Duration::ZERO && decision.reset_after <= 2 * rule.window);
            assert_eq!(decision.retry_after > Duration::ZERO, turn >= 5, "{algorithm:?} {turn}");
        }
        let other = RateCheck { actor: "another", ..check };
        assert!(processes[0].check(&tenant, &[other], 1).await.is_some_and(|decision| decision.allowed));
        assert!(processes[0].check(&new_tenant(), &[check], 1).await.is_some_and(|decision| decision.allowed));
    }
    assert_eq!(processes[0].check(&new_tenant(), &[], 1).await, None);
}

/// A request that one limit refuses costs nothing at the others.
pub async fn limits_are_taken_together_or_not_at_all(subject: &dyn Subject) {
    let (limiter, tenant) = (process(subject).rate, new_tenant());
    let (wide, narrow) = (policy("wide", RateAlgorithm::FixedWindow, 10), policy("narrow", RateAlgorithm::Gcra, 2));
    let of = |policy, dimensions| RateCheck { policy, dimensions, actor: "sam", route: "*" };
    let both = [of(&wide, &[RateDimension::Tenant]), of(&narrow, &[RateDimension::User, RateDimension::Quote])];
    for turn in 0..6 {
        let decision = limiter.check(&tenant, &both, 1).await.expect("there is something to check");
        assert_eq!(decision.allowed, turn < 2);
        assert_eq!(&*decision.policy, "narrow", "the one that refuses, or has least left");
    }
    let decision = limiter.check(&tenant, &both[..1], 3).await.expect("there is something to check");
    assert_eq!((decision.allowed, decision.remaining), (true, 5), "two passed before, and this one costs three");
}

/// Old counts say nothing about a new rule.
pub async fn a_changed_policy_counts_anew(subject: &dyn Subject) {
    let (limiter, tenant) = (process(subject).rate, new_tenant());
    let rules = [
        policy("rule", RateAlgorithm::FixedWindow, 1),
        policy("rule", RateAlgorithm::FixedWindow, 2),
        policy("rule", RateAlgorithm::Gcra, 2),
        policy("rule", RateAlgorithm::TokenBucket, 2),
        policy("rule", RateAlgorithm::SlidingWindow, 2),
        policy("another", RateAlgorithm::SlidingWindow, 2),
        RatePolicy { window: Duration::from_mins(20), ..policy("rule", RateAlgorithm::Gcra, 2) },
    ];
    for rule in rules {
        let check = RateCheck { policy: &rule, dimensions: &[RateDimension::User], actor: "sam", route: "*" };
        let decision = limiter.check(&tenant, &[check], 1).await.expect("there is something to check");
        assert_eq!((decision.allowed, decision.remaining), (true, rule.limit - 1), "{rule:?}");
    }
}

/// It takes what it can, stops nobody, and decides nothing.
pub async fn a_shadow_counts_and_never_refuses(subject: &dyn Subject) {
    let (limiter, tenant) = (process(subject).rate, new_tenant());
    let shadow = RatePolicy { shadow: true, ..policy("shadow", RateAlgorithm::FixedWindow, 2) };
    let real = policy("real", RateAlgorithm::TokenBucket, 4);
    let of = |policy| RateCheck { policy, dimensions: &[RateDimension::User], actor: "sam", route: "*" };
    for turn in 0..6 {
        let decision = limiter.check(&tenant, &[of(&shadow), of(&real)], 1).await.expect("there is something to check");
        assert_eq!((decision.allowed, &*decision.policy), (turn < 4, "real"));
    }
    assert_eq!(limiter.check(&tenant, &[of(&shadow)], 1).await, None, "a shadow alone decides nothing");
    let exposed = RatePolicy { shadow: false, ..shadow.clone() };
    let decision = limiter.check(&tenant, &[of(&exposed)], 1).await.expect("there is something to check");
    assert!(!decision.allowed, "it has counted all the same");
}

/// Until the time it was told.
pub async fn an_exhausted_caller_costs_no_round_trip(subject: &dyn Subject) {
    let (limiter, tenant, rule) = (process(subject).rate, new_tenant(), policy("one", RateAlgorithm::Gcra, 1));
    let check = RateCheck { policy: &rule, dimensions: &[RateDimension::User], actor: "sam", route: "*" };
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(limiter.check(&tenant, &[check], 1).await.expect("there is something to check"));
    }
    assert!(told[0].allowed && !told[1].allowed);
    // The store would let this pass: it has lost its counts. Only what is remembered here still refuses.
    subject.flush().await;
    let decision = limiter.check(&tenant, &[check], 1).await.expect("there is something to check");
    assert!(!decision.allowed && decision.retry_after <= told[1].retry_after, "{decision:?}");
    let elsewhere = process(subject).rate.check(&tenant, &[check], 1).await.expect("there is something to check");
    assert!(elsewhere.allowed, "another process asks the store");
}

/// Whatever they do at the same time.
pub async fn processes_together_never_exceed_a_limit(subject: &dyn Subject) {
    for algorithm in RateAlgorithm::ALL {
        let (tenant, rule) = (new_tenant(), policy("fifty", algorithm, 50));
        let (limiters, began) = ([process(subject).rate, process(subject).rate], std::time::Instant::now());
        let mut asking = tokio::task::JoinSet::new();
        for turn in 0..120 {
            let (limiter, tenant, rule) = (limiters[turn % 2].clone(), tenant.clone(), rule.clone());
            asking.spawn(async move {
                let check = RateCheck { policy: &rule, dimensions: &[RateDimension::Tenant], actor: "all", route: "*" };
                limiter.check(&tenant, &[check], 1).await.is_some_and(|decision| decision.allowed)
            });
        }
        let passed = asking.join_all().await.into_iter().filter(|allowed| *allowed).count();
        // What comes back meanwhile may pass as well.
        let back = began.elapsed().as_micros() * 50 / rule.window.as_micros() + 1;
        assert!(passed >= 50 && passed as u128 <= 50 + back, "{algorithm:?}: {passed}");
    }
}

/// For its own tenant, route and key.
pub async fn a_done_command_is_remembered_byte_for_byte(subject: &dyn Subject) {
    let (one, other) = (process(subject).idempotency, process(subject).idempotency);
    let (tenant, key) = (new_tenant(), ContentHash::of_bytes(b"key"));
    let response = CachedResponse {
        status: 201,
        body: vec![0, 159, 146, 150, b'{'],
        content_type: "application/json".into(),
        etag: Some("\"1\"".into()),
        location: Some("/orders/1".into()),
        fingerprint: ContentHash::of_bytes(b"request"),
    };
    assert_eq!(one.done(&tenant, "createOrder", &key).await, None);
    one.remember(&tenant, "createOrder", &key, &response).await;
    assert_eq!(other.done(&tenant, "createOrder", &key).await, Some(response));
    assert_eq!(other.done(&tenant, "cancelOrder", &key).await, None);
    assert_eq!(other.done(&new_tenant(), "createOrder", &key).await, None);
    assert_eq!(other.done(&tenant, "createOrder", &ContentHash::of_bytes(b"other")).await, None);
}
