//! Short-lived help between processes: answers to repeated commands, locks against double work, rate limits.
//!
//! Owns the ports; the keyspaces and keys are in `keyspaces`. Nothing here is ever needed for a command to be right:
//! PostgreSQL's constraints and idempotency records are. Must never hold a lock over a business transaction.

pub mod keyspaces;
mod rate;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use kernel::{ContentHash, QuoteId, TenantId};
use serde::{Deserialize, Serialize};

pub use rate::{
    MAX_RATE_CHECKS, MAX_UNIT_MICROS, RateAlgorithm, RateCheck, RateDecision, RateDimension, RateLimiter, RatePolicy,
    WithoutStore,
};

/// The stored answer of a command that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CachedResponse {
    /// HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    #[serde(with = "crate::base64_bytes")]
    pub body: Vec<u8>,
    /// `Content-Type`.
    pub content_type: String,
    /// `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The hash of the request that was answered: the same key with another request is refused.
    pub fingerprint: ContentHash,
}

/// Answers of commands that are known to be done.
#[async_trait]
pub trait FastIdempotencyCache: Send + Sync {
    /// The answer, if the command is known to be done. `None` means unknown, never "not done": PostgreSQL decides that.
    async fn done(&self, tenant: &TenantId, route: &str, key_hash: &ContentHash) -> Option<CachedResponse>;

    /// Remembers an answer whose idempotency record is committed. Best effort.
    async fn remember(&self, tenant: &TenantId, route: &str, key_hash: &ContentHash, response: &CachedResponse);
}

/// What a lock keeps from being done twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockKey {
    /// Loading something into a cache ahead of its readers.
    CacheWarm {
        /// The tenant.
        tenant: TenantId,
        /// What is loaded.
        key_hash: ContentHash,
    },
    /// Computing the preview of a quote.
    QuotePreview {
        /// The tenant.
        tenant: TenantId,
        /// The quote.
        quote: QuoteId,
        /// The configuration that is priced.
        config_hash: ContentHash,
    },
}

/// A lock that is held until it is released or its time is over. It saves work; it protects nothing.
#[derive(Debug)]
pub struct LockLease {
    key: LockKey,
    token: [u8; 16],
    asked: Instant,
    deadline: Instant,
}

impl LockLease {
    /// A lease on `key` from `asked` until `deadline`; only its holder knows `token`. For implementations of
    /// [`ShortLivedLock`].
    pub const fn new(key: LockKey, token: [u8; 16], asked: Instant, deadline: Instant) -> Self {
        Self { key, token, asked, deadline }
    }

    /// What is locked.
    pub const fn key(&self) -> &LockKey {
        &self.key
    }

    /// Proves ownership.
    pub const fn token(&self) -> &[u8; 16] {
        &self.token
    }

    /// How long the lock still holds by this process's clock, counted from before it was asked for.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long the lock has been held by this process's clock.
    pub fn held(&self) -> Duration {
        self.asked.elapsed()
    }
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// It is ours for a while.
    Granted(LockLease),
    /// Somebody else does the work now.
    Held,
    /// Nobody can say: do the work without the lock.
    Unavailable,
}

/// Locks against doing the same expensive thing twice at once.
#[async_trait]
pub trait ShortLivedLock: Send + Sync {
    /// Asks once, without waiting. `ttl` is cut to the keyspace's own limit.
    async fn try_acquire(&self, key: LockKey, ttl: Duration) -> LockAttempt;

    /// Gives the lock back if it is still ours. Best effort: its time ends anyway.
    async fn release(&self, lease: LockLease);
}
