//! What is looked after from time to time: events that nobody needs any more, and the numbers an operator watches.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use kernel::{SharedClock, TenantId};
use service_runtime::TenantTx;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    Hub,
    config::Config,
    store::{feed, subscriptions},
};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(15);

/// Looks after the feeds of a service until `stop`.
pub(crate) async fn run(
    hub: &'static Hub,
    config: Arc<Config>,
    pool: PgPool,
    clock: SharedClock,
    stop: CancellationToken,
) {
    loop {
        let looked = async {
            measure(hub, &pool, &clock).await?;
            forget(hub, &pool, config.keep()).await
        };
        if let Err(error) = looked.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(service = hub.service, error, "the feeds of callbacks could not be looked after");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

async fn measure(hub: &'static Hub, pool: &PgPool, clock: &SharedClock) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    let oldest = feed::oldest_waiting(&mut conn, hub.service).await?;
    let suspended = subscriptions::suspended(&mut conn, hub.service).await?;
    let age = oldest.map_or(TimeDelta::zero(), |oldest| clock.now() - oldest);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts of subscriptions are small")]
    metrics::gauge!("quoin_webhook_suspended_subscriptions", "service" => hub.service).set(suspended as f64);
    let age = age.to_std().unwrap_or_default().as_secs_f64();
    metrics::gauge!("quoin_webhook_oldest_waiting_seconds", "service" => hub.service).set(age);
    Ok(())
}

/// Deletes what everybody has and nobody may ask for again; says how many events.
pub async fn forget(hub: &'static Hub, pool: &PgPool, keep: Duration) -> sqlx::Result<u64> {
    let mut conn = pool.acquire().await?;
    let tenants = feed::tenants_to_forget_for(&mut conn, hub.service, keep).await?;
    drop(conn);
    let mut gone = 0;
    for tenant in tenants {
        let Ok(tenant) = tenant.parse::<TenantId>() else { continue };
        let mut tx = TenantTx::begin(pool, &tenant).await?;
        gone += feed::forget(&mut tx, hub.service, &tenant, keep).await?;
        tx.commit().await?;
    }
    Ok(gone)
}
