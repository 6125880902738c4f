//! Price books over HTTP. A PUT replaces the whole content and makes a numbered version, unless nothing changed.

use axum::{
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use cache_ports::pricing::PriceBookEntry;
use http::{StatusCode, request::Parts};
use kernel::{OfferingId, PriceBookId, Version};
use serde::Deserialize;
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfNoneMatch, Limit, OptionalIdempotencyKey, OptionalIfMatch, Page, Params,
    PathId, Problem, TenantTx, Valid, Versioned, idempotent,
};
use utoipa::IntoParams;

use super::{
    BOOK_KEEPERS, INTERNAL,
    price_book_body::{MAX_BODY_BYTES, PriceBookBody, PriceBookView, StoredPriceBookView},
};
use crate::{
    State as PricingState,
    commands::{self, Precondition, StoredPriceBook},
    error::PricingError,
    events::Occasion,
    queries,
    store::price_books::PriceBookHead,
};

/// Longest external id, in characters.
const MAX_EXTERNAL_ID_CHARS: usize = 100;

/// The tenant's own id of a price book, from the path: what cannot be one names nothing.
fn external_id(text: String) -> Result<String, Problem> {
    let sized = (1..=MAX_EXTERNAL_ID_CHARS).contains(&text.chars().count());
    if sized && !text.contains(char::is_control) { Ok(text) } else { Err(Problem::not_found("price book")) }
}

/// Stores the whole content of a price book as its next version.
///
/// `If-None-Match: *` creates, `If-Match` replaces. The same content keeps its version and says `changed: false`.
#[utoipa::path(
    put,
    path = "/price-books/{externalId}",
    tag = "price books",
    params(
        ("externalId" = String, Path, description = "The id in the tenant's own system"),
        ("If-None-Match" = Option<String>, Header, description = "`*` to create"),
        ("If-Match" = Option<String>, Header, description = "The version to replace"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe"),
    ),
    request_body = PriceBookBody,
    responses(
        (status = 201, description = "Created", body = StoredPriceBookView),
        (status = 200, description = "Replaced, or unchanged", body = StoredPriceBookView),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a keeper of price books", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing to replace", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "At another version, or exists already", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule", body = Problem, content_type = "application/problem+json"),
        (status = 428, description = "Neither If-Match nor If-None-Match", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn put_price_book(
    State(state): State<PricingState>,
    caller: Caller,
    PathId(name): PathId<String>,
    PutCondition(precondition): PutCondition,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<PriceBookBody, MAX_BODY_BYTES>,
) -> ApiResult<Response> {
    caller.require(BOOK_KEEPERS)?;
    let name = external_id(name)?;
    let draft = body.parse().map_err(PricingError::Refused)?;
    let mut updated = None;
    let store = async |tx: &mut TenantTx| {
        let stored = commands::store_price_book(tx, occasion(&caller), &name, precondition, &draft).await?;
        updated = stored.changed.then_some((stored.head.id, stored.head.version));
        book_response(stored)
    };
    let response = idempotent(&state.runtime, &caller, key.as_ref(), "price-book.put", &(&name, &draft), store).await;
    if response.status().is_success() {
        forget_pointer(&state, &caller, updated);
    }
    Ok(response)
}

/// What a PUT believes: `If-Match` names the version it replaces, `If-None-Match: *` says that there is none.
pub struct PutCondition(Precondition);

impl<S: Send + Sync> FromRequestParts<S> for PutCondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let OptionalIfMatch(replaces) = OptionalIfMatch::from_request_parts(parts, state).await?;
        let creates = IfNoneMatch::from_request_parts(parts, state).await?.is_any();
        match replaces {
            Some(version) => Ok(Self(Precondition::At(version))),
            None if creates => Ok(Self(Precondition::Absent)),
            None => Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition-required",
                "Say If-None-Match: * to create, or If-Match with the version to replace",
            )),
        }
    }
}

fn book_response(stored: StoredPriceBook) -> Result<CommandResponse, Problem> {
    let (created, version) = (stored.created, stored.head.version);
    let location = format!("/pricing/v1/price-books/{}", stored.head.external_id);
    let view = StoredPriceBookView::from(stored);
    let response = if created { CommandResponse::created(location, &view) } else { CommandResponse::ok(&view) };
    Ok(response?.version(version))
}

