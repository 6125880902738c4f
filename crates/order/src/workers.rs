//! What the order service does on its own: it reacts to accepted quotes, and fulfils orders.

use std::sync::Arc;

use events::Reaction;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    events::OrderAccepted,
    runner::{Runner, RunnerParts},
};

/// The reactions of this service, each to be run as one consumer over the service's schema.
pub fn reactions(config: &Config) -> Vec<Arc<dyn Reaction>> {
    vec![Arc::new(OrderAccepted::new(config.task_retries))]
}

/// Carries out the plans of orders until `stop`.
pub async fn run_fulfilment(parts: RunnerParts, stop: CancellationToken) {
    Runner::new(parts).run(stop).await;
}
