//! Looking after the cache: the auditor and the sweeper put together, as loops of `quoin work` and as commands.
//!
//! Owns which keyspaces and witnesses belong to which services. What is right and what is superseded is decided in
//! `cache-engine`.

pub mod audit;
pub mod sweep;

use std::time::Duration;

use anyhow::{Context, bail};
use cache_engine::{
    Place, StoreError,
    audit::{Auditor, patrol::Patrol},
    sweep::Sweeper,
};
use cache_ports::{
    Witness,
    keyspace::{self, Audit, Keyspace},
    registry,
};
use service_runtime::{ServiceState, idempotency_witness};
use sqlx::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    app::Parts,
    config::{CacheBackend, Config, Duty},
    services::Service,
};

/// How long a command waits for Redis.
const REDIS_WITHIN: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(25);

/// The keyspaces a service writes and somebody can judge.
fn audited_by(service: Service) -> Vec<&'static Keyspace> {
    let owner = keyspace::Service::ALL.iter().find(|owner| owner.as_str() == service.name());
    owner.into_iter().flat_map(|owner| registry::audited_by(*owner)).collect()
}

/// All keyspaces that somebody can judge, in the order of the registry.
fn audited() -> Vec<&'static Keyspace> {
    registry::all().filter(|keyspace| keyspace.audit != Audit::NothingToJudge).collect()
}

/// What a service can say about its keys. The state's pool connects for working.
pub fn witnesses(config: &Config, service: Service, state: ServiceState) -> anyhow::Result<Vec<Witness>> {
    let mut witnesses = service.witnesses(state.clone(), config)?;
    witnesses.push(idempotency_witness(&state));
    Ok(witnesses)
}

/// The auditor's loop for one service, until `stop`.
pub async fn patrol(parts: Patrolling, stop: CancellationToken) {
    let Patrolling { auditor, sample, every } = parts;
    let mut patrol = Patrol::of(auditor, sample);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(outcome) = stop.run_until_cancelled(patrol.round()).await else { return };
        if let Err(why) = outcome {
            tracing::debug!(%why, "the auditor could not look into the cache; trying again");
        }
    }
}

/// What a patrol needs.
pub struct Patrolling {
    auditor: Auditor,
    sample: usize,
    every: Duration,
}

/// The patrol of one service over the given witnesses, where it is switched on.
pub fn patrolling(parts: &Parts, service: Service, witnesses: Vec<Witness>) -> Option<Patrolling> {
    let settings = &parts.config.audit;
    let auditor = || {
        let stores = &parts.stores;
        Auditor::new(stores.bytes.clone(), stores.scan.clone(), audited_by(service), witnesses, settings.rules())
    };
    settings.enabled.then(|| Patrolling { auditor: auditor(), sample: settings.sample, every: settings.interval() })
}

/// The sweeper's loop for one service, until `stop`. `None` where it is switched off, or nothing is left behind.
pub fn sweeping(
    parts: &Parts,
    witnesses: Vec<Witness>,
    stop: CancellationToken,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let settings = parts.config.sweep;
    let sweeper = Sweeper::new(parts.stores.scan.clone(), witnesses, settings.rules(false));
    let wanted = settings.enabled && sweeper.keyspaces().next().is_some();
    wanted.then_some(async move {
        while stop.run_until_cancelled(sleep(settings.interval())).await.is_some() {
            match stop.run_until_cancelled(sweeper.sweep(|_, _| ())).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::debug!(%error, "a sweep of the cache ended early; trying again"),
                None => return,
            }
        }
    })
}

