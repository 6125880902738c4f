//! Ends reservations that ran out. The database's clock decides; this worker only carries it out, and being late is harmless:
//! a commit after the end re-checks the stock.

use std::time::Duration;

use kernel::{ReservationId, SharedClock, TenantId};
use service_runtime::TenantTx;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{State, commands::reservations::expire_reservation, error::InventoryError, events::Occasion, store};

/// Who is named as the actor of an expiry.
const ACTOR: &str = "system:expiry";

/// Looks for due reservations until told to stop. The state's pool connects as `inventory_work`.
pub async fn run(state: State, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_millis(state.config.expiry_interval_ms.max(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match expire_due(&state.runtime.pool, &state.runtime.clock, state.config.expiry_batch).await {
            Ok(0) => {}
            Ok(expired) => {
                metrics::counter!("inventory_reservations_expired_total").increment(expired);
                tracing::info!(expired, "reservations ran out");
            }
            Err(error) => tracing::warn!(error = %error, "expired reservations could not be ended; trying again"),
        }
    }
}

/// Ends at most `batch` due reservations, each in its own transaction; one that fails does not hold up the others. Returns how many.
pub async fn expire_due(pool: &PgPool, clock: &SharedClock, batch: u32) -> Result<u64, InventoryError> {
    let mut conn = pool.acquire().await?;
    let due = store::reservations::due_reservations(&mut conn, i64::from(batch)).await?;
    drop(conn);
    let mut expired = 0;
    for (tenant, reservation) in due {
        let Ok(tenant) = tenant.parse::<TenantId>() else { continue };
        match expire(pool, clock, &tenant, reservation).await {
            Ok(true) => expired += 1,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%tenant, %reservation, %error, "a reservation could not be ended; trying again");
            }
        }
    }
    Ok(expired)
}

async fn expire(
    pool: &PgPool,
    clock: &SharedClock,
    tenant: &TenantId,
    reservation: ReservationId,
) -> Result<bool, InventoryError> {
    let mut tx = TenantTx::begin(pool, tenant).await?;
    let occasion = Occasion { tenant, actor: ACTOR, correlation_id: None, at: clock.now() };
    let expired = expire_reservation(&mut tx, occasion, reservation).await?;
    tx.commit().await?;
    Ok(expired)
}
