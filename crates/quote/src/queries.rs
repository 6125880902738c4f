//! What is read of quotes: one function a read. The only place that reads through the cache, and only for display.

pub mod access;
pub mod eligibility;

use std::sync::Arc;

use cache_ports::{
    Loaded, ReadError, Served, load,
    quote::{CURRENT_REVISION, QuoteCache, QuoteSummary},
};
use chrono::{DateTime, Utc};
use kernel::{CustomerId, QuoteId, TenantId, Version};
use service_runtime::TenantTx;
use sqlx::PgPool;

use crate::{
    error::{QuoteError, QuoteResult},
    model::{Acceptance, Customer, ListedQuote, Quote, QuoteHeader},
    rules::visibility,
    store::{
        customers,
        decisions::{self, HistoryRow},
        headers::{self, Filter},
        quote_list, quotes,
    },
};

pub use crate::store::quotes::Standing;

/// The current revision of a quote, through the cache; not older than `min_version`.
pub async fn quote_summary(
    pool: &PgPool,
    cache: &Arc<dyn QuoteCache>,
    tenant: &TenantId,
    quote: QuoteId,
    min_version: Option<Version>,
) -> Result<Option<Served<QuoteSummary>>, ReadError> {
    let from_database = load(|| from_database(pool.clone(), tenant.clone(), quote, None));
    cache.summary(tenant, quote, CURRENT_REVISION, min_version, &from_database).await
}

/// One revision, the current one unless another is named.
pub(crate) async fn from_database(
    pool: PgPool,
    tenant: TenantId,
    quote: QuoteId,
    revision_no: Option<u32>,
) -> QuoteResult<Loaded<QuoteSummary>> {
    let found = revision(&pool, &tenant, quote, revision_no).await?;
    Ok(Loaded::from_row(found.map(|quote| (visibility::in_full(&quote), quote.version))))
}

/// A quote with one of its revisions, from the authority.
pub async fn revision(
    pool: &PgPool,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: Option<u32>,
) -> QuoteResult<Option<Quote>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = quotes::quote_with_revision(&mut tx, tenant, quote, revision_no).await?;
    tx.rollback().await?;
    Ok(found.map(|(quote, _)| quote))
}

/// Where a quote and its current revision stand, from the authority.
pub async fn standing(pool: &PgPool, tenant: &TenantId, quote: QuoteId) -> QuoteResult<Option<Standing>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = quotes::standing(&mut tx, tenant, quote).await?;
    tx.rollback().await?;
    Ok(found)
}

/// One page of quotes, newest first, and one more row if there is more.
pub async fn quotes(pool: &PgPool, tenant: &TenantId, filter: &Filter, limit: i64) -> QuoteResult<Vec<QuoteHeader>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let rows = headers::list(&mut tx, tenant, filter, limit).await?;
    tx.rollback().await?;
    Ok(rows)
}

/// One page of the quote list, newest first, and one more row if there is more; and up to when it holds everything.
pub async fn quote_list(
    pool: &PgPool,
    tenant: &TenantId,
    filter: &quote_list::Filter,
    limit: i64,
) -> QuoteResult<(Vec<ListedQuote>, Option<DateTime<Utc>>)> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    // First: whatever comes in between is only in the rows.
    let as_of = quote_list::as_of(&mut tx).await?;
    let rows = quote_list::list(&mut tx, tenant, filter, limit).await?;
    tx.rollback().await?;
    Ok((rows, as_of))
}

/// The quote with this external id, if it also passes the other filters.
pub async fn quote_by_external_id(
    pool: &PgPool,
    tenant: &TenantId,
    external_id: &str,
    filter: &Filter,
) -> QuoteResult<Vec<QuoteHeader>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = headers::by_external_id(&mut tx, tenant, external_id).await?;
    tx.rollback().await?;
    Ok(found.filter(|header| filter.passes(header)).into_iter().collect())
}

/// What was accepted of a revision.
pub async fn acceptance(pool: &PgPool, tenant: &TenantId, quote: QuoteId, revision_no: u32) -> QuoteResult<Acceptance> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = decisions::acceptance_of(&mut tx, tenant, quote, revision_no).await?;
    tx.rollback().await?;
    found.ok_or(QuoteError::NotFound("acceptance"))
}

/// Every state change of a quote, oldest first.
pub async fn history(pool: &PgPool, tenant: &TenantId, quote: QuoteId) -> QuoteResult<Vec<HistoryRow>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let rows = decisions::history_of(&mut tx, tenant, quote).await?;
    tx.rollback().await?;
    // Every quote has at least the row of its creation.
    if rows.is_empty() { Err(QuoteError::NotFound("quote")) } else { Ok(rows) }
}

/// One customer.
pub async fn customer(pool: &PgPool, tenant: &TenantId, customer: CustomerId) -> QuoteResult<Customer> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = customers::customer_by_id(&mut tx, tenant, customer).await?;
    tx.rollback().await?;
    found.ok_or(QuoteError::NotFound("customer"))
}

/// One page of customers, and one more row if there is more; or the one with this external id.
pub async fn customers(
    pool: &PgPool,
    tenant: &TenantId,
    external_id: Option<&str>,
    after: Option<CustomerId>,
    limit: i64,
) -> QuoteResult<Vec<Customer>> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let rows = match external_id {
        Some(external_id) => {
            let found = customers::customer_by_external_id(&mut tx, tenant, external_id).await?;
            found.filter(|customer| after.is_none_or(|after| customer.id > after)).into_iter().collect()
        }
        None => customers::list_customers(&mut tx, tenant, after, limit).await?,
    };
    tx.rollback().await?;
    Ok(rows)
}
