//! What runs beside the requests: relays, consumers, the services' own loops, the forgetting of old answers.

use std::sync::Arc;

use events::{Consumer, Relay, RelayConfig};
use service_runtime::{ServiceState, run_idempotency_sweeper, server::Lifecycle};

use super::{Duties, Parts, measured::Measured};
use crate::{config::Duty, services::Service, upkeep};

/// Starts all workers of the process.
pub fn start(parts: &Parts, duties: &Duties, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let (refresher, period) = (Arc::clone(&parts.identity.refresher), parts.identity.refresh_period);
    let stop = lifecycle.stop_workers();
    lifecycle.spawn_worker("keys", async move { refresher.run(period, stop).await });
    for service in &duties.work {
        start_service(parts, *service, lifecycle)?;
    }
    Ok(())
}

fn start_service(parts: &Parts, service: Service, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let pool = parts.pool(service, Duty::Work)?;
    let state = parts.state(service, pool.clone());
    let hint = parts.hint(service).0;
    let publisher = parts.log.publisher()?;
    let relay = Relay::new(pool.clone(), service.name(), service.topic(), publisher, hint, RelayConfig::default());
    lifecycle.spawn_worker("relay", relay.run(lifecycle.stop_workers()));
    let workers = service.workers(state.clone(), &parts.config, lifecycle.stop_workers())?;
    for reaction in workers.reactions {
        let name = reaction.consumer();
        let reaction = Arc::new(Measured(reaction));
        let consumer = Consumer::new(pool.clone(), service.name(), parts.log.source(name)?, reaction);
        lifecycle.spawn_worker(name, consumer.run(lifecycle.stop_workers()));
    }
    for (name, work) in workers.loops {
        lifecycle.spawn_worker(name, work);
    }
    let sweeper = run_idempotency_sweeper(pool, service.name(), lifecycle.stop_workers());
    lifecycle.spawn_worker("idempotency-sweeper", sweeper);
    look_after_the_cache(parts, service, state, lifecycle)
}

/// Starts the auditor and the sweeper of what the service caches.
fn look_after_the_cache(
    parts: &Parts,
    service: Service,
    state: ServiceState,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let witnesses = upkeep::witnesses(&parts.config, service, state)?;
    if let Some(patrolling) = upkeep::patrolling(parts, service, witnesses.clone()) {
        lifecycle.spawn_worker("cache-auditor", upkeep::patrol(patrolling, lifecycle.stop_workers()));
    }
    if let Some(sweeping) = upkeep::sweeping(parts, witnesses, lifecycle.stop_workers()) {
        lifecycle.spawn_worker("cache-sweeper", sweeping);
    }
    Ok(())
}
