//! An accepted revision becomes an order, exactly once: the unique key of the revision decides, whoever comes first.

use chrono::{DateTime, Utc};
use kernel::OrderId;
use sqlx::PgConnection;

use super::{Actor, OUTBOX};
use crate::{
    error::{OrderError, OrderResult},
    events::order_created,
    model::{Acceptance, Order, Task},
    rules::{intake, plan},
    store::orders,
};

/// The order of an accepted revision.
#[derive(Debug)]
pub struct Created {
    /// The order.
    pub order: Order,
    /// Its plan.
    pub tasks: Vec<Task>,
    /// Whether it was made now, or had been made before.
    pub is_new: bool,
}

/// Creates the order an acceptance gives the right to, or finds it.
pub async fn create_order(
    conn: &mut PgConnection,
    actor: &Actor,
    acceptance: Acceptance,
    task_retries: u32,
    at: DateTime<Utc>,
) -> OrderResult<Created> {
    intake::check(&acceptance)?;
    let order = intake::order_from(acceptance, OrderId::generate(), &actor.subject, at);
    let tasks = plan::plan(order.id, task_retries);
    if orders::insert_order(conn, &actor.tenant, &order, &tasks).await? {
        OUTBOX.append(conn, &[order_created(actor, &order)?]).await?;
        return Ok(Created { order, tasks, is_new: true });
    }
    let existing = orders::order_id_of_revision(conn, &actor.tenant, order.quote_id, order.revision_no).await?;
    let existing = existing.ok_or(OrderError::NotFound("order"))?;
    let found = orders::order_with_tasks(conn, &actor.tenant, existing).await?;
    let (order, tasks, _) = found.ok_or(OrderError::NotFound("order"))?;
    Ok(Created { order, tasks, is_new: false })
}
