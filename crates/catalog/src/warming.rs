//! Loading offerings into the cache ahead of their readers, after a publication was put in force.
//!
//! Owns the worker's loop and what is worth warming. Nothing depends on it: without Redis there is no queue and no lock, and
//! an offering nobody warmed is loaded by its first reader. Must never make an activation wait.

use std::time::Duration;

use cache_ports::{
    LockAttempt, LockKey,
    counters::LiveCount,
    streams::{StreamId, TakenWarmTask, WarmTask},
};
use kernel::{ContentHash, OfferingId, PublicationId, TenantId};
use metrics::counter;
use service_runtime::TenantTx;
use tokio_util::sync::CancellationToken;

use crate::{State, error::CatalogError, queries, store};

/// Tenants served in one round: those that changed their catalog last.
const TENANTS_AT_ONCE: i64 = 64;
/// Tasks taken at once: all of them are done long before they count as left lying.
const TASKS_AT_ONCE: u16 = 16;
/// How long one load may keep others from loading the same; the keyspace's own limit.
const LOCK: Duration = Duration::from_secs(5);

/// Puts the offerings worth warming in the queue: those people look at most, then the first by name. Best effort.
pub async fn enqueue(state: &State, tenant: &TenantId, publication: PublicationId) -> Result<usize, CatalogError> {
    let limit = state.config.warm_offerings;
    if limit == 0 {
        return Ok(0);
    }
    let viewed = state.runtime.caches.counters.most_counted(tenant, LiveCount::OfferingViews, limit).await;
    let viewed: Vec<OfferingId> = viewed.unwrap_or_default().into_iter().map(|tally| tally.object.into()).collect();
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let offerings = store::warming::worth_warming(&mut tx, tenant, publication, &viewed, limit.into()).await?;
    tx.commit().await?;
    let task = |offering_id| WarmTask { publication_id: publication, offering_id };
    let tasks: Vec<WarmTask> = offerings.into_iter().map(task).collect();
    let queued = state.runtime.caches.warm.enqueue(tenant, &tasks).await;
    Ok(if queued { tasks.len() } else { 0 })
}

/// Works through the queues until `stop`. `worker` is a name nobody else has.
pub async fn run(state: State, worker: String, stop: CancellationToken) {
    let idle = Duration::from_millis(state.config.warm_interval_ms.max(1));
    while !stop.is_cancelled() {
        let warmed = match round(&state, &worker).await {
            Ok(warmed) => warmed,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a round of cache warming failed");
                0
            }
        };
        if warmed == 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(idle) => {}
            }
        }
    }
}

/// One round over the tenants whose catalog changed lately; how many tasks were taken.
pub async fn round(state: &State, worker: &str) -> Result<usize, CatalogError> {
    let mut conn = state.runtime.pool.acquire().await?;
    let tenants = store::warming::recently_activated(&mut conn, TENANTS_AT_ONCE).await?;
    drop(conn);
    let mut taken = 0;
    for tenant in tenants {
        // A queue that cannot be asked is not asked for the other tenants either.
        let Some(tasks) = state.runtime.caches.warm.take(&tenant, worker, TASKS_AT_ONCE).await else { break };
        taken += tasks.len();
        let mut done: Vec<StreamId> = Vec::with_capacity(tasks.len());
        for TakenWarmTask { receipt, task } in tasks {
            let outcome = warm(state, &tenant, task).await?;
            counter!("catalog_warmed_offerings_total", "outcome" => outcome).increment(1);
            done.push(receipt);
        }
        if !done.is_empty() {
            state.runtime.caches.warm.done(&tenant, &done).await;
        }
    }
    Ok(taken)
}

/// Loads one offering through the port, unless somebody else does or nobody can say.
async fn warm(state: &State, tenant: &TenantId, task: WarmTask) -> Result<&'static str, CatalogError> {
    let locks = &state.runtime.caches.locks;
    let key = LockKey::CacheWarm { tenant: tenant.clone(), key_hash: ContentHash::of_json(&task)? };
    let lease = match locks.try_acquire(key, LOCK).await {
        LockAttempt::Granted(lease) => lease,
        LockAttempt::Held => return Ok("held"),
        LockAttempt::Unavailable => return Ok("skipped"),
    };
    let read = queries::frozen_offering(state, tenant, task.publication_id, task.offering_id).await;
    locks.release(lease).await;
    Ok(match read {
        Ok(Some(_)) => "loaded",
        Ok(None) => "missing",
        Err(_) => "failed",
    })
}
