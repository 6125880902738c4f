//! Rate limits against an exact oracle: what each algorithm's definition allows, worked out anew from the log of all that passed.
//!
//! Owns random schedules, the oracle, and the judgement of every single answer. Time is handed in: an adapter's test says how its
//! store is told.

use std::time::Duration;

use cache_ports::RateAlgorithm;

use crate::{
    counting::Rule,
    store::{CountReply, CountRequest},
};

/// Something that counts at a moment it is told, in microseconds.
pub trait CountsAt {
    /// Counts all `requests` at `now_us`.
    fn count(&mut self, requests: &[CountRequest<'_>], now_us: u64) -> impl Future<Output = Vec<CountReply>>;
}

/// What passed under one limit, and what its definition says about the next request.
#[derive(Debug)]
struct Oracle {
    algorithm: RateAlgorithm,
    /// Moment and cost of each request that passed.
    passed: Vec<(u64, u64)>,
}

impl Oracle {
    fn allows(&self, rule: Rule, now: u64) -> bool {
        let Rule { limit, window_us, cost } = rule;
        match self.algorithm {
            RateAlgorithm::FixedWindow => {
                let began = self.window_at(window_us, 1, now);
                self.taken(began, now) + cost <= limit
            }
            RateAlgorithm::SlidingWindow => {
                let (previous, taken, elapsed) = self.two_windows(window_us, now);
                let (wide, weight) = (u128::from, u128::from(previous) * u128::from(window_us - elapsed));
                weight + wide(taken + cost) * wide(window_us) <= wide(limit) * wide(window_us)
            }
            // For every stretch of time that ends now: no more than the bucket and what came back meanwhile.
            RateAlgorithm::TokenBucket | RateAlgorithm::Gcra => {
                let mut sum = u128::from(cost);
                cost <= limit
                    && self.passed.iter().rev().all(|(at, taken)| {
                        sum += u128::from(*taken);
                        sum * u128::from(window_us) <= u128::from(limit) * u128::from(window_us + (now - at))
                    })
            }
        }
    }

    /// Panics when what passed up to `now` is more than the algorithm declares (see `RateAlgorithm`).
    fn is_within_what_is_declared(&self, rule: Rule, now: u64) {
        let Rule { limit, window_us, .. } = rule;
        let within = self.taken((now + 1).saturating_sub(window_us), now);
        match self.algorithm {
            RateAlgorithm::FixedWindow => assert!(within <= 2 * limit, "{within} of {limit}"),
            RateAlgorithm::SlidingWindow => {
                let (previous, _, elapsed) = self.two_windows(window_us, now);
                let most = u128::from(limit) * u128::from(window_us) + u128::from(previous) * u128::from(elapsed);
                assert!(u128::from(within) * u128::from(window_us) <= most, "{within} of {limit}, {previous} before");
            }
            RateAlgorithm::TokenBucket | RateAlgorithm::Gcra => {
                assert!(self.allows(Rule { cost: 0, ..rule }, now), "{within} of {limit}");
            }
        }
    }

    fn taken(&self, from: u64, to: u64) -> u64 {
        self.passed.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, cost)| cost).sum()
    }

    /// The beginning of the window in which `now` lies. A window begins with the first request after `memory` windows ended.
    fn window_at(&self, window_us: u64, memory: u64, now: u64) -> u64 {
        let mut first: Option<u64> = None;
        let moments = self.passed.iter().map(|(at, _)| *at).chain([now]);
        for at in moments {
            first = match first {
                Some(began) if at < began + window_us => Some(began),
                Some(began) if at < began + memory * window_us => Some(began + window_us),
                _ => Some(at),
            };
        }
        first.unwrap_or(now)
    }

    /// Units in the window before and in this one, and how far this one has elapsed.
    fn two_windows(&self, window_us: u64, now: u64) -> (u64, u64, u64) {
        let began = self.window_at(window_us, 2, now);
        let before = began.saturating_sub(window_us);
        let previous = if before == began { 0 } else { self.taken(before, began - 1) };
        (previous, self.taken(began, now), now - began)
    }
}

/// A random limit; most are small, so that they are met.
fn random_rule(chance: &mut fastrand::Rng) -> (RateAlgorithm, u32, Duration, bool) {
    let algorithm = RateAlgorithm::ALL[chance.usize(0..RateAlgorithm::ALL.len())];
    let limit = if chance.u8(0..8) == 0 { chance.u32(1..60_000) } else { chance.u32(1..12) };
    let window_us = match chance.u8(0..4) {
        0 => chance.u64(1_000..5_000),
        1 => 1_000_000,
        2 => chance.u64(1_000_000..60_000_000),
        _ => chance.u64(3_600_000_000..=86_400_000_000),
    };
    (algorithm, limit, Duration::from_micros(window_us), chance.u8(0..4) == 0)
}

