//! The reads of pricing, one function each; the only place that reads through the cache.
//!
//! A preview is computed from a cached price book and is cached itself; it says that it is no evidence. Nothing here is an
//! input of a command.

use std::{sync::Arc, time::Duration};

use cache_ports::{
    Loaded, Read, ReadError, Served, ServedFrom, load,
    pricing::{FinalPriceDisplay, PriceBookDocument, PriceBookEntry, PricePreview},
};
use kernel::{ContentHash, OfferingId, PriceBookId, PriceResultId, TenantId, Version};
use serde::Serialize;
use service_runtime::{Limit, TenantTx};
use sqlx::PgPool;

use crate::{
    State,
    error::PricingError,
    model::{BookTerms, ENGINE_VERSION, MAX_INLINE_ITEMS, PriceRequest, Priced},
    rules::{
        self, book,
        evidence::{self, StoredPrice, Verdict},
    },
    store::{
        entries::{select_document, select_entries_after, select_entries_of},
        evidence::{select_result_revision, select_stored_price},
        price_books::{PriceBookHead, select_active_version, select_price_book, select_price_books},
    },
};

/// One price book, from the authority: whoever changes it needs its version.
pub async fn price_book(state: &State, tenant: &TenantId, external_id: &str) -> Result<PriceBookHead, PricingError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let head = select_price_book(&mut tx, tenant, external_id).await?.ok_or(PricingError::PriceBookNotFound);
    tx.commit().await?;
    head
}

/// Price books after one, by external id; one more than the limit, which shows that there are more.
pub async fn price_books(
    state: &State,
    tenant: &TenantId,
    after: &str,
    limit: Limit,
) -> Result<Vec<PriceBookHead>, PricingError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let heads = select_price_books(&mut tx, tenant, after, limit.plus_one()).await?;
    tx.commit().await?;
    Ok(heads)
}

/// A page of the entries of a book's active version.
#[derive(Debug)]
pub struct EntriesPage {
    /// The version they belong to.
    pub version: Version,
    /// The entries with their positions; one more than the limit, which shows that there are more.
    pub entries: Vec<(i32, PriceBookEntry)>,
}

/// Entries after a position; `pinned` keeps all pages on one version while the book moves on.
pub async fn price_book_entries(
    state: &State,
    tenant: &TenantId,
    external_id: &str,
    offering: Option<OfferingId>,
    pinned: Option<(Version, i32)>,
    limit: Limit,
) -> Result<EntriesPage, PricingError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let head = select_price_book(&mut tx, tenant, external_id).await?.ok_or(PricingError::PriceBookNotFound)?;
    let (version, after) = pinned.unwrap_or((head.version, -1));
    let rows = select_entries_after(&mut tx, tenant, head.id, version, offering, after, limit.plus_one()).await?;
    tx.commit().await?;
    Ok(EntriesPage { version, entries: rows })
}

/// What decides the result besides the items: part of a preview's key.
#[derive(Serialize)]
struct PreviewContext<'a> {
    price_book_version: Version,
    engine_version: &'a str,
    currency: kernel::Currency,
    customer_id: Option<kernel::CustomerId>,
    term_months: Option<u16>,
    document_discount_percent: Option<crate::model::Percent>,
}

/// Computes what a request would cost, or repeats what was computed for the same request a moment ago. `at_least` is the
/// oldest version of the price book that will do: a caller who just wrote one sees it.
pub async fn price_preview(
    state: &State,
    tenant: &TenantId,
    request: PriceRequest,
    at_least: Option<Version>,
) -> Result<Served<PricePreview>, PricingError> {
    let id = request.price_book_id;
    let version = active_version(state, tenant, id, at_least).await?;
    let config_hash = ContentHash::of_json(&(&request.items, request.publication_id))?;
    let context_hash = ContentHash::of_json(&PreviewContext {
        price_book_version: version,
        engine_version: ENGINE_VERSION,
        currency: request.currency,
        customer_id: request.customer_id,
        term_months: request.term_months,
        document_discount_percent: request.document_discount_percent,
    })?;
    let request = Arc::new(request);
    let caches = &state.runtime.caches.pricing;
    let compute = load(|| {
        let work = compute_preview(state.clone(), tenant.clone(), Arc::clone(&request), version);
        async move { Ok::<_, PricingError>(Loaded::immutable(Some(work.await?))) }
    });
    let served = found(caches.preview(tenant, id, config_hash, context_hash, &compute)).await?;
    // Entries may have begun or ended to hold since; the next read of the same key computes with the new ones.
    let Some(served) = served.filter(|served| state.runtime.clock.now() < served.value.expires_at) else {
        return Ok(uncached(compute_preview(state.clone(), tenant.clone(), Arc::clone(&request), version).await?));
    };
    Ok(served)
}

