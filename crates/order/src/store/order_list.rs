//! The order list: rows made from events, one build of them read (`events::Projection`).
//!
//! Every write is guarded by the version in the row: an event that is older, or the same again, changes nothing. Where the live
//! build is meant, the row of `projection` is held until the commit.

use chrono::{DateTime, Utc};
use events::Build;
use kernel::{CustomerId, Money, OrderId, TenantId, Version};
use sqlx::PgConnection;

use super::headers::HeaderRow;
use crate::{
    error::OrderResult,
    model::{ListedOrder, OrderHeader, OrderState},
};

/// Which orders the list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<OrderState>,
    /// For this customer.
    pub customer_id: Option<CustomerId>,
    /// Whose customer's name is like this.
    pub customer_name: Option<String>,
    /// Created then or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Created before.
    pub created_before: Option<DateTime<Utc>>,
    /// Older than this one: where the previous page ended.
    pub before: Option<OrderId>,
}

/// Puts an order into the list; what it counts is kept where this event does not tell it.
pub async fn put_order(
    conn: &mut PgConnection,
    tenant: &TenantId,
    build: Build,
    order: &OrderHeader,
    item_count: Option<i32>,
) -> OrderResult<()> {
    sqlx::query!(
        r#"
        insert into "order".order_list as listed (
            tenant_id, build, order_id, version, quote_id, revision_no, customer_id, state, currency, total, credited,
            invoice_handoff, item_count, created_at, updated_at, completed_at)
        select $1, coalesce($2, p.live_build), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
        from "order".projection p where p.name = 'order-list' for share
        on conflict (tenant_id, build, order_id) do update
            set version = excluded.version, quote_id = excluded.quote_id, revision_no = excluded.revision_no,
                customer_id = excluded.customer_id, state = excluded.state, currency = excluded.currency,
                total = excluded.total, credited = excluded.credited, invoice_handoff = excluded.invoice_handoff,
                item_count = coalesce(excluded.item_count, listed.item_count), created_at = excluded.created_at,
                updated_at = excluded.updated_at, completed_at = excluded.completed_at
            where listed.version < excluded.version
        "#,
        tenant.as_str(),
        build.number(),
        order.id.uuid(),
        order.version.to_i64(),
        order.quote_id.uuid(),
        i32::try_from(order.revision_no).unwrap_or(i32::MAX),
        order.customer_id.map(CustomerId::uuid),
        order.state.as_str(),
        order.currency.code(),
        order.total.amount(),
        order.credited.amount(),
        order.invoice_handoff.as_str(),
        item_count,
        order.created_at,
        order.updated_at,
        order.completed_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that an order was handed to invoicing: the one event that does not carry the order.
pub async fn note_handoff(
    conn: &mut PgConnection,
    tenant: &TenantId,
    build: Build,
    order: OrderId,
    version: Version,
    credited: Money,
    at: DateTime<Utc>,
) -> OrderResult<()> {
    sqlx::query!(
        r#"
        with p as (select live_build from "order".projection where name = 'order-list' for share)
        update "order".order_list listed
        set version = $4, invoice_handoff = 'requested', credited = $5, updated_at = $6
        from p
        where listed.tenant_id = $1 and listed.build = coalesce($2, p.live_build) and listed.order_id = $3
            and listed.version < $4
        "#,
        tenant.as_str(),
        build.number(),
        order.uuid(),
        version.to_i64(),
        credited.amount(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a customer's name into the list.
pub async fn put_customer(
    conn: &mut PgConnection,
    tenant: &TenantId,
    build: Build,
    (customer, version): (CustomerId, Version),
    name: &str,
) -> OrderResult<()> {
    sqlx::query!(
        r#"
        insert into "order".order_list_customer as listed (tenant_id, build, customer_id, version, name)
        select $1, coalesce($2, p.live_build), $3, $4, $5
        from "order".projection p where p.name = 'order-list' for share
        on conflict (tenant_id, build, customer_id) do update set version = excluded.version, name = excluded.name
            where listed.version < excluded.version
        "#,
        tenant.as_str(),
        build.number(),
        customer.uuid(),
        version.to_i64(),
        name,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One page of the list, newest order first.
pub async fn list(
    conn: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    limit: i64,
) -> OrderResult<Vec<ListedOrder>> {
    let rows = sqlx::query!(
        r#"
        select l.order_id, l.version, l.quote_id, l.revision_no, l.customer_id, l.state, l.currency, l.total, l.credited,
            l.invoice_handoff, l.item_count, l.created_at, l.updated_at, l.completed_at, c.name as "customer_name?"
        from "order".order_list l
        left join "order".order_list_customer c
            on c.tenant_id = l.tenant_id and c.build = l.build and c.customer_id = l.customer_id
        where l.tenant_id = $1 and l.build = (select p.live_build from "order".projection p where p.name = 'order-list')
            and ($2::text is null or l.state = $2)
            and ($3::uuid is null or l.customer_id = $3)
            and ($4::text is null or lower(c.name) like lower($4))
            and ($5::timestamptz is null or l.created_at >= $5)
            and ($6::timestamptz is null or l.created_at < $6)
            and ($7::uuid is null or l.order_id < $7)
        order by l.order_id desc
        limit $8
        "#,
        tenant.as_str(),
        filter.state.map(OrderState::as_str),
        filter.customer_id.map(CustomerId::uuid),
        filter.customer_name.as_deref(),
        filter.created_from,
        filter.created_before,
        filter.before.map(OrderId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let listed = rows.into_iter().map(|row| {
        let header = HeaderRow {
            order_id: row.order_id,
            version: row.version,
            quote_id: row.quote_id,
            revision_no: row.revision_no,
            customer_id: row.customer_id,
            state: row.state,
            currency: row.currency,
            total: row.total,
            credited: row.credited,
            invoice_handoff: row.invoice_handoff,
            created_at: row.created_at,
            updated_at: row.updated_at,
            completed_at: row.completed_at,
        };
        let item_count = row.item_count.map(i32::unsigned_abs);
        Ok(ListedOrder { header: header.into_header()?, customer_name: row.customer_name, item_count })
    });
    listed.collect()
}

/// Up to when the list holds everything that was published; nothing before its consumer has run.
pub async fn as_of(conn: &mut PgConnection) -> OrderResult<Option<DateTime<Utc>>> {
    let row =
        sqlx::query!(r#"select min(current_at) as "at" from "order".projection_progress where name = 'order-list'"#)
            .fetch_one(conn)
            .await?;
    Ok(row.at)
}
