//! Inventory's port.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CacheUnavailable, InventoryCache, Load, Read,
    inventory::{StockItem, keyspaces},
};
use kernel::{ProductId, TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Inventory {
    items: Arc<ReadThrough<StockItem>>,
    versions: Arc<ReadThrough<Version>>,
}

impl Inventory {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self {
            items: ReadThrough::over(&keyspaces::STOCK_ITEM, core),
            versions: ReadThrough::over(&keyspaces::STOCK_VERSION, core),
        }
    }
}

#[async_trait]
impl InventoryCache for Inventory {
    fn item<'a>(
        &'a self,
        tenant: &'a TenantId,
        product: ProductId,
        version: Version,
        load: Load<'a, StockItem>,
    ) -> Read<'a, StockItem> {
        self.items.read(keyspaces::stock_item_key(tenant, product, version), None, load)
    }

    fn version_pointer<'a>(
        &'a self,
        tenant: &'a TenantId,
        product: ProductId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version> {
        self.versions.read(keyspaces::stock_version_key(tenant, product), min_version, load)
    }

    async fn stock_changed(
        &self,
        tenant: &TenantId,
        product: ProductId,
        version: Version,
    ) -> Result<(), CacheUnavailable> {
        self.versions.invalidate(keyspaces::stock_version_key(tenant, product), version).await
    }
}
