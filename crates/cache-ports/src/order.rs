//! What the order service caches: the summary of an order.
//!
//! Owns the port; the keyspace and its keys are in `keyspaces`, the cached value types in `values`. Must never decide
//! anything: every transition of an order reads PostgreSQL.

pub mod keyspaces;
mod values;

use kernel::{OrderId, TenantId, Version};

use crate::read::{Load, Read};

pub use values::*;

/// The order service's reads through the cache.
pub trait OrderCache: Send + Sync {
    /// The summary of an order in one version, which the caller has read from PostgreSQL: immutable.
    fn summary<'a>(
        &'a self,
        tenant: &'a TenantId,
        order: OrderId,
        version: Version,
        load: Load<'a, OrderSummary>,
    ) -> Read<'a, OrderSummary>;
}
