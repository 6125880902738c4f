//! Tasks as a queue: claimed with a lease, ended by whoever still holds the lease.
//!
//! The attempt number is the fencing token: every claim raises it, and a result is recorded only under the number it was
//! claimed with. All times are the database's.

use std::time::Duration;

use kernel::{CancellationId, OrderId, TaskId, TenantId, Version};
use sqlx::PgConnection;

use super::json_rows::{TaskRow, to_json};
use crate::{
    error::{OrderError, OrderResult},
    model::{Task, TaskKind, TaskState},
};

/// A task a worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The task.
    pub id: TaskId,
    /// The order.
    pub order_id: OrderId,
    /// What it does.
    pub kind: TaskKind,
    /// The cancellation it carries out.
    pub cancellation_id: Option<CancellationId>,
    /// The fencing token.
    pub attempt: u32,
    /// How often it may be taken after this; below zero when its lease ran out too often.
    pub retries_left: i32,
}

/// Tenants that have something to do now. For the worker's role only: its policy shows just open tasks.
pub async fn tenants_with_due_tasks(conn: &mut PgConnection, limit: i64) -> OrderResult<Vec<TenantId>> {
    let tenants = sqlx::query_scalar!(
        r#"
        select tenant_id from "order".task
        where (state in ('ready', 'retryWait') and run_after <= clock_timestamp())
            or (state = 'locked' and lease_until < clock_timestamp())
        group by tenant_id
        order by min(run_after)
        limit $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    tenants.iter().map(|tenant| tenant.parse().map_err(|_| OrderError::Unreadable("tenant"))).collect()
}

/// Takes up to `limit` due tasks of one tenant for `lease`. A cancellation waits while another task of its order is held:
/// its effects are not known yet.
pub async fn claim_tasks(
    conn: &mut PgConnection,
    tenant: &TenantId,
    worker: &str,
    lease: Duration,
    limit: i64,
) -> OrderResult<Vec<Claimed>> {
    let rows = sqlx::query!(
        r#"
        with due as (
            select t.task_id
            from "order".task t
            where t.tenant_id = $1
                and ((t.state in ('ready', 'retryWait') and t.run_after <= clock_timestamp())
                    or (t.state = 'locked' and t.lease_until < clock_timestamp()))
                and (t.kind <> 'cancel' or not exists (
                    select 1 from "order".task other
                    where other.tenant_id = t.tenant_id and other.order_id = t.order_id
                        and other.state = 'locked' and other.task_id <> t.task_id))
            order by t.run_after
            limit $2
            for update of t skip locked
        )
        update "order".task t
        set state = 'locked', attempt = t.attempt + 1, retries_left = t.retries_left - 1, locked_by = $3,
            lease_until = clock_timestamp() + make_interval(secs => $4), updated_at = clock_timestamp()
        from due
        where t.tenant_id = $1 and t.task_id = due.task_id
        returning t.task_id, t.order_id, t.kind, t.cancellation_id, t.attempt, t.retries_left
        "#,
        tenant.as_str(),
        limit,
        worker,
        lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Claimed {
                id: row.task_id.into(),
                order_id: row.order_id.into(),
                kind: TaskKind::named(&row.kind).ok_or(OrderError::Unreadable("task kind"))?,
                cancellation_id: row.cancellation_id.map(Into::into),
                attempt: row.attempt.unsigned_abs(),
                retries_left: row.retries_left,
            })
        })
        .collect()
}

/// Ends a claim: the task goes to `state`, and may be taken again after `delay`. Answers how many results the task has now,
/// an attempt that is repeated not counted; nothing when the claim is no longer held: then nothing has changed, and nothing
/// that depends on the result may.
pub async fn end_claim(
    conn: &mut PgConnection,
    tenant: &TenantId,
    claimed: &Claimed,
    state: TaskState,
    error: Option<&str>,
    delay: Duration,
) -> OrderResult<Option<Version>> {
    let results = sqlx::query_scalar!(
        r#"
        update "order".task
        set state = $4, error = $5, run_after = clock_timestamp() + make_interval(secs => $6), lease_until = null,
            locked_by = null, results = results + case $4 when 'retryWait' then 0 else 1 end,
            updated_at = clock_timestamp()
        where tenant_id = $1 and task_id = $2 and attempt = $3 and state = 'locked'
        returning results
        "#,
        tenant.as_str(),
        claimed.id.uuid(),
        i32::try_from(claimed.attempt).unwrap_or(i32::MAX),
        state.as_str(),
        error,
        delay.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(results.map(Version::from_i64))
}

/// Lets planned tasks be taken, ahead of what younger orders wait for: a backlog is completed order by order.
pub async fn make_ready(conn: &mut PgConnection, tenant: &TenantId, tasks: &[TaskId]) -> OrderResult<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let ids: Vec<uuid::Uuid> = tasks.iter().map(|task| task.uuid()).collect();
    sqlx::query!(
        r#"
        update "order".task set state = 'ready', run_after = created_at, updated_at = clock_timestamp()
        where tenant_id = $1 and task_id = any($2) and state = 'planned'
        "#,
        tenant.as_str(),
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Cancels every task of a plan that nobody holds and that is not over; answers the ids. Tasks that carry out the given
/// cancellation stay.
pub async fn cancel_open_tasks(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: OrderId,
    but: CancellationId,
) -> OrderResult<Vec<TaskId>> {
    let ids = sqlx::query_scalar!(
        r#"
        update "order".task set state = 'cancelled', updated_at = clock_timestamp()
        where tenant_id = $1 and order_id = $2 and cancellation_id is distinct from $3
            and state in ('planned', 'ready', 'retryWait', 'fallout')
        returning task_id
        "#,
        tenant.as_str(),
        order.uuid(),
        but.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(TaskId::from).collect())
}

/// Adds a task to an order's plan; adding it again changes nothing, because its id is the same.
pub async fn insert_task(conn: &mut PgConnection, tenant: &TenantId, task: &Task) -> OrderResult<()> {
    sqlx::query!(
        r#"
        insert into "order".task (
            tenant_id, task_id, order_id, kind, cancellation_id, depends_on, state, retries_left, run_after, created_at,
            updated_at)
        select $1, t.task_id, t.order_id, t.kind, t.cancellation_id, t.depends_on, t.state, t.retries_left, now(), now(),
            now()
        from jsonb_to_recordset($2::jsonb) as t (
            task_id uuid, order_id uuid, kind text, cancellation_id uuid, depends_on uuid[], state text,
            retries_left integer)
        on conflict (tenant_id, task_id) do nothing
        "#,
        tenant.as_str(),
        to_json::<_, TaskRow>(std::slice::from_ref(task))?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a task that has fallen out back into the queue with fresh retries; false when it is not in fallout.
pub async fn retry_task(conn: &mut PgConnection, tenant: &TenantId, task: TaskId, retries: u32) -> OrderResult<bool> {
    let updated = sqlx::query!(
        r#"
        update "order".task
        set state = 'ready', retries_left = $3, run_after = clock_timestamp(), updated_at = clock_timestamp()
        where tenant_id = $1 and task_id = $2 and state = 'fallout'
        "#,
        tenant.as_str(),
        task.uuid(),
        i32::try_from(retries).unwrap_or(i32::MAX),
    )
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() == 1)
}
