//! What the inventory service caches: the stock of a product, and which version of it is the newest.
//!
//! Owns the port; the keyspaces and keys are in `keyspaces`, the cached value types in `values`. Must never know how stock is
//! counted. A reservation never reads from here.

pub mod keyspaces;
mod values;

use async_trait::async_trait;
use kernel::{ProductId, TenantId, Version};

use crate::read::{CacheUnavailable, Load, Read};

pub use values::*;

/// Inventory's reads through the cache.
#[async_trait]
pub trait InventoryCache: Send + Sync {
    /// The stock of a product in one version: immutable.
    fn item<'a>(
        &'a self,
        tenant: &'a TenantId,
        product: ProductId,
        version: Version,
        load: Load<'a, StockItem>,
    ) -> Read<'a, StockItem>;

    /// The newest version of a product's stock, at most two seconds old; the value repeats its own version.
    fn version_pointer<'a>(
        &'a self,
        tenant: &'a TenantId,
        product: ProductId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version>;

    /// The stock changed: no older pointer may be served from now on.
    async fn stock_changed(
        &self,
        tenant: &TenantId,
        product: ProductId,
        version: Version,
    ) -> Result<(), CacheUnavailable>;
}
