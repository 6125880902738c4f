//! What is read of orders: one function a read. The only place that reads through the cache, and only for display.

use std::sync::Arc;

use cache_ports::{
    Loaded, ReadError, Served, load,
    order::{OrderCache, OrderSummary, WorkflowSummary},
};
use chrono::{DateTime, Utc};
use kernel::{CancellationId, OrderId, QuoteId, TenantId, Version};
use service_runtime::{Problem, TenantTx};
use sqlx::PgPool;

use crate::{
    error::{OrderError, OrderResult},
    events::summary_of,
    model::{Cancellation, ListedOrder, OrderHeader, Task},
    rules::progress::progress,
    store::{
        cancellations,
        headers::{self, Filter},
        order_list, orders, plan,
    },
};

/// An order by its versioned key: the version, and the tasks, which change without one, come from the database; the rest
/// from the cache.
pub async fn order_summary(
    pool: &PgPool,
    cache: &Arc<dyn OrderCache>,
    tenant: &TenantId,
    order: OrderId,
) -> Result<(Served<OrderSummary>, Vec<Task>), Problem> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = orders::version_and_tasks(&mut tx, tenant, order).await.map_err(Problem::from)?;
    tx.rollback().await?;
    let (version, tasks) = found.ok_or_else(|| Problem::not_found("order"))?;
    let from_database = load(|| from_database(pool.clone(), tenant.clone(), order));
    let served = cache.summary(tenant, order, version, &from_database).await?;
    Ok((served.ok_or_else(|| Problem::not_found("order"))?, tasks))
}

pub(crate) async fn from_database(pool: PgPool, tenant: TenantId, order: OrderId) -> OrderResult<Loaded<OrderSummary>> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let found = orders::order_with_tasks(&mut tx, &tenant, order).await?;
    tx.rollback().await?;
    Ok(Loaded::from_row(found.map(|(order, ..)| (summary_of(&order), order.version))))
}

/// How far an order's plan has come, through the cache; not older than `min_version` of the order.
pub async fn workflow(
    pool: &PgPool,
    cache: &Arc<dyn OrderCache>,
    tenant: &TenantId,
    order: OrderId,
    min_version: Option<Version>,
) -> Result<Option<Served<WorkflowSummary>>, ReadError> {
    let from_database = load(|| plan_from_database(pool.clone(), tenant.clone(), order));
    cache.workflow(tenant, order, min_version, &from_database).await
}

pub(crate) async fn plan_from_database(
    pool: PgPool,
    tenant: TenantId,
    order: OrderId,
) -> OrderResult<Loaded<WorkflowSummary>> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let found = plan::plan_of(&mut tx, &tenant, order).await?;
    tx.rollback().await?;
    Ok(Loaded::from_row(found.map(|plan| (progress(&plan), plan.version))))
}

/// The newest version of an order.
pub(crate) async fn newest_version(pool: &PgPool, tenant: &TenantId, order: OrderId) -> OrderResult<Option<Version>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = orders::version_and_tasks(&mut tx, tenant, order).await?;
    tx.rollback().await?;
    Ok(found.map(|(version, _)| version))
}

/// One page of orders, newest first, and one more row if there is more.
pub async fn orders(pool: &PgPool, tenant: &TenantId, filter: &Filter, limit: i64) -> OrderResult<Vec<OrderHeader>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let rows = headers::list(&mut tx, tenant, filter, limit).await?;
    tx.rollback().await?;
    Ok(rows)
}

/// One page of the order list, newest first, and one more row if there is more; and up to when it holds everything.
pub async fn order_list(
    pool: &PgPool,
    tenant: &TenantId,
    filter: &order_list::Filter,
    limit: i64,
) -> OrderResult<(Vec<ListedOrder>, Option<DateTime<Utc>>)> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    // First: whatever comes in between is only in the rows.
    let as_of = order_list::as_of(&mut tx).await?;
    let rows = order_list::list(&mut tx, tenant, filter, limit).await?;
    tx.rollback().await?;
    Ok((rows, as_of))
}

/// Most orders of one quote: one for each of its accepted revisions, of which there is one.
const ORDERS_OF_A_QUOTE: i64 = 100;

/// The orders made of one quote that pass the other filters.
pub async fn orders_of_quote(
    pool: &PgPool,
    tenant: &TenantId,
    quote: QuoteId,
    filter: &Filter,
) -> OrderResult<Vec<OrderHeader>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let rows = headers::of_quote(&mut tx, tenant, quote, ORDERS_OF_A_QUOTE).await?;
    tx.rollback().await?;
    Ok(rows.into_iter().filter(|header| filter.passes(header)).collect())
}

/// Every cancellation of an order, oldest first.
pub async fn cancellations(pool: &PgPool, tenant: &TenantId, order: OrderId) -> OrderResult<Vec<Cancellation>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let known = orders::version_and_tasks(&mut tx, tenant, order).await?.is_some();
    let all = cancellations::cancellations_of(&mut tx, tenant, order).await?;
    tx.rollback().await?;
    if known { Ok(all) } else { Err(OrderError::NotFound("order")) }
}

/// One cancellation of an order.
pub async fn cancellation(
    pool: &PgPool,
    tenant: &TenantId,
    order: OrderId,
    id: CancellationId,
) -> OrderResult<Cancellation> {
    let all = cancellations(pool, tenant, order).await?;
    all.into_iter().find(|known| known.id == id).ok_or(OrderError::NotFound("cancellation"))
}
