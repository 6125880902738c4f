//! The ports, each a thin shape over the same way of reading.
//!
//! Owns which keyspace serves which method. Must never hold a rule that belongs to all of them.

mod access;
mod catalog;
mod counters;
mod draft;
mod eligibility;
mod idempotency;
mod inventory;
mod locks;
mod order;
mod pricing;
mod quote;
mod rate;
mod streams;

use std::sync::Arc;

use cache_ports::Caches;

use crate::engine::Core;

/// Every port over one core.
pub(crate) fn all(core: &Arc<Core>) -> Caches {
    let streams = Arc::new(streams::Streams::over(core));
    Caches {
        catalog: Arc::new(catalog::Catalog::over(core)),
        pricing: Arc::new(pricing::Pricing::over(core)),
        quote: Arc::new(quote::Quotes::over(core)),
        draft: Arc::new(draft::Drafts::over(core)),
        eligibility: Arc::new(eligibility::Eligibility::over(core)),
        access: Arc::new(access::Access::over(core)),
        order: Arc::new(order::Orders::over(core)),
        inventory: Arc::new(inventory::Inventory::over(core)),
        idempotency: Arc::new(idempotency::Idempotency::over(core)),
        locks: Arc::new(locks::Locks::over(core)),
        rate: Arc::new(rate::Rate::over(core)),
        counters: Arc::new(counters::Counters::over(core)),
        warm: streams.clone(),
        notices: streams,
    }
}
