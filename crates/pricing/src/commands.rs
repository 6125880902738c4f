//! The writes of pricing, one function each, inside the transaction of the request: lock, decide, store, append the event.
//!
//! Nothing here reads a cache. The chain of a tenant's evidence is locked by the last statement of a sealing and held for
//! the commit only: computing, inserting and hashing come before.

use cache_ports::pricing::PriceWarning;
use kernel::{ContentHash, PriceBookId, PriceResultId, QuoteId, Version};
use sqlx::PgConnection;

use crate::{
    error::PricingError,
    events::{FinalPriceSealed, OUTBOX, Occasion, PriceBookUpdated},
    model::{ENGINE_VERSION, MAX_INLINE_ITEMS, PriceBookDraft, PriceRequest, Priced, Violation},
    rules::{
        self, book,
        evidence::{InputSnapshot, LinkInPlace, SealContent, StoredPrice, result_hash},
    },
    store::{
        chain::append_seal,
        entries::{insert_entries, select_entries_of},
        evidence::{insert_components, insert_result, select_result_id, select_stored_price},
        price_books::{
            LockedPriceBook, PriceBookHead, insert_price_book, insert_version, lock_price_book, select_active_terms,
            select_price_book, update_price_book_version,
        },
    },
};

/// What the caller believes about the price book he sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// It does not exist.
    Absent,
    /// It is at this version.
    At(Version),
}

/// What storing a price book came to.
#[derive(Debug)]
pub struct StoredPriceBook {
    /// The book as it is now.
    pub head: PriceBookHead,
    /// Whether it is new.
    pub created: bool,
    /// Whether there is a new version: the same content keeps the version it has.
    pub changed: bool,
    /// Tiers a buyer may find odd.
    pub warnings: Vec<PriceWarning>,
}

/// Stores `draft` as the next version of the price book, unless that is what the active version already says.
pub async fn store_price_book(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    external_id: &str,
    precondition: Precondition,
    draft: &PriceBookDraft,
) -> Result<StoredPriceBook, PricingError> {
    let content_hash = ContentHash::of_json(draft)?;
    let locked = lock_price_book(conn, occasion.tenant, external_id).await?;
    let target = match (locked, precondition) {
        (Some(locked), Precondition::Absent) => return Err(PricingError::Stale { current: locked.version }),
        (Some(locked), Precondition::At(version)) if version != locked.version => {
            return Err(PricingError::Stale { current: locked.version });
        }
        (Some(locked), Precondition::At(_)) => next_version(locked, draft, content_hash)?,
        (None, Precondition::At(_)) => return Err(PricingError::PriceBookNotFound),
        (None, Precondition::Absent) => {
            let id = PriceBookId::generate();
            if !insert_price_book(conn, occasion.tenant, id, external_id, draft.currency).await? {
                return Err(PricingError::Stale { current: Version::FIRST });
            }
            Some((id, Version::FIRST))
        }
    };
    if let Some((id, version)) = target {
        write_version(conn, occasion, external_id, (id, version), draft, content_hash).await?;
    }
    let head = select_price_book(conn, occasion.tenant, external_id).await?.ok_or(PricingError::PriceBookNotFound)?;
    let created = precondition == Precondition::Absent;
    Ok(StoredPriceBook { head, created, changed: target.is_some(), warnings: book::inversions(&draft.entries) })
}

/// The version the content would become, or nothing when it is what the active version says.
fn next_version(
    locked: LockedPriceBook,
    draft: &PriceBookDraft,
    content_hash: ContentHash,
) -> Result<Option<(PriceBookId, Version)>, PricingError> {
    if locked.currency != draft.currency {
        let detail = format!("the price book is in {} for good", locked.currency);
        return Err(vec![Violation::new("/currency", "currency-fixed", detail)].into());
    }
    Ok((locked.content_hash != content_hash).then(|| (locked.id, locked.version.next())))
}

