//! What the order service caches: the summary of an order, and how far its plan has come.
//!
//! Owns the port; the keyspaces and their keys are in `keyspaces`, the cached value types in `values` and `workflow`. Must
//! never decide anything: every transition of an order reads PostgreSQL.

pub mod keyspaces;
mod values;
mod workflow;

use async_trait::async_trait;
use kernel::{OrderId, TenantId, Version};

use crate::read::{CacheUnavailable, Load, Read};

pub use values::*;
pub use workflow::*;

/// The order service's reads through the cache.
#[async_trait]
pub trait OrderCache: Send + Sync {
    /// The summary of an order in one version, which the caller has read from PostgreSQL: immutable.
    fn summary<'a>(
        &'a self,
        tenant: &'a TenantId,
        order: OrderId,
        version: Version,
        load: Load<'a, OrderSummary>,
    ) -> Read<'a, OrderSummary>;

    /// How far the plan of an order has come, not older than `min_version` of the order. Its tasks also move without a new
    /// version; the answer says when they were read.
    fn workflow<'a>(
        &'a self,
        tenant: &'a TenantId,
        order: OrderId,
        min_version: Option<Version>,
        load: Load<'a, WorkflowSummary>,
    ) -> Read<'a, WorkflowSummary>;

    /// The order changed: no older picture of its plan may be served from now on.
    async fn order_changed(&self, tenant: &TenantId, order: OrderId, version: Version) -> Result<(), CacheUnavailable>;
}
