//! What lists show of an order: one row an order, without its items.

use chrono::{DateTime, Utc};
use kernel::{Money, OrderId, QuoteId, TenantId, Version};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::{OrderError, OrderResult},
    model::{HandoffState, OrderHeader, OrderState},
};

/// Which orders a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<OrderState>,
    /// Older than this one: where the previous page ended.
    pub before: Option<OrderId>,
}

impl Filter {
    /// Whether an order is in the list.
    pub fn passes(&self, header: &OrderHeader) -> bool {
        self.state.is_none_or(|state| state == header.state) && self.before.is_none_or(|before| header.id < before)
    }
}

pub(super) struct HeaderRow {
    pub order_id: Uuid,
    pub version: i64,
    pub quote_id: Uuid,
    pub revision_no: i32,
    pub customer_id: Option<Uuid>,
    pub state: String,
    pub currency: String,
    pub total: Decimal,
    pub credited: Decimal,
    pub invoice_handoff: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
}

impl HeaderRow {
    pub fn into_header(self) -> OrderResult<OrderHeader> {
        let currency = self.currency.parse().map_err(|_| OrderError::Unreadable("currency"))?;
        Ok(OrderHeader {
            id: self.order_id.into(),
            version: Version::from_i64(self.version),
            quote_id: self.quote_id.into(),
            revision_no: self.revision_no.unsigned_abs(),
            customer_id: self.customer_id.map(Into::into),
            state: OrderState::named(&self.state).ok_or(OrderError::Unreadable("order state"))?,
            currency,
            total: Money::new(self.total, currency)?,
            credited: Money::new(self.credited, currency)?,
            invoice_handoff: HandoffState::named(&self.invoice_handoff).ok_or(OrderError::Unreadable("hand-off"))?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            completed_at: self.completed_at,
        })
    }
}

/// One page of orders, newest first.
pub async fn list(
    conn: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    limit: i64,
) -> OrderResult<Vec<OrderHeader>> {
    let rows = sqlx::query_as!(
        HeaderRow,
        r#"
        select order_id, version, quote_id, revision_no, customer_id, state, currency, total, credited, invoice_handoff,
            created_at, updated_at, completed_at
        from "order".product_order
        where tenant_id = $1
            and ($2::text is null or state = $2)
            and ($3::uuid is null or order_id < $3)
        order by order_id desc
        limit $4
        "#,
        tenant.as_str(),
        filter.state.map(OrderState::as_str),
        filter.before.map(OrderId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(HeaderRow::into_header).collect()
}

/// The orders made of one quote, newest first: found by their own index, however many orders there are.
pub async fn of_quote(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    limit: i64,
) -> OrderResult<Vec<OrderHeader>> {
    let rows = sqlx::query_as!(
        HeaderRow,
        r#"
        select order_id, version, quote_id, revision_no, customer_id, state, currency, total, credited, invoice_handoff,
            created_at, updated_at, completed_at
        from "order".product_order
        where tenant_id = $1 and quote_id = $2
        order by order_id desc
        limit $3
        "#,
        tenant.as_str(),
        quote.uuid(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(HeaderRow::into_header).collect()
}