async fn write_version(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    external_id: &str,
    (id, version): (PriceBookId, Version),
    draft: &PriceBookDraft,
    content_hash: ContentHash,
) -> Result<(), PricingError> {
    let tenant = occasion.tenant;
    let raised = version == Version::FIRST || update_price_book_version(conn, tenant, id, version).await?;
    if !raised {
        return Err(PricingError::Stale { current: version });
    }
    let at = insert_version(conn, tenant, id, version, draft, content_hash, occasion.actor).await?;
    insert_entries(conn, tenant, id, version, &draft.entries).await?;
    let fact = PriceBookUpdated { price_book_id: id, external_id: external_id.to_owned(), version, content_hash };
    OUTBOX.append(conn, &[occasion.price_book_updated(&fact, at)?]).await?;
    Ok(())
}

/// A price that is evidence, and whether this request made it.
#[derive(Debug)]
pub struct FinalPrice {
    /// The price as it is stored.
    pub stored: StoredPrice,
    /// Whether it was sealed just now.
    pub created: bool,
}

/// Everything that is computed before the first row is written.
struct Computed {
    priced: Priced,
    input: InputSnapshot,
    seal: SealContent,
    seal_hash: ContentHash,
}

/// Prices a revision by the active version of its price book, read from PostgreSQL, and seals the result. The same inputs
/// for the same revision are answered with the price they already have.
pub async fn seal_final_price(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    quote: QuoteId,
    revision_no: u32,
    request: PriceRequest,
) -> Result<FinalPrice, PricingError> {
    let tenant = occasion.tenant;
    let active = select_active_terms(conn, tenant, request.price_book_id).await?;
    let (terms, at) = active.ok_or(PricingError::UnknownPriceBook)?;
    let entries = select_entries_of(conn, tenant, terms.id, terms.version, &request.offerings()).await?;
    let large = request.items.len() > MAX_INLINE_ITEMS;
    let (tenant_id, sealed_by) = (tenant.clone(), occasion.actor.to_owned());
    let compute = move || -> Result<Computed, PricingError> {
        let priced = rules::price(&request, &terms, &entries, at)?;
        let input = InputSnapshot::take(request, terms, &entries, at)?;
        let seal = SealContent {
            tenant: tenant_id,
            price_result_id: PriceResultId::generate(),
            quote_id: quote,
            revision_no,
            priced_at: at,
            sealed_by,
            engine_version: ENGINE_VERSION.to_owned(),
            input_hash: ContentHash::of_json(&input)?,
            result_hash: result_hash(&priced)?,
        };
        Ok(Computed { seal_hash: ContentHash::of_json(&seal)?, priced, input, seal })
    };
    let computed = if large { tokio::task::spawn_blocking(compute).await?? } else { compute()? };
    let Computed { priced, input, seal, seal_hash } = computed;
    if !insert_result(conn, &seal, &input, &priced).await? {
        let stored = price_sealed_before(conn, &seal).await?;
        return Ok(FinalPrice { stored, created: false });
    }
    insert_components(conn, tenant, seal.price_result_id, &priced.components).await?;
    let fact = FinalPriceSealed {
        price_result_id: seal.price_result_id,
        quote_id: quote,
        revision_no,
        result_hash: seal.result_hash,
        total: priced.totals.net,
    };
    OUTBOX.append(conn, &[occasion.final_price_sealed(&fact, at)?]).await?;
    let link = append_seal(conn, tenant, seal.price_result_id, seal_hash).await?;
    let in_place = LinkInPlace { link, hash_before: Some(link.previous_hash), hash_after: Some(link.chain_hash) };
    Ok(FinalPrice { stored: StoredPrice { seal, input, priced, link: Some(in_place) }, created: true })
}

/// The price that the same inputs already have. It was committed by whoever inserted it first: the insert waited for that.
async fn price_sealed_before(conn: &mut PgConnection, seal: &SealContent) -> Result<StoredPrice, PricingError> {
    let id = select_result_id(conn, &seal.tenant, seal.quote_id, seal.revision_no, seal.input_hash).await?;
    let id = id.ok_or(PricingError::PriceResultNotFound)?;
    select_stored_price(conn, &seal.tenant, id).await?.ok_or(PricingError::PriceResultNotFound)
}