async fn active_version(
    state: &State,
    tenant: &TenantId,
    id: PriceBookId,
    at_least: Option<Version>,
) -> Result<Version, PricingError> {
    let ask = load(|| load_active_version(state.runtime.pool.clone(), tenant.clone(), id));
    let read = state.runtime.caches.pricing.active_price_book_version(tenant, id, at_least, &ask);
    found(read).await?.map(|served| *served.value).ok_or(PricingError::UnknownPriceBook)
}

pub(crate) async fn load_active_version(
    pool: PgPool,
    tenant: TenantId,
    id: PriceBookId,
) -> Result<Loaded<Version>, sqlx::Error> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let version = select_active_version(&mut tx, &tenant, id).await?;
    tx.commit().await?;
    Ok(Loaded::from_row(version.map(|version| (version, version))))
}

async fn document(
    state: &State,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
) -> Result<Arc<PriceBookDocument>, PricingError> {
    let ask = load(|| load_price_book(state.runtime.pool.clone(), tenant.clone(), id, version));
    let read = state.runtime.caches.pricing.price_book(tenant, id, version, &ask);
    found(read).await?.map(|served| served.value).ok_or(PricingError::UnknownPriceBook)
}

/// One version, which never changes; it is kept under its own number.
pub(crate) async fn load_price_book(
    pool: PgPool,
    tenant: TenantId,
    id: PriceBookId,
    version: Version,
) -> Result<Loaded<PriceBookDocument>, sqlx::Error> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let document = select_document(&mut tx, &tenant, id, version).await?;
    tx.commit().await?;
    Ok(Loaded::from_row(document.map(|document| (document, version))))
}

async fn compute_preview(
    state: State,
    tenant: TenantId,
    request: Arc<PriceRequest>,
    version: Version,
) -> Result<PricePreview, PricingError> {
    let document = document(&state, &tenant, request.price_book_id, version).await?;
    let calculated_at = state.runtime.clock.now();
    let lifetime_end = calculated_at + state.config.preview_lifetime();
    let offerings = request.offerings();
    let next_change = book::next_change(&document.entries, &offerings, calculated_at);
    let large = request.items.len() > MAX_INLINE_ITEMS;
    let compute = move || -> Result<(Priced, ContentHash), PricingError> {
        let terms = terms_of(&document);
        let priced = rules::price(&request, &terms, &document.entries, calculated_at)?;
        let hash = evidence::result_hash(&priced)?;
        Ok((priced, hash))
    };
    let (priced, result_hash) = if large { tokio::task::spawn_blocking(compute).await?? } else { compute()? };
    Ok(PricePreview {
        calculated_at,
        expires_at: next_change.map_or(lifetime_end, |change| change.min(lifetime_end)),
        evidence: false,
        result_hash,
        price_book_version: version,
        totals: priced.totals,
        items: priced.components.into_iter().map(|component| component.item).collect(),
        warnings: priced.warnings,
    })
}

fn terms_of(document: &PriceBookDocument) -> BookTerms {
    BookTerms {
        id: document.id,
        version: document.version,
        content_hash: document.content_hash,
        currency: document.currency,
        rounding: document.rounding,
    }
}

/// A preview that did not come through the cache, in the same clothes.
fn uncached(preview: PricePreview) -> Served<PricePreview> {
    Served {
        value: Arc::new(preview),
        json: None,
        version: Version::FIRST,
        age: Duration::ZERO,
        source: ServedFrom::Authority,
    }
}

