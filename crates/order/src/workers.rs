//! What the order service does on its own: it reacts to accepted quotes and to its own events, and fulfils orders.

use std::sync::Arc;

use cache_ports::Caches;
use events::{Projection, Reaction};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    events::{DropWorkflow, OrderAccepted, OrderList},
    runner::{Runner, RunnerParts},
};

/// The reactions of this service, each to be run as one consumer over the service's schema.
pub fn reactions(config: &Config, caches: &Caches) -> Vec<Arc<dyn Reaction>> {
    vec![Arc::new(OrderAccepted::new(config.task_retries)), Arc::new(DropWorkflow::new(caches.order.clone()))]
}

/// The projections of this service, each kept up to date by one consumer over the service's schema.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(OrderList)]
}

/// Carries out the plans of orders until `stop`.
pub async fn run_fulfilment(parts: RunnerParts, stop: CancellationToken) {
    Runner::new(parts).run(stop).await;
}
