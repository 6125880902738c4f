//! What the quote service does on its own: reactions to events, and the sweep for overdue offers.

use std::{sync::Arc, time::Duration};

use cache_ports::Caches;
use events::{Projection, Reaction};
use kernel::SharedClock;
use service_runtime::{OutboxHint, TenantTx};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::{self, Actor, Target},
    error::QuoteResult,
    events::{DropSummaries, FollowAccess, FollowEligibility, FollowOrders, QuoteList, TellUsers},
    store::quotes,
};

/// Most offers ended in one round of the sweep.
const SWEEP_AT_ONCE: i64 = 200;

/// The reactions of this service, each to be run as one consumer over the service's schema. `pool` connects as the work role.
pub fn reactions(caches: &Caches, pool: &PgPool, clock: &SharedClock) -> Vec<Arc<dyn Reaction>> {
    vec![
        Arc::new(DropSummaries::new(caches.quote.clone())),
        Arc::new(FollowEligibility(caches.eligibility.clone())),
        Arc::new(FollowAccess(caches.access.clone())),
        Arc::new(FollowOrders),
        Arc::new(TellUsers::new(caches.notices.clone(), pool.clone(), clock.clone())),
    ]
}

/// The projections of this service, each kept up to date by one consumer over the service's schema.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(QuoteList)]
}

/// Tells the others about offers whose time is over. Woken by a timer, idempotent; `pool` connects as the work role.
pub async fn run_expiry(pool: PgPool, every: Duration, hints: OutboxHint, stop: CancellationToken) {
    loop {
        match expire_overdue(&pool).await {
            Ok(0) => {}
            Ok(expired) => {
                metrics::counter!("quote_offers_expired_total").increment(expired);
                hints.notify();
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the sweep for overdue offers failed");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// One round of the sweep; answers how many offers it ended.
pub async fn expire_overdue(pool: &PgPool) -> QuoteResult<u64> {
    let mut conn = pool.acquire().await?;
    let overdue = quotes::overdue_offers(&mut conn, SWEEP_AT_ONCE).await?;
    drop(conn);
    let mut expired = 0;
    for (tenant, quote_id, revision_no) in overdue {
        let actor = Actor::service(tenant);
        let target = Target { quote_id, revision_no: Some(revision_no), expected: None };
        let mut tx = TenantTx::begin(pool, &actor.tenant).await?;
        expired += u64::from(commands::expire(&mut tx, &actor, target).await?);
        tx.commit().await?;
    }
    Ok(expired)
}
