//! What services see of caching.
//!
//! Owns the ports in domain words, the cached value types, and the registry of keyspaces with the answers of the design
//! review. One module a domain: its port, its `keyspaces` with their key builders, its cached value types. A service
//! holds [`Caches`] and reads `caches.catalog.offering(…)`. Must never know a store, a Redis command or a service's crate.

pub mod access;
pub mod catalog;
pub mod coordination;
pub mod counters;
pub mod draft;
pub mod eligibility;
pub mod inventory;
pub mod key;
pub mod keyspace;
pub mod order;
pub mod pricing;
pub mod quote;
pub mod registry;
pub mod streams;
pub mod witness;

mod base64_bytes;
mod budget;
mod commit;
mod read;
mod user;

use std::sync::Arc;

pub use access::AccessCache;
pub use budget::{OneBudget, is_budget_spent, one_budget, spend_budget};
pub use catalog::CatalogCache;
pub use commit::{commit_time, committed_at};
pub use coordination::{
    CachedResponse, FastIdempotencyCache, LockAttempt, LockKey, LockLease, MAX_RATE_CHECKS, MAX_UNIT_MICROS,
    RateAlgorithm, RateCheck, RateDecision, RateDimension, RateLimiter, RatePolicy, ShortLivedLock, WithoutStore,
};
pub use counters::LiveCounters;
pub use draft::DraftBuffer;
pub use eligibility::EligibilityCache;
pub use inventory::InventoryCache;
pub use order::OrderCache;
pub use pricing::PricingCache;
pub use quote::QuoteCache;
pub use read::{
    BoxFuture, CacheUnavailable, Load, LoadEach, LoadError, Loaded, Loading, Read, ReadError, ReadResult, Served,
    ServedFrom, load,
};
pub use streams::{NoticeBoard, WarmQueue};
pub use user::UserKey;
pub use witness::{Truth, Witness};

/// Every port, for one process. Cloning is cheap.
#[derive(Clone)]
pub struct Caches {
    /// Offerings, publications, search.
    pub catalog: Arc<dyn CatalogCache>,
    /// Price books, previews, copies of final prices.
    pub pricing: Arc<dyn PricingCache>,
    /// Quote summaries.
    pub quote: Arc<dyn QuoteCache>,
    /// Edits that are not saved yet.
    pub draft: Arc<dyn DraftBuffer>,
    /// What customers may have.
    pub eligibility: Arc<dyn EligibilityCache>,
    /// What subjects may approve.
    pub access: Arc<dyn AccessCache>,
    /// Order summaries.
    pub order: Arc<dyn OrderCache>,
    /// Stock.
    pub inventory: Arc<dyn InventoryCache>,
    /// Answers of commands that are done.
    pub idempotency: Arc<dyn FastIdempotencyCache>,
    /// Locks against double work.
    pub locks: Arc<dyn ShortLivedLock>,
    /// Rate limits.
    pub rate: Arc<dyn RateLimiter>,
    /// Counts of what happens, on their way to the metrics.
    pub counters: Arc<dyn LiveCounters>,
    /// What to load ahead of its readers.
    pub warm: Arc<dyn WarmQueue>,
    /// What users are told.
    pub notices: Arc<dyn NoticeBoard>,
}

/// The examples in the README, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