/// A sealed price for display. Which revision it belongs to is asked of the authority: the key of the copy names it.
pub async fn price_result(
    state: &State,
    tenant: &TenantId,
    id: PriceResultId,
) -> Result<Served<FinalPriceDisplay>, PricingError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let revision = select_result_revision(&mut tx, tenant, id).await?;
    tx.commit().await?;
    let (quote, revision_no) = revision.ok_or(PricingError::PriceResultNotFound)?;
    let ask = load(|| load_display(state.clone(), tenant.clone(), id));
    let read = state.runtime.caches.pricing.final_price(tenant, quote, revision_no, id, &ask);
    found(read).await?.ok_or(PricingError::PriceResultNotFound)
}

pub(crate) async fn load_display(
    state: State,
    tenant: TenantId,
    id: PriceResultId,
) -> Result<Loaded<FinalPriceDisplay>, PricingError> {
    let (stored, _) = stored_price(&state, &tenant, id, false).await?;
    Ok(Loaded::immutable(Some(display(stored)?)))
}

/// The stored price as its readers see it.
pub fn display(stored: StoredPrice) -> Result<FinalPriceDisplay, PricingError> {
    let StoredPrice { seal, input, priced, link } = stored;
    let missing = || evidence::Difference::at(evidence::SEAL, "link", "none", "a link");
    let link = link.ok_or_else(|| PricingError::UnreadableEvidence(missing()))?;
    let (items, trace) = priced.components.into_iter().map(|component| (component.item, component.steps)).unzip();
    Ok(FinalPriceDisplay {
        price_result_id: seal.price_result_id,
        quote_id: seal.quote_id,
        revision_no: seal.revision_no,
        sealed_at: seal.priced_at,
        price_book_id: input.price_book.id,
        price_book_version: input.price_book.version,
        engine_version: seal.engine_version,
        input_hash: seal.input_hash,
        result_hash: seal.result_hash,
        chain_hash: link.link.chain_hash,
        totals: priced.totals,
        items,
        approval_inputs: priced.approval_inputs,
        trace,
    })
}

/// Replays a sealed price with its pinned price book version and says what the stored values are worth.
pub async fn verify_price_result(
    state: &State,
    tenant: &TenantId,
    id: PriceResultId,
) -> Result<(Verdict, Option<StoredPrice>), PricingError> {
    let (verdict, stored) = match stored_price(state, tenant, id, true).await {
        Ok((stored, entries)) => {
            let judge = move || (evidence::verdict(&stored, &entries), stored);
            let (verdict, stored) = tokio::task::spawn_blocking(judge).await?;
            (verdict?, Some(stored))
        }
        // A value that cannot even be read back is not the one that was written.
        Err(PricingError::UnreadableEvidence(difference)) => (Verdict::Tampered(difference), None),
        Err(error) => return Err(error),
    };
    metrics::counter!("pricing_verdicts_total", "verdict" => verdict.name()).increment(1);
    if let Verdict::Tampered(difference) = &verdict {
        tracing::error!(price_result = %id, step = difference.step, field = %difference.field, "price evidence was changed");
    }
    Ok((verdict, stored))
}

/// A stored price and, `with_entries`, the entries of its pinned version.
async fn stored_price(
    state: &State,
    tenant: &TenantId,
    id: PriceResultId,
    with_entries: bool,
) -> Result<(StoredPrice, Vec<PriceBookEntry>), PricingError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let stored = select_stored_price(&mut tx, tenant, id).await?.ok_or(PricingError::PriceResultNotFound)?;
    let entries = if with_entries {
        let pinned = &stored.input.price_book;
        let offerings = stored.input.request.offerings();
        select_entries_of(&mut tx, tenant, pinned.id, pinned.version, &offerings).await?
    } else {
        Vec::new()
    };
    tx.commit().await?;
    Ok((stored, entries))
}

/// Waits for a read; what this service's own loader refused comes back as itself.
async fn found<T>(read: Read<'_, T>) -> Result<Option<Served<T>>, PricingError> {
    read.await.map_err(|error| match &error {
        ReadError::Authority(cause) => match cause.downcast_ref::<PricingError>() {
            Some(PricingError::Refused(violations)) => PricingError::Refused(violations.clone()),
            Some(PricingError::UnknownPriceBook) => PricingError::UnknownPriceBook,
            Some(PricingError::PriceResultNotFound) => PricingError::PriceResultNotFound,
            _ => PricingError::Read(error),
        },
        ReadError::Overloaded { .. } => PricingError::Read(error),
    })
}
