//! `/prices`: what the catalog says an offering costs; quotes are priced by price books.

use axum::{Json, extract::State as Shared, response::Response};
use kernel::{OfferingId, PriceId};
use serde::Deserialize;
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfMatch, IfNoneMatch, Limit, OptionalIdempotencyKey, Page, Params, PathId,
    Problem, ProblemDocument, TenantTx, Valid, Versioned, idempotent,
};
use utoipa::IntoParams;

use super::{ByRules, EDITORS, not_modified_or, occasion, opened, page, patched};
use crate::{
    State,
    commands::prices as commands,
    model::{Price, PriceDraft},
    queries,
    rules::merge_patch::Patch,
};

/// What a list of prices takes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PriceListParams {
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the page before said the next begins.
    cursor: Option<String>,
    /// Only prices of this offering.
    offering_id: Option<OfferingId>,
}

/// Creates a price in the working copy.
#[utoipa::path(
    post, path = "/prices", tag = "prices", request_body = PriceDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    responses(
        (status = 201, description = "Created", body = Price),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A rule is broken", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_price(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(draft)): Valid<ByRules<PriceDraft>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let created = commands::create_price(tx, &occasion, draft.clone()).await?;
        let location = format!("/catalog/v1/prices/{}", created.id);
        Ok(CommandResponse::created(location, &created)?.version(created.version))
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.create-price", &draft, command).await)
}

/// Lists prices of the working copy in order of id.
#[utoipa::path(
    get, path = "/prices", tag = "prices", params(PriceListParams),
    responses((status = 200, description = "A page", body = Page<Price>))
)]
pub(super) async fn list_prices(
    Shared(state): Shared<State>,
    caller: Caller,
    Params(params): Params<PriceListParams>,
) -> ApiResult<Json<Page<Price>>> {
    let list = format!("prices?offeringId={:?}", params.offering_id);
    let after = opened::<PriceId>(&state, &caller, &list, params.cursor.as_deref())?;
    let rows = queries::prices(&state, &caller.tenant, after, params.offering_id, params.limit).await?;
    page(&state, &caller, &list, rows, params.limit, |last| last.id).map(Json)
}

/// Reads a price of the working copy.
#[utoipa::path(
    get, path = "/prices/{id}", tag = "prices", params(("id" = PriceId, Path)),
    responses(
        (status = 200, description = "The price", body = Price),
        (status = 304, description = "The caller has this version"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_price(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<PriceId>,
    held: IfNoneMatch,
) -> ApiResult<Response> {
    let found = queries::price(&state, &caller.tenant, id).await?;
    Ok(not_modified_or(&held, Versioned(&found, found.version)))
}

/// Changes a price by merge patch (RFC 7396). A step in its life goes through `lifecycleStatus`.
#[utoipa::path(
    patch, path = "/prices/{id}", tag = "prices",
    params(("id" = PriceId, Path), ("If-Match" = String, Header, description = "The version this change is based on"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body(content = PriceDraft, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed", body = Price),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Not a legal step", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "Changed in the meantime", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A rule is broken", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn patch_price(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<PriceId>,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(patch)): Valid<ByRules<Patch>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let edit = |draft: &PriceDraft| patched(draft, patch.clone());
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let changed = commands::change_price::<Problem>(tx, &occasion, id, expected, edit).await?;
        Ok(CommandResponse::ok(&changed)?.version(changed.version))
    };
    let request = (id, expected, &patch);
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.patch-price", &request, command).await)
}
