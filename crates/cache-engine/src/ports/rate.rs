//! Rate limits: all of a request's limits in one round trip, and this process alone while the store is away.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cache_ports::{
    MAX_RATE_CHECKS, RateAlgorithm, RateCheck, RateDecision, RateLimiter, RatePolicy, WithoutStore,
    coordination::keyspaces,
};
use kernel::TenantId;
use metrics::counter;

use crate::{
    engine::Core,
    memory::MemoryStore,
    store::{ByteStore, CountReply, CountRequest},
};

/// What a caller is told whose requests nobody can count.
const RETRY_WHEN_UNCOUNTED: Duration = Duration::from_secs(1);
/// Longest window; also the longest life of a count.
const LONGEST_WINDOW: Duration = Duration::from_hours(24);

pub(super) struct Rate {
    core: Arc<Core>,
    /// The same arithmetic over this process's own counts.
    alone: MemoryStore,
}

impl Rate {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), alone: MemoryStore::new() }
    }
}

#[async_trait]
impl RateLimiter for Rate {
    async fn check(&self, tenant: &TenantId, checks: &[RateCheck<'_>], cost: u32) -> Option<RateDecision> {
        let checks = &checks[..checks.len().min(MAX_RATE_CHECKS)];
        if checks.is_empty() {
            return None;
        }
        let keys: Vec<String> =
            checks.iter().map(|check| keyspaces::rate_key(tenant, check, &window_name(check.policy)).text()).collect();
        let requests: Vec<CountRequest<'_>> =
            checks.iter().zip(&keys).map(|(check, key)| request(check, key, cost)).collect();
        let (decision, degraded) = match self.core.store.count(&requests).await {
            Ok(replies) if replies.len() == checks.len() => (decide(checks, &replies), false),
            Ok(_) | Err(_) => (self.without_store(checks, &requests).await, true),
        };
        let decision = RateDecision { degraded, ..decision };
        let outcome = if decision.allowed { "allowed" } else { "refused" };
        let mode = if degraded { "alone" } else { "shared" };
        let policy = decision.policy.to_string();
        counter!("cache_rate_checks_total", "policy" => policy, "outcome" => outcome, "mode" => mode).increment(1);
        Some(decision)
    }
}

impl Rate {
    async fn without_store(&self, checks: &[RateCheck<'_>], requests: &[CountRequest<'_>]) -> RateDecision {
        if let Some(closed) = checks.iter().find(|check| check.policy.without_store == WithoutStore::Refuse) {
            return refusal(closed.policy);
        }
        match self.alone.count(requests).await {
            Ok(replies) => decide(checks, &replies),
            Err(_) => refusal(checks[0].policy),
        }
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

/// Names algorithm and window, so that a policy that changes starts a new count.
fn window_name(policy: &RatePolicy) -> String {
    let algorithm = match policy.algorithm {
        RateAlgorithm::FixedWindow => "fixed",
        RateAlgorithm::Gcra => "gcra",
    };
    format!("{algorithm}-{}-{}ms", policy.limit, policy.window.as_millis())
}

fn request<'a>(check: &RateCheck<'_>, key: &'a str, cost: u32) -> CountRequest<'a> {
    let window = check.policy.window.clamp(Duration::from_millis(1), LONGEST_WINDOW);
    CountRequest { key, algorithm: check.policy.algorithm, limit: check.policy.limit.max(1), window, cost }
}

/// The limit that refuses for longest, else the one with the smallest share left.
fn decide(checks: &[RateCheck<'_>], replies: &[CountReply]) -> RateDecision {
    let allowed = replies.iter().all(|reply| reply.allowed);
    let share_left = |check: &RateCheck<'_>, reply: &CountReply| {
        u64::from(reply.remaining) * 1_000_000 / u64::from(check.policy.limit.max(1))
    };
    let deciding = checks
        .iter()
        .zip(replies)
        .filter(|(_, reply)| reply.allowed == allowed)
        .min_by_key(|(check, reply)| (std::cmp::Reverse(reply.retry_after), share_left(check, reply)));
    let (check, reply) = deciding.unwrap_or((&checks[0], &replies[0]));
    RateDecision {
        allowed,
        policy: Arc::clone(&check.policy.name),
        limit: check.policy.limit,
        remaining: if allowed { reply.remaining } else { 0 },
        retry_after: reply.retry_after,
        reset_after: reply.reset_after,
        degraded: false,
    }
}
