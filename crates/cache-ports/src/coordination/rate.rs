//! Rate limits: what a policy says, what is asked, what is answered.
//!
//! Owns the words and the port. How each algorithm counts, and how far it may be off, is said where it is named. Must never
//! know a route, a header or a store.

use std::{borrow::Cow, sync::Arc, time::Duration};

use async_trait::async_trait;
use kernel::TenantId;
use serde::{Deserialize, Serialize};

/// How requests are counted. Every algorithm keeps `limit` over time; they differ in what a burst may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateAlgorithm {
    /// `limit` in each window, which begins with the first request after the last one ended. Two bursts may meet at the border
    /// of two windows: up to twice `limit` within one window's length.
    FixedWindow,
    /// As before, and the window before counts for the part of it that still overlaps, as if its requests had been spread
    /// evenly. At the elapsed part `e` of a window, at most `limit` and `e` of what the window before let pass.
    SlidingWindow,
    /// A bucket that holds `limit` tokens and gets `limit` new ones in each window, evenly. Over any time `t` at most `limit`
    /// and `limit × t / window`, exactly.
    TokenBucket,
    /// A bucket that holds `limit` and drains evenly in a window, kept as the one moment at which it is empty (generic cell
    /// rate algorithm). Lets the same pass as a token bucket.
    #[serde(rename = "leaky-bucket")]
    Gcra,
}

impl RateAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FixedWindow, Self::SlidingWindow, Self::TokenBucket, Self::Gcra];

    /// Its word in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FixedWindow => "fixed",
            Self::SlidingWindow => "sliding",
            Self::TokenBucket => "token",
            Self::Gcra => "leaky",
        }
    }
}

/// What becomes of a request when nobody can count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutStore {
    /// This process counts alone, against its share.
    CountLocally,
    /// It is refused.
    Refuse,
}

/// Largest product of a limit and its window in microseconds: the arithmetic is exact in a double, which is all the shared
/// store's scripts have. A larger limit is cut to it, never loosened.
pub const MAX_UNIT_MICROS: u64 = 1 << 52;

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatePolicy {
    /// Its name in headers and metrics.
    pub name: Arc<str>,
    /// How it counts.
    pub algorithm: RateAlgorithm,
    /// Units per window, at least one.
    pub limit: u32,
    /// The window, at least a millisecond, at most a day.
    pub window: Duration,
    /// Units one request takes.
    pub cost: u32,
    /// Whether it only watches: it counts and reports, and never refuses.
    pub shadow: bool,
    /// What happens while the store is away.
    pub without_store: WithoutStore,
    /// Units per window that this process lets pass while it counts alone.
    pub alone: u32,
}

impl RatePolicy {
    /// A policy that takes one unit a request, refuses, and counts all of the limit locally while the store is away.
    pub fn new(name: impl Into<Arc<str>>, algorithm: RateAlgorithm, limit: u32, window: Duration) -> Self {
        let without_store = WithoutStore::CountLocally;
        Self { name: name.into(), algorithm, limit, window, cost: 1, shadow: false, without_store, alone: limit }
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateDimension {
    /// Everything the tenant does.
    Tenant,
    /// One user.
    User,
    /// One client program or address.
    Client,
    /// One route.
    Route,
    /// One customer account.
    CustomerAccount,
    /// One quote.
    Quote,
    /// One class of expensive operations.
    ExpensiveOperation,
}

impl RateDimension {
    /// Its word in keys and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Client => "client",
            Self::Route => "route",
            Self::CustomerAccount => "customer-account",
            Self::Quote => "quote",
            Self::ExpensiveOperation => "expensive-operation",
        }
    }

    /// The words of several, for a key.
    pub fn words(dimensions: &[Self]) -> Cow<'static, str> {
        match dimensions {
            [one] => Cow::Borrowed(one.as_str()),
            several => Cow::Owned(several.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(".")),
        }
    }
}

/// One limit applied to one actor on one route.
#[derive(Debug, Clone, Copy)]
pub struct RateCheck<'a> {
    /// The limit.
    pub policy: &'a RatePolicy,
    /// What the actor is: one dimension or several together.
    pub dimensions: &'a [RateDimension],
    /// Who is counted: a hash or an id, never a name or an address in the clear.
    pub actor: &'a str,
    /// The route's name, or `*` for all.
    pub route: &'a str,
}

/// Whether a request may pass, by the limit that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether it may pass.
    pub allowed: bool,
    /// The name of the limit that decided: the one that refused, else the one with least left.
    pub policy: Arc<str>,
    /// That limit.
    pub limit: u32,
    /// What is left of it.
    pub remaining: u32,
    /// When a refused request may be tried again; zero when it may pass.
    pub retry_after: Duration,
    /// When all of the limit is available again.
    pub reset_after: Duration,
    /// Whether the shared count could not be asked.
    pub degraded: bool,
}

/// Most limits that can be checked at once.
pub const MAX_RATE_CHECKS: usize = 16;

/// Limits on how often something may be asked.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Checks all limits for `requests` requests at once, in one round trip, and takes their cost from all limits or from none.
    /// `None` when nothing but shadows is there to check. Only the first [`MAX_RATE_CHECKS`] count.
    async fn check(&self, tenant: &TenantId, checks: &[RateCheck<'_>], requests: u32) -> Option<RateDecision>;
}