/// A pause like those that break counters: none, a moment, about a unit, about a window, longer.
fn random_pause(chance: &mut fastrand::Rng, rule: Rule, told: &[CountReply]) -> u64 {
    let unit = rule.window_us / rule.limit;
    match chance.u8(0..8) {
        0 | 1 => 0,
        2 => chance.u64(0..=unit),
        3 => chance.u64(0..=2 * unit),
        4 => chance.u64(0..=rule.window_us / 3),
        5 => (rule.window_us + chance.u64(0..3)).saturating_sub(1),
        6 => chance.u64(0..=3 * rule.window_us),
        // To the moment that was named, or just before it.
        _ => {
            let told = told.iter().map(|reply| reply.retry_after.max(reply.reset_after / 2)).max().unwrap_or_default();
            u64::try_from(told.as_micros()).unwrap_or_default().saturating_sub(chance.u64(0..2))
        }
    }
}

/// Runs one schedule on `store`: limits that are checked together, at moments of its own; `seed` also names its keys.
/// Returns how many requests passed and how many were refused.
pub async fn run_schedule(store: &mut impl CountsAt, seed: u64, prefix: &str, steps: u32) -> (u32, u32) {
    let chance = &mut fastrand::Rng::with_seed(seed);
    let rules: Vec<_> = (0..chance.usize(1..=3)).map(|_| random_rule(chance)).collect();
    let keys: Vec<String> = (0..rules.len()).map(|number| format!("{prefix}{seed}:{number}")).collect();
    let mut oracles: Vec<Oracle> =
        rules.iter().map(|(algorithm, ..)| Oracle { algorithm: *algorithm, passed: Vec::new() }).collect();
    let (mut now, mut told, mut passed, mut refused) = (1_800_000_000_000_000 + seed, Vec::new(), 0, 0);
    for _ in 0..steps {
        let requests: Vec<CountRequest<'_>> = rules
            .iter()
            .zip(&keys)
            .map(|((algorithm, limit, window, shadow), key)| {
                let cost =
                    if chance.u8(0..4) == 0 { chance.u32(1..=limit + 1) } else { chance.u32(1..=limit.div_ceil(4)) };
                CountRequest { key, algorithm: *algorithm, limit: *limit, window: *window, cost, shadow: *shadow }
            })
            .collect();
        let exact: Vec<Rule> = requests.iter().map(Rule::of).collect();
        let paced_by = exact[chance.usize(0..exact.len())];
        now += random_pause(chance, paced_by, &told);
        told = store.count(&requests, now).await;
        assert_eq!(told.len(), requests.len(), "seed {seed}");
        for ((oracle, rule), reply) in oracles.iter().zip(&exact).zip(&told) {
            judge(oracle, *rule, now, reply, seed);
        }
        let lets_in = requests.iter().zip(&told).all(|(request, reply)| reply.allowed || request.shadow);
        *(if lets_in { &mut passed } else { &mut refused }) += 1;
        for ((oracle, rule), reply) in oracles.iter_mut().zip(&exact).zip(&told) {
            if lets_in && reply.allowed {
                oracle.passed.push((now, rule.cost));
                oracle.is_within_what_is_declared(*rule, now);
            }
        }
    }
    (passed, refused)
}

fn judge(oracle: &Oracle, rule: Rule, now: u64, reply: &CountReply, seed: u64) {
    let context = || format!("seed {seed}, {rule:?} at {now}: {reply:?} after {oracle:?}");
    assert_eq!(reply.allowed, oracle.allows(rule, now), "{}", context());
    if reply.allowed {
        assert_eq!(reply.retry_after, Duration::ZERO, "{}", context());
        let left = Rule { cost: rule.cost + u64::from(reply.remaining), ..rule };
        let too_much = Rule { cost: left.cost + 1, ..rule };
        assert!(oracle.allows(left, now) && !oracle.allows(too_much, now), "what is left: {}", context());
    } else if rule.cost <= rule.limit {
        let retry = u64::try_from(reply.retry_after.as_micros()).unwrap_or_default();
        assert!(oracle.allows(rule, now + retry), "the retry: {}", context());
        assert!(retry > 0 && !oracle.allows(rule, now + retry - 1), "not before the retry: {}", context());
    }
    let reset = u64::try_from(reply.reset_after.as_micros()).unwrap_or_default();
    let taken = if reply.allowed { vec![(now, rule.cost)] } else { Vec::new() };
    let after = Oracle { algorithm: oracle.algorithm, passed: oracle.passed.iter().copied().chain(taken).collect() };
    assert!(after.allows(Rule { cost: rule.limit, ..rule }, now + reset), "the reset: {}", context());
}
