//! The order service's port.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CacheUnavailable, Load, OrderCache, Read,
    order::{OrderSummary, WorkflowSummary, keyspaces},
};
use kernel::{OrderId, TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Orders {
    summaries: Arc<ReadThrough<OrderSummary>>,
    workflows: Arc<ReadThrough<WorkflowSummary>>,
}

impl Orders {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self {
            summaries: ReadThrough::over(&keyspaces::ORDER_SUMMARY, core),
            workflows: ReadThrough::over(&keyspaces::WORKFLOW_SUMMARY, core),
        }
    }
}

#[async_trait]
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

    fn workflow<'a>(
        &'a self,
        tenant: &'a TenantId,
        order: OrderId,
        min_version: Option<Version>,
        load: Load<'a, WorkflowSummary>,
    ) -> Read<'a, WorkflowSummary> {
        self.workflows.read(keyspaces::workflow_summary_key(tenant, order), min_version, load)
    }

    async fn order_changed(&self, tenant: &TenantId, order: OrderId, version: Version) -> Result<(), CacheUnavailable> {
        self.workflows.invalidate(keyspaces::workflow_summary_key(tenant, order), version).await
    }
}
