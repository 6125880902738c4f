//! What runs beside the requests: relays, consumers, the services' own loops, the forgetting of old answers.

use std::sync::Arc;

use events::{Consumer, ConsumerConfig, Publisher, Reaction, Reconciliation, Relay, RelayConfig, Republish};
use service_runtime::{ServiceState, run_idempotency_sweeper, server::Lifecycle};
use sqlx::PgPool;

use super::{Duties, Log, Parts, measured::Measured};
use crate::{config::Duty, messaging::reconcile::patrol, services::Service, upkeep};

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
    let lease = parts.config.leases.times()?;
    let pace = RelayConfig { lease, ..RelayConfig::default() };
    let relay = Relay::new(pool.clone(), service.name(), service.topic(), publisher, hint, pace);
    lifecycle.spawn_worker("relay", relay.run(lifecycle.stop_workers()));
    let workers = service.workers(state.clone(), &parts.config, lifecycle.stop_workers())?;
    // A publisher of their own: a call that is given up throws its producer away, and the relay's must not be.
    let asking = parts.log.publisher()?;
    let answering = answering(service, pool.clone(), Arc::clone(&asking));
    for reaction in workers.reactions.into_iter().chain([answering]) {
        let name = reaction.consumer();
        let reaction = Arc::new(Measured(reaction));
        let consumer = Consumer::new(pool.clone(), service.name(), parts.log.source(name)?, reaction)
            .with_config(ConsumerConfig { lease, ..ConsumerConfig::default() })
            .asking_through(Arc::clone(&asking));
        lifecycle.spawn_worker(name, consumer.run(lifecycle.stop_workers()));
    }
    for (name, work) in workers.loops {
        lifecycle.spawn_worker(name, work);
    }
    compare_with_the_log(parts, service, pool.clone(), lifecycle);
    let sweeper = run_idempotency_sweeper(pool, service.name(), lifecycle.stop_workers());
    lifecycle.spawn_worker("idempotency-sweeper", sweeper);
    look_after_the_cache(parts, service, state, lifecycle)
}

/// What publishes a service's facts again for those who miss them; `pool` connects for working.
pub fn answering(service: Service, pool: PgPool, publisher: Arc<dyn Publisher>) -> Arc<dyn Reaction> {
    Arc::new(Republish::new(pool, service.name(), service.topic(), service.requests(), publisher))
}

/// Starts the comparison of the service's outbox with its topic, where there is a log that outlives the process.
fn compare_with_the_log(parts: &Parts, service: Service, pool: PgPool, lifecycle: &Lifecycle) {
    let rules = parts.config.reconcile;
    if rules.enabled && matches!(parts.log, Log::Kafka { .. }) {
        let reconciliation = Reconciliation::of(pool, service.name(), service.topic());
        let patrol = patrol(parts.log.clone(), reconciliation, service, rules.interval(), lifecycle.stop_workers());
        lifecycle.spawn_worker("reconciliation", patrol);
    }
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
