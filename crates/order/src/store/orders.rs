//! Orders with their items, and the hand-off to invoicing.

use chrono::{DateTime, Utc};
use kernel::{CustomerId, Money, OrderId, QuoteId, TaskId, TenantId, Version};
use rust_decimal::Decimal;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::json_rows::{ItemRow, TaskRow, to_json};
use crate::{
    error::{OrderError, OrderResult},
    model::{HandoffState, Order, OrderItem, OrderState, Task},
};

/// Who changed an order, when, and what was said.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// The subject of the token, or the service.
    pub actor: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
    /// When.
    pub at: DateTime<Utc>,
}

/// An order, its tasks, and the database's time of reading.
pub type OrderWithTasks = (Order, Vec<Task>, DateTime<Utc>);

struct OrderRow {
    order_id: Uuid,
    version: i64,
    quote_id: Uuid,
    revision_no: i32,
    customer_id: Option<Uuid>,
    state: String,
    currency: String,
    total: Decimal,
    credited: Decimal,
    content_hash: Vec<u8>,
    invoice_handoff: String,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    items: Json<Vec<ItemRow>>,
    tasks: Json<Vec<TaskRow>>,
    read_at: DateTime<Utc>,
}

impl OrderRow {
    fn into_order(self) -> OrderResult<OrderWithTasks> {
        let currency = self.currency.parse().map_err(|_| OrderError::Unreadable("currency"))?;
        let items =
            self.items.0.into_iter().map(|row| row.into_item(currency)).collect::<OrderResult<Vec<OrderItem>>>()?;
        let hash = <[u8; 32]>::try_from(self.content_hash).map_err(|_| OrderError::Unreadable("content hash"))?;
        let order = Order {
            id: self.order_id.into(),
            version: Version::from_i64(self.version),
            quote_id: self.quote_id.into(),
            revision_no: self.revision_no.unsigned_abs(),
            customer_id: self.customer_id.map(Into::into),
            state: OrderState::named(&self.state).ok_or(OrderError::Unreadable("order state"))?,
            currency,
            total: Money::new(self.total, currency)?,
            credited: Money::new(self.credited, currency)?,
            content_hash: hash.into(),
            invoice_handoff: HandoffState::named(&self.invoice_handoff).ok_or(OrderError::Unreadable("hand-off"))?,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            completed_at: self.completed_at,
            items,
        };
        Ok((order, self.tasks.0.into_iter().map(Into::into).collect(), self.read_at))
    }
}

/// Inserts a new order with its items and its plan; false when its accepted revision has an order already.
pub async fn insert_order(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: &Order,
    tasks: &[Task],
) -> OrderResult<bool> {
    let row = sqlx::query_file_scalar!(
        "src/store/insert_order.sql",
        tenant.as_str(),
        order.id.uuid(),
        order.quote_id.uuid(),
        i32::try_from(order.revision_no).unwrap_or(i32::MAX),
        order.customer_id.map(CustomerId::uuid),
        order.currency.code(),
        order.total.amount(),
        order.content_hash.as_bytes().as_slice(),
        order.created_by,
        order.created_at,
        to_json::<_, ItemRow>(&order.items)?,
        to_json::<_, TaskRow>(tasks)?,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// The order made of an accepted revision.
pub async fn order_id_of_revision(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
) -> OrderResult<Option<OrderId>> {
    let id = sqlx::query_scalar!(
        r#"select order_id from "order".product_order where tenant_id = $1 and quote_id = $2 and revision_no = $3"#,
        tenant.as_str(),
        quote.uuid(),
        i32::try_from(revision_no).unwrap_or(i32::MAX),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(OrderId::from))
}

/// Locks the order for the rest of the transaction; false when there is none.
///
/// The lock is a statement of its own: whoever waited for it must read with a snapshot taken afterwards.
pub async fn lock_order(conn: &mut PgConnection, tenant: &TenantId, order: OrderId) -> OrderResult<bool> {
    let row = sqlx::query_scalar!(
        r#"select version from "order".product_order where tenant_id = $1 and order_id = $2 for update"#,
        tenant.as_str(),
        order.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// The order with its items and tasks.
pub async fn order_with_tasks(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: OrderId,
) -> OrderResult<Option<OrderWithTasks>> {
    let row = sqlx::query_file_as!(OrderRow, "src/store/order_with_tasks.sql", tenant.as_str(), order.uuid())
        .fetch_optional(conn)
        .await?;
    row.map(OrderRow::into_order).transpose()
}

/// Writes the order and its items back as one new version, and the move away from `from` if it was one. `order` then carries
/// that version.
pub async fn save_order(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: &mut Order,
    from: OrderState,
    note: Note<'_>,
) -> OrderResult<()> {
    let saved = sqlx::query_file_scalar!(
        "src/store/save_order.sql",
        tenant.as_str(),
        order.id.uuid(),
        order.version.to_i64(),
        order.state.as_str(),
        order.credited.amount(),
        order.invoice_handoff.as_str(),
        order.completed_at,
        note.at,
        to_json::<_, ItemRow>(&order.items)?,
        from.as_str(),
        note.actor,
        note.reason,
    )
    .fetch_one(conn)
    .await?;
    if saved != 1 {
        return Err(OrderError::VersionChanged { current: order.version.next() });
    }
    order.version = order.version.next();
    order.updated_at = note.at;
    Ok(())
}

/// Notes what invoicing was asked for; once per order.
pub async fn insert_handoff(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: OrderId,
    task: TaskId,
    amount: Money,
    at: DateTime<Utc>,
) -> OrderResult<()> {
    sqlx::query!(
        r#"
        insert into "order".invoice_handoff (tenant_id, order_id, task_id, amount, currency, requested_at)
        values ($1, $2, $3, $4, $5, $6)
        "#,
        tenant.as_str(),
        order.uuid(),
        task.uuid(),
        amount.amount(),
        amount.currency().code(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The version an order is in and its tasks as they are now: what a read by versioned key needs from PostgreSQL.
pub async fn version_and_tasks(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: OrderId,
) -> OrderResult<Option<(Version, Vec<Task>)>> {
    let row = sqlx::query!(
        r#"
        select o.version,
            coalesce(jsonb_agg(jsonb_build_object(
                'task_id', t.task_id, 'order_id', t.order_id, 'kind', t.kind, 'cancellation_id', t.cancellation_id,
                'depends_on', t.depends_on, 'state', t.state, 'attempt', t.attempt, 'retries_left', t.retries_left,
                'error', t.error)
                order by array_position(array['reserve', 'provision', 'handoff', 'cancel'], t.kind), t.created_at),
                '[]'::jsonb) as "tasks!: Json<Vec<TaskRow>>"
        from "order".product_order o
        join "order".task t on t.tenant_id = o.tenant_id and t.order_id = o.order_id
        where o.tenant_id = $1 and o.order_id = $2
        group by o.version
        "#,
        tenant.as_str(),
        order.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (Version::from_i64(row.version), row.tasks.0.into_iter().map(Into::into).collect())))
}
