//! Rate limits: all of a request's limits in one round trip, none where this process knows the answer, and this process alone
//! while the store is away.

mod denials;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cache_ports::{
    MAX_RATE_CHECKS, RateCheck, RateDecision, RateDimension, RateLimiter, RatePolicy, WithoutStore,
    coordination::keyspaces,
};
use kernel::TenantId;
use metrics::counter;
use tokio::time::Instant;

use self::denials::{Denial, Denials};
use crate::{
    engine::Core,
    memory::MemoryStore,
    store::{ByteStore, CountReply, CountRequest},
};

/// The form in which adapters remember counts; programs with another one share none with this one.
const COUNT_FORM: u8 = 2;
/// What a caller is told whose requests nobody can count.
const RETRY_WHEN_UNCOUNTED: Duration = Duration::from_secs(1);

pub(super) struct Rate {
    core: Arc<Core>,
    /// What the store refused a moment ago, and until when it would refuse it again.
    denials: Denials,
    /// The same arithmetic over this process's own counts.
    alone: MemoryStore,
}

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The shared store.
    Shared,
    /// Nobody had to: the store refused the same a moment ago.
    Remembered,
    /// This process alone.
    Alone,
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Remembered => "remembered",
            Self::Alone => "alone",
        }
    }
}

impl Rate {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), denials: Denials::default(), alone: MemoryStore::new() }
    }
}

#[async_trait]
impl RateLimiter for Rate {
    async fn check(&self, tenant: &TenantId, checks: &[RateCheck<'_>], requests: u32) -> Option<RateDecision> {
        let checks = &checks[..checks.len().min(MAX_RATE_CHECKS)];
        if checks.is_empty() {
            return None;
        }
        let keys: Vec<String> = checks.iter().map(|check| key_of(tenant, check)).collect();
        let wanted: Vec<CountRequest<'_>> =
            checks.iter().zip(&keys).map(|(check, key)| wanted(check, key, requests)).collect();
        let asked = Instant::now();
        if let Some((at, denial)) = self.denials.of(&wanted, asked) {
            let decision = remembered(checks[at].policy, denial, asked);
            note(checks[at].policy, false, Mode::Remembered);
            return Some(decision);
        }
        match self.core.store.count(&wanted).await {
            Ok(replies) if replies.len() == checks.len() => {
                self.denials.note(&wanted, &replies, asked);
                note_all(checks, &replies, Mode::Shared);
                decide(checks, &replies)
            }
            Ok(_) | Err(_) => self.without_store(checks, wanted).await,
        }
    }
}

impl Rate {
    async fn without_store(&self, checks: &[RateCheck<'_>], mut wanted: Vec<CountRequest<'_>>) -> Option<RateDecision> {
        let closed =
            |check: &&RateCheck<'_>| check.policy.without_store == WithoutStore::Refuse && !check.policy.shadow;
        if let Some(closed) = checks.iter().find(closed) {
            note(closed.policy, false, Mode::Alone);
            return Some(refusal(closed.policy));
        }
        for (request, check) in wanted.iter_mut().zip(checks) {
            request.limit = check.policy.alone.clamp(1, check.policy.limit.max(1));
        }
        // Memory always answers.
        let replies = self.alone.count(&wanted).await.ok()?;
        note_all(checks, &replies, Mode::Alone);
        decide(checks, &replies).map(|decision| RateDecision { degraded: true, ..decision })
    }
}

fn refusal(policy: &RatePolicy) -> RateDecision {
    RateDecision {
        allowed: false,
        policy: Arc::clone(&policy.name),
        limit: policy.limit,
        remaining: 0,
        retry_after: RETRY_WHEN_UNCOUNTED,
        reset_after: RETRY_WHEN_UNCOUNTED,
        degraded: true,
    }
}

fn remembered(policy: &RatePolicy, denial: Denial, now: Instant) -> RateDecision {
    RateDecision {
        allowed: false,
        policy: Arc::clone(&policy.name),
        limit: policy.limit,
        remaining: 0,
        retry_after: denial.until.saturating_duration_since(now),
        reset_after: denial.resets.saturating_duration_since(now),
        degraded: false,
    }
}

/// The window's part of the key names policy, algorithm, numbers and the form of what is remembered, so that a policy or a form
/// that changes starts a new count and none share one.
fn key_of(tenant: &TenantId, check: &RateCheck<'_>) -> String {
    let RatePolicy { name, algorithm, limit, window, .. } = check.policy;
    let window = format!("{name}.{}-{limit}-{}ms.{COUNT_FORM}", algorithm.as_str(), window.as_millis());
    keyspaces::rate_key(tenant, check, &RateDimension::words(check.dimensions), &window).text()
}

fn wanted<'a>(check: &RateCheck<'_>, key: &'a str, requests: u32) -> CountRequest<'a> {
    let RatePolicy { algorithm, limit, window, cost, shadow, .. } = *check.policy;
    CountRequest { key, algorithm, limit: limit.max(1), window, cost: cost.saturating_mul(requests), shadow }
}

fn note_all(checks: &[RateCheck<'_>], replies: &[CountReply], mode: Mode) {
    for (check, reply) in checks.iter().zip(replies) {
        note(check.policy, reply.allowed, mode);
    }
}

/// Policies are named in configuration, so their number is bounded.
fn note(policy: &RatePolicy, allowed: bool, mode: Mode) {
    let outcome = match (allowed, policy.shadow) {
        (true, _) => "allowed",
        (false, false) => "refused",
        (false, true) => "would_refuse",
    };
    let labels = [
        ("keyspace", keyspaces::RATE.name.to_owned()),
        ("policy", policy.name.to_string()),
        ("outcome", outcome.to_owned()),
        ("mode", mode.word().to_owned()),
    ];
    counter!("cache_rate_checks_total", &labels).increment(1);
}

/// The limit that refuses for longest, else the one with the smallest share left. A shadow decides nothing.
fn decide(checks: &[RateCheck<'_>], replies: &[CountReply]) -> Option<RateDecision> {
    let deciding = || checks.iter().zip(replies).filter(|(check, _)| !check.policy.shadow);
    let allowed = deciding().all(|(_, reply)| reply.allowed);
    let share_left = |check: &RateCheck<'_>, reply: &CountReply| {
        u64::from(reply.remaining) * 1_000_000 / u64::from(check.policy.limit.max(1))
    };
    let (check, reply) = deciding()
        .filter(|(_, reply)| reply.allowed == allowed)
        .min_by_key(|(check, reply)| (std::cmp::Reverse(reply.retry_after), share_left(check, reply)))?;
    Some(RateDecision {
        allowed,
        policy: Arc::clone(&check.policy.name),
        limit: check.policy.limit,
        remaining: if allowed { reply.remaining } else { 0 },
        retry_after: reply.retry_after,
        reset_after: reply.reset_after,
        degraded: false,
    })
}
