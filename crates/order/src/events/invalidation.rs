//! What an order's own events mean for the picture of its plan.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::OrderCache;
use events::{Envelope, Guard, Reaction, ReactionError, RetryLater};
use kernel::OrderId;
use sqlx::PgConnection;

use super::TOPIC;

/// Drops the picture of a plan after each version of its order.
pub struct DropWorkflow {
    cache: Arc<dyn OrderCache>,
}

impl DropWorkflow {
    /// Over this cache.
    pub fn new(cache: Arc<dyn OrderCache>) -> Self {
        Self { cache }
    }
}

#[async_trait]
impl Reaction for DropWorkflow {
    fn consumer(&self) -> &'static str {
        "order.workflow"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            "OrderCreated" | "OrderStateChanged" | "OrderCancelled" | "InvoiceHandoffRequested" => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, _: &mut PgConnection, _: &Envelope) -> Result<(), ReactionError> {
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let order = OrderId::from(event.aggregate_id);
        self.cache.order_changed(&event.tenant, order, event.aggregate_version).await.map_err(RetryLater::because)
    }
}
