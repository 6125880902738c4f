//! The quote list: rows made from events, one build of them read (`events::Projection`).
//!
//! Every write is guarded by the version in the row: an event that is older, or the same again, changes nothing. Where the live
//! build is meant, the row of `projection` is held until the commit.

use chrono::{DateTime, Utc};
use events::Build;
use kernel::{CustomerId, OrderId, PriceResultId, QuoteId, TenantId, Version};
use sqlx::{PgConnection, types::Json};

use super::headers::HeaderRow;
use crate::{
    error::QuoteResult,
    model::{ListedQuote, QuoteHeader, QuoteState},
};

/// Which quotes the list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<QuoteState>,
    /// For this customer.
    pub customer_id: Option<CustomerId>,
    /// Whose customer's name is like this.
    pub customer_name: Option<String>,
    /// Created then or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Created before.
    pub created_before: Option<DateTime<Utc>>,
    /// Older than this one: where the previous page ended.
    pub before: Option<QuoteId>,
}

/// Puts a quote into the list.
pub async fn put_quote(
    conn: &mut PgConnection,
    tenant: &TenantId,
    build: Build,
    quote: &QuoteHeader,
) -> QuoteResult<()> {
    sqlx::query_file!(
        "src/store/put_listed_quote.sql",
        tenant.as_str(),
        build.number(),
        quote.id.uuid(),
        quote.version.to_i64(),
        quote.external_id.as_deref(),
        quote.state.as_str(),
        quote.customer_id.map(CustomerId::uuid),
        quote.currency.code(),
        quote.level.as_str(),
        quote.created_at,
        quote.updated_at,
        i32::try_from(quote.revision_no).unwrap_or(i32::MAX),
        quote.revision_state.as_str(),
        quote.price_stale,
        quote.content_hash.map(|hash| hash.as_bytes().to_vec()),
        quote.price_result_id.map(PriceResultId::uuid),
        quote.totals.as_ref().map(Json) as _,
        quote.valid_until,
        i64::from(quote.item_count),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a revision was accepted: the one event that does not carry the quote.
pub async fn note_accepted(
    conn: &mut PgConnection,
    tenant: &TenantId,
    build: Build,
    (quote, version): (QuoteId, Version),
    revision_no: u32,
    at: DateTime<Utc>,
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        with p as (select live_build from quote.projection where name = 'quote-list' for share)
        update quote.quote_list listed
        set version = $4, updated_at = $6,
            revision_state = case when listed.revision_no = $5 then 'accepted' else listed.revision_state end
        from p
        where listed.tenant_id = $1 and listed.build = coalesce($2, p.live_build) and listed.quote_id = $3
            and listed.version < $4
        "#,
        tenant.as_str(),
        build.number(),
        quote.uuid(),
        version.to_i64(),
        i32::try_from(revision_no).unwrap_or(i32::MAX),
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
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.quote_list_customer as listed (tenant_id, build, customer_id, version, name)
        select $1, coalesce($2, p.live_build), $3, $4, $5
        from quote.projection p where p.name = 'quote-list' for share
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

/// Puts the state of a quote's order into the list.
pub async fn put_order(
    conn: &mut PgConnection,
    tenant: &TenantId,
    build: Build,
    (order, version): (OrderId, Version),
    quote: QuoteId,
    state: &str,
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.quote_list_order as listed (tenant_id, build, order_id, version, quote_id, state)
        select $1, coalesce($2, p.live_build), $3, $4, $5, $6
        from quote.projection p where p.name = 'quote-list' for share
        on conflict (tenant_id, build, order_id) do update
            set version = excluded.version, quote_id = excluded.quote_id, state = excluded.state
            where listed.version < excluded.version
        "#,
        tenant.as_str(),
        build.number(),
        order.uuid(),
        version.to_i64(),
        quote.uuid(),
        state,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One page of the list, newest quote first.
pub async fn list(
    conn: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    limit: i64,
) -> QuoteResult<Vec<ListedQuote>> {
    let rows = sqlx::query_file!(
        "src/store/listed_quotes.sql",
        tenant.as_str(),
        filter.state.map(QuoteState::as_str),
        filter.customer_id.map(CustomerId::uuid),
        filter.customer_name.as_deref(),
        filter.created_from,
        filter.created_before,
        filter.before.map(QuoteId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let listed = rows.into_iter().map(|row| {
        let header = HeaderRow {
            quote_id: row.quote_id,
            version: row.version,
            external_id: row.external_id,
            state: row.state,
            customer_id: row.customer_id,
            currency: row.currency,
            level: row.level,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision_no: row.revision_no,
            revision_state: row.revision_state,
            price_stale: row.price_stale,
            content_hash: row.content_hash,
            price_result_id: row.price_result_id,
            totals: row.totals,
            valid_until: row.valid_until,
            item_count: row.item_count,
        };
        Ok(ListedQuote {
            header: header.into_header()?,
            customer_name: row.customer_name,
            order_id: row.order_id.map(Into::into),
            order_state: row.order_state,
        })
    });
    listed.collect()
}

/// Up to when the list holds everything that was published; nothing before its consumer has run.
pub async fn as_of(conn: &mut PgConnection) -> QuoteResult<Option<DateTime<Utc>>> {
    let row =
        sqlx::query!(r#"select min(current_at) as "at" from quote.projection_progress where name = 'quote-list'"#)
            .fetch_one(conn)
            .await?;
    Ok(row.at)
}