/// Waits until Redis answers for these keyspaces; the error says what is missing.
async fn reached(parts: &Parts, keyspaces: &[&'static Keyspace]) -> anyhow::Result<()> {
    let backend = parts.config.cache.backend;
    if backend != CacheBackend::Redis {
        bail!("the caches are {backend:?}, of which another process sees nothing: set QUOIN__CACHE__BACKEND=redis");
    }
    let deadline = Instant::now() + REDIS_WITHIN;
    for keyspace in keyspaces {
        let at = Place { workload: keyspace.workload, key: keyspace.name };
        // A refusal is an answer too.
        while let Err(StoreError::Unavailable | StoreError::TimedOut | StoreError::BreakerOpen) =
            parts.stores.bytes.read(at).await
        {
            if Instant::now() > deadline {
                bail!(
                    "Redis does not answer ({} pool). Services answer from PostgreSQL meanwhile. \
                     See QUOIN__CACHE__REDIS_URL and `quoin doctor`",
                    keyspace.workload.pool().as_str()
                );
            }
            sleep(POLL).await;
        }
    }
    Ok(())
}

/// Waits until every pool of Redis answers; the error says which does not.
pub async fn pools_reached(parts: &Parts) -> anyhow::Result<()> {
    reached(parts, &registry::all().collect::<Vec<_>>()).await
}

/// An error of the store in the middle of a command.
fn broken_off(error: StoreError) -> anyhow::Error {
    anyhow::Error::new(error).context("Redis went away in the middle; what was counted so far is not shown")
}

/// Every service's witnesses, once their databases answer: asking a silent one about entry after entry would take hours.
async fn all_witnesses(parts: &Parts) -> anyhow::Result<Vec<Witness>> {
    let mut all = Vec::new();
    for service in Service::ALL {
        let pool = parts.pool(service, Duty::Work)?;
        let answer = pool.acquire().await;
        answer.with_context(|| format!("PostgreSQL does not answer for {service}: nothing was looked at"))?;
        all.extend(witnesses_over(parts, service, pool)?);
    }
    Ok(all)
}

fn witnesses_over(parts: &Parts, service: Service, pool: PgPool) -> anyhow::Result<Vec<Witness>> {
    let witnesses = witnesses(&parts.config, service, parts.state(service, pool));
    witnesses.with_context(|| format!("cannot ask {service}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::app::Log;

    async fn parts() -> Parts {
        let mut config = Config::load(None).unwrap();
        config.cache.backend = CacheBackend::Memory;
        // Nobody listens there.
        config.owner.database_url = "postgres://nobody@127.0.0.1:1/nothing".into();
        config.runtime.database.acquire_timeout_ms = 1;
        let log = Log::of(&config);
        Parts::new(config, log).await.unwrap()
    }

    /// A keyspace of which the registry says that it is compared has somebody to compare it with, and no other has.
    #[tokio::test]
    async fn every_compared_keyspace_has_a_witness_and_every_numbered_one_its_newest_version() {
        let parts = parts().await;
        let of = |service| {
            let pool = parts.pool(service, Duty::Work).unwrap();
            witnesses_over(&parts, service, pool).unwrap()
        };
        let witnesses: Vec<Witness> = Service::ALL.into_iter().flat_map(of).collect();
        let named = |wanted: fn(&Keyspace) -> bool| -> BTreeSet<&str> {
            registry::all().filter(|keyspace| wanted(keyspace)).map(|keyspace| keyspace.name).collect()
        };
        let known: BTreeSet<&str> = witnesses.iter().map(|witness| witness.keyspace().name).collect();
        assert_eq!(known, named(|keyspace| keyspace.audit.asks_the_authority()));
        let knowing = witnesses.iter().filter(|witness| witness.knows_newest());
        let knowing: BTreeSet<&str> = knowing.map(|witness| witness.keyspace().name).collect();
        assert_eq!(knowing, named(|keyspace| keyspace.numbered_by().is_some()));
    }

    #[test]
    fn a_patrol_walks_only_over_its_own_services_keyspaces() {
        let names = |service| audited_by(service).into_iter().map(|keyspace| keyspace.name).collect::<Vec<_>>();
        assert_eq!(names(Service::Inventory), ["inventory item", "inventory version pointer", "idempotency fast path"]);
        let all: BTreeSet<&str> = Service::ALL.into_iter().flat_map(names).collect();
        assert_eq!(all, audited().into_iter().map(|keyspace| keyspace.name).collect());
    }

    #[tokio::test]
    async fn nothing_is_judged_where_an_authority_is_silent() {
        let error = all_witnesses(&parts().await).await.err().unwrap();
        assert!(error.to_string().contains("PostgreSQL does not answer for catalog"), "{error}");
    }

    #[tokio::test]
    async fn caches_of_another_process_cannot_be_looked_into() {
        let error = reached(&parts().await, &audited()).await.unwrap_err();
        assert!(error.to_string().contains("QUOIN__CACHE__BACKEND=redis"), "{error}");
    }
}
