//! An order's plan, as far as progress is concerned.

use chrono::{DateTime, Utc};
use kernel::{OrderId, TaskId, TenantId, Version};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    error::{OrderError, OrderResult},
    model::{OrderState, TaskKind, TaskState},
    rules::progress::{Plan, PlannedTask},
};

#[derive(Debug, Deserialize)]
struct PlannedTaskRow {
    task_id: TaskId,
    kind: TaskKind,
    state: TaskState,
    attempt: u32,
    failed: bool,
    since: DateTime<Utc>,
}

impl From<PlannedTaskRow> for PlannedTask {
    fn from(row: PlannedTaskRow) -> Self {
        let PlannedTaskRow { task_id: id, kind, state, attempt, failed, since } = row;
        Self { id, kind, state, attempt, failed, since }
    }
}

/// The plan of an order and how it stands.
pub async fn plan_of(conn: &mut PgConnection, tenant: &TenantId, order: OrderId) -> OrderResult<Option<Plan>> {
    let row = sqlx::query_file!("src/store/plan.sql", tenant.as_str(), order.uuid()).fetch_optional(conn).await?;
    row.map(|row| {
        Ok(Plan {
            order_id: order,
            version: Version::from_i64(row.version),
            state: OrderState::named(&row.state).ok_or(OrderError::Unreadable("order state"))?,
            tasks: row.tasks.0.into_iter().map(Into::into).collect(),
            read_at: row.read_at,
        })
    })
    .transpose()
}
