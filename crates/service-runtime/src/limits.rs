//! The rate limits every authenticated request passes: one for its tenant, one for its user, apart for reads and writes.
//!
//! Owns the choice of policies; counting is the port's. Must never count by what a client claims to be: the actor comes
//! from the verified token.

mod prepaid;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cache_ports::{RateAlgorithm, RateCheck, RateDecision, RateDimension, RateLimiter, RatePolicy, WithoutStore};
use http::{HeaderValue, Method};
use serde::Deserialize;

pub(crate) use prepaid::Prepaid;

use crate::auth::VerifiedToken;

/// The part of a limit that one bearer may pay for in advance: one in this many.
const PREPAID_PART: u32 = 20;

/// Limits in requests per second; bursts of one second's worth are let through.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Off only where something in front of the service limits instead.
    pub enabled: bool,
    /// Reads of one tenant.
    pub tenant_reads_per_sec: u32,
    /// Commands of one tenant.
    pub tenant_writes_per_sec: u32,
    /// Reads of one user.
    pub user_reads_per_sec: u32,
    /// Commands of one user.
    pub user_writes_per_sec: u32,
}

/// The policies in force.
#[derive(Debug)]
pub struct Limits {
    reads: Option<Pair>,
    writes: Option<Pair>,
}

#[derive(Debug)]
struct Pair {
    tenant: Told,
    user: Told,
    /// Most requests one bearer may pay for in advance.
    most_prepaid: u32,
}

/// A policy, and what it says about itself in every answer (the `RateLimit-Policy` field).
#[derive(Debug)]
struct Told {
    policy: RatePolicy,
    field: Option<HeaderValue>,
}

/// What the limiter said about one request, ready for the answer's header.
#[derive(Debug, Clone)]
pub(crate) struct RateNote {
    pub(crate) decision: RateDecision,
    pub(crate) policy_field: Option<HeaderValue>,
}

impl Limits {
    /// The policies the configuration asks for.
    pub fn new(config: &LimitsConfig) -> Self {
        let pair = |class: &str, tenant, user| {
            config.enabled.then(|| Pair {
                tenant: per_second(&format!("tenant-{class}"), tenant),
                user: per_second(&format!("user-{class}"), user),
                most_prepaid: tenant.min(user) / PREPAID_PART,
            })
        };
        Self {
            reads: pair("reads", config.tenant_reads_per_sec, config.user_reads_per_sec),
            writes: pair("writes", config.tenant_writes_per_sec, config.user_writes_per_sec),
        }
    }

    /// No limits, for tests of other things.
    pub fn off() -> Self {
        Self { reads: None, writes: None }
    }

    pub(crate) async fn check(
        &self,
        limiter: &dyn RateLimiter,
        caller: &VerifiedToken,
        method: &Method,
    ) -> Option<RateNote> {
        let (pair, prepaid) = if method.is_safe() {
            (self.reads.as_ref()?, &caller.prepaid_reads)
        } else {
            (self.writes.as_ref()?, &caller.prepaid_writes)
        };
        let now = Instant::now();
        let size = match prepaid.spend(now, pair.most_prepaid) {
            Ok(note) => return Some(note),
            Err(size) => size,
        };
        let note = pair.ask(limiter, caller, size).await?;
        if note.decision.allowed {
            prepaid.fill(now, size, &note);
            return Some(note);
        }
        // There may still be room for this one request.
        if size > 1 { pair.ask(limiter, caller, 1).await } else { Some(note) }
    }
}

impl Pair {
    async fn ask(&self, limiter: &dyn RateLimiter, caller: &VerifiedToken, cost: u32) -> Option<RateNote> {
        let checks = [
            check(&self.tenant, RateDimension::Tenant, caller.tenant.as_str()),
            check(&self.user, RateDimension::User, &caller.subject_hash),
        ];
        let decision = limiter.check(&caller.tenant, &checks, cost).await?;
        let told = [&self.tenant, &self.user].into_iter().find(|told| told.policy.name == decision.policy);
        Some(RateNote { policy_field: told.and_then(|told| told.field.clone()), decision })
    }
}

fn check<'a>(told: &'a Told, dimension: RateDimension, actor: &'a str) -> RateCheck<'a> {
    RateCheck { policy: &told.policy, dimension, actor, route: "*" }
}

fn per_second(name: &str, limit: u32) -> Told {
    let limit = limit.max(1);
    let policy = RatePolicy {
        name: Arc::from(name),
        algorithm: RateAlgorithm::Gcra,
        limit,
        window: Duration::from_secs(1),
        // Every caller is authenticated: while Redis is away a limit per process keeps order without refusing everybody.
        without_store: WithoutStore::CountLocally,
    };
    Told { policy, field: HeaderValue::try_from(format!("\"{name}\";q={limit};w=1")).ok() }
}

/// The `RateLimit` field (draft-ietf-httpapi-ratelimit-headers): what is left, and seconds until all is available again.
pub(crate) fn rate_limit_field(decision: &RateDecision) -> Option<HeaderValue> {
    let reset_secs = decision.reset_after.as_secs() + u64::from(decision.reset_after.subsec_nanos() > 0);
    HeaderValue::try_from(format!("\"{}\";r={};t={reset_secs}", decision.policy, decision.remaining)).ok()
}