/// The fast path of the invalidation, off the request's path; the event does the same and is retried until it succeeds.
fn forget_pointer(state: &PricingState, caller: &Caller, updated: Option<(PriceBookId, Version)>) {
    let Some((id, version)) = updated else { return };
    let (cache, tenant) = (state.runtime.caches.pricing.clone(), caller.tenant.clone());
    tokio::spawn(async move { cache.price_book_updated(&tenant, id, version).await });
}

/// What the facts of this request have in common.
pub(super) fn occasion(caller: &Caller) -> Occasion<'_> {
    Occasion { tenant: &caller.tenant, actor: &caller.subject, correlation_id: &caller.correlation_id }
}

/// One price book.
#[utoipa::path(
    get,
    path = "/price-books/{externalId}",
    tag = "price books",
    params(("externalId" = String, Path, description = "The id in the tenant's own system")),
    responses(
        (status = 200, description = "The price book", body = PriceBookView),
        (status = 304, description = "The client has this version"),
        (status = 404, description = "No such price book", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_price_book(
    State(state): State<PricingState>,
    caller: Caller,
    PathId(name): PathId<String>,
    known: IfNoneMatch,
) -> ApiResult<Response> {
    let head = queries::price_book(&state, &caller.tenant, &external_id(name)?).await?;
    if known.matches(head.version) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let version = head.version;
    Ok(Versioned(PriceBookView::from(head), version).into_response())
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Most items on the page.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 20)]
    pub limit: Limit,
    /// Where the page begins.
    pub cursor: Option<String>,
}

/// Price books by external id.
#[utoipa::path(
    get,
    path = "/price-books",
    tag = "price books",
    params(PageParams),
    responses(
        (status = 200, description = "A page of price books", body = Page<PriceBookView>),
        (status = 400, description = "Odd limit or cursor", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_price_books(
    State(state): State<PricingState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> ApiResult<axum::Json<Page<PriceBookView>>> {
    const LIST: &str = "price-books";
    let cursors = &state.runtime.cursors;
    let after = page.cursor.map(|cursor| cursors.open::<String>(&caller.tenant, LIST, &cursor)).transpose()?;
    let heads = queries::price_books(&state, &caller.tenant, after.as_deref().unwrap_or_default(), page.limit).await?;
    let next = |head: &PriceBookHead| cursors.seal(&caller.tenant, LIST, &head.external_id).unwrap_or_default();
    Ok(axum::Json(Page::from_rows(heads, page.limit, next).map(PriceBookView::from)))
}

/// Which entries of a price book.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntryParams {
    /// Only the entries of this offering.
    pub offering_id: Option<OfferingId>,
    /// Most items on the page.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 20)]
    pub limit: Limit,
    /// Where the page begins; stays on the version the first page was of.
    pub cursor: Option<String>,
}

/// The entries of a price book's active version.
#[utoipa::path(
    get,
    path = "/price-books/{externalId}/entries",
    tag = "price books",
    params(("externalId" = String, Path, description = "The id in the tenant's own system"), EntryParams),
    responses(
        (status = 200, description = "A page of entries", body = Page<PriceBookEntry>),
        (status = 400, description = "Odd limit, cursor or offering", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not for this role", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such price book", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_price_book_entries(
    State(state): State<PricingState>,
    caller: Caller,
    PathId(name): PathId<String>,
    Params(params): Params<EntryParams>,
) -> ApiResult<Response> {
    caller.require(INTERNAL)?;
    let name = external_id(name)?;
    let cursors = &state.runtime.cursors;
    let list = format!("price-book-entries/{name}?{:?}", params.offering_id);
    let pinned =
        params.cursor.map(|cursor| cursors.open::<(Version, i32)>(&caller.tenant, &list, &cursor)).transpose()?;
    let found =
        queries::price_book_entries(&state, &caller.tenant, &name, params.offering_id, pinned, params.limit).await?;
    let next = |(ordinal, _): &(i32, PriceBookEntry)| {
        cursors.seal(&caller.tenant, &list, &(found.version, *ordinal)).unwrap_or_default()
    };
    let page = Page::from_rows(found.entries, params.limit, next).map(|(_, entry)| entry);
    Ok(Versioned(page, found.version).into_response())
}
