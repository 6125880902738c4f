//! The order service's port.

use std::sync::Arc;

use cache_ports::{
    Load, OrderCache, Read,
    order::{OrderSummary, keyspaces},
};
use kernel::{OrderId, TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Orders {
    summaries: Arc<ReadThrough<OrderSummary>>,
}

impl Orders {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { summaries: ReadThrough::over(&keyspaces::ORDER_SUMMARY, core) }
    }
}

impl OrderCache for Orders {
    fn summary<'a>(
        &'a self,
        tenant: &'a TenantId,
        order: OrderId,
        version: Version,
        load: Load<'a, OrderSummary>,
    ) -> Read<'a, OrderSummary> {
        self.summaries.read(keyspaces::order_summary_key(tenant, order, version), None, load)
    }
}
