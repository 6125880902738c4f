//! Cancellations as task resources.

use chrono::{DateTime, Utc};
use kernel::{CancellationId, Money, OrderId, OrderItemId, TenantId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::json_rows::{CancellationItemRow, to_json};
use crate::{
    error::{OrderError, OrderResult},
    model::{Cancellation, CancellationState},
};

struct Row {
    cancellation_id: Uuid,
    order_id: Uuid,
    external_id: Option<String>,
    state: String,
    reason: String,
    whole: bool,
    currency: String,
    credit: Decimal,
    error: Option<String>,
    requested_by: String,
    requested_at: DateTime<Utc>,
    items: Json<Vec<CancellationItemRow>>,
}

impl Row {
    fn into_cancellation(self) -> OrderResult<Cancellation> {
        let currency = self.currency.parse().map_err(|_| OrderError::Unreadable("currency"))?;
        Ok(Cancellation {
            id: self.cancellation_id.into(),
            order_id: self.order_id.into(),
            external_id: self.external_id,
            state: CancellationState::named(&self.state).ok_or(OrderError::Unreadable("cancellation state"))?,
            reason: self.reason,
            whole: self.whole,
            credit: Money::new(self.credit, currency)?,
            error: self.error,
            requested_by: self.requested_by,
            requested_at: self.requested_at,
            items: self.items.0.into_iter().map(|row| row.into_item(currency)).collect::<OrderResult<_>>()?,
        })
    }
}

/// Inserts a request with its lines.
pub async fn insert_cancellation(
    conn: &mut PgConnection,
    tenant: &TenantId,
    cancellation: &Cancellation,
) -> OrderResult<()> {
    sqlx::query!(
        r#"
        with requested as (
            insert into "order".cancellation (
                tenant_id, cancellation_id, order_id, external_id, state, reason, whole, currency, credit, requested_by,
                requested_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
        )
        insert into "order".cancellation_item (tenant_id, cancellation_id, order_id, item_id, quantity, credit)
        select $1, $2, $3, i.item_id, i.quantity, i.credit
        from jsonb_to_recordset($12::jsonb) as i (item_id uuid, quantity numeric, credit numeric)
        "#,
        tenant.as_str(),
        cancellation.id.uuid(),
        cancellation.order_id.uuid(),
        cancellation.external_id.as_deref(),
        cancellation.state.as_str(),
        cancellation.reason,
        cancellation.whole,
        cancellation.credit.currency().code(),
        cancellation.credit.amount(),
        cancellation.requested_by,
        cancellation.requested_at,
        to_json::<_, CancellationItemRow>(&cancellation.items)?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every request of an order, oldest first.
pub async fn cancellations_of(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: OrderId,
) -> OrderResult<Vec<Cancellation>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select c.cancellation_id, c.order_id, c.external_id, c.state, c.reason, c.whole, c.currency, c.credit, c.error,
            c.requested_by, c.requested_at,
            coalesce((
                select jsonb_agg(jsonb_build_object(
                    'item_id', i.item_id, 'quantity', i.quantity::text, 'credit', i.credit::text) order by i.item_id)
                from "order".cancellation_item i
                where i.tenant_id = c.tenant_id and i.cancellation_id = c.cancellation_id
            ), '[]'::jsonb) as "items!: Json<Vec<CancellationItemRow>>"
        from "order".cancellation c
        where c.tenant_id = $1 and c.order_id = $2
        order by c.requested_at, c.cancellation_id
        "#,
        tenant.as_str(),
        order.uuid(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_cancellation).collect()
}

/// Units of each item that requests still alive or carried out take.
pub fn asked(cancellations: &[Cancellation], item: OrderItemId) -> Decimal {
    cancellations
        .iter()
        .filter(|cancellation| cancellation.state != CancellationState::TerminatedWithError)
        .flat_map(|cancellation| &cancellation.items)
        .filter(|line| line.item_id == item)
        .map(|line| line.quantity.get())
        .sum()
}

/// Moves a request; false when it is not in the state it is thought to be in.
pub async fn move_cancellation(
    conn: &mut PgConnection,
    tenant: &TenantId,
    cancellation: CancellationId,
    from: CancellationState,
    to: CancellationState,
    error: Option<&str>,
) -> OrderResult<bool> {
    let updated = sqlx::query!(
        r#"
        update "order".cancellation set state = $4, error = $5, updated_at = now()
        where tenant_id = $1 and cancellation_id = $2 and state = $3
        "#,
        tenant.as_str(),
        cancellation.uuid(),
        from.as_str(),
        to.as_str(),
        error,
    )
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() == 1)
}
