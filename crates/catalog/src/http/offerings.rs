//! `/offerings`: what is sold; the working copy, not what buyers see.

use axum::{Json, extract::State as Shared, response::Response};
use kernel::OfferingId;
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfMatch, IfNoneMatch, OptionalIdempotencyKey, Page, Params, PathId, Problem,
    ProblemDocument, TenantTx, Valid, Versioned, idempotent,
};

use super::{ByRules, DraftListParams, EDITORS, not_modified_or, occasion, opened, page, patched};
use crate::{
    State,
    commands::offerings as commands,
    model::{Offering, OfferingDraft},
    queries,
    rules::merge_patch::Patch,
};

/// Creates an offering in the working copy.
#[utoipa::path(
    post, path = "/offerings", tag = "offerings", request_body = OfferingDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    responses(
        (status = 201, description = "Created", body = Offering),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The external id is taken", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A rule is broken", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_offering(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(draft)): Valid<ByRules<OfferingDraft>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let created = commands::create_offering(tx, &occasion, draft.clone()).await?;
        let location = format!("/catalog/v1/offerings/{}", created.id);
        Ok(CommandResponse::created(location, &created)?.version(created.version))
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.create-offering", &draft, command).await)
}

/// Lists offerings of the working copy in order of id.
#[utoipa::path(
    get, path = "/offerings", tag = "offerings", params(DraftListParams),
    responses((status = 200, description = "A page", body = Page<Offering>))
)]
pub(super) async fn list_offerings(
    Shared(state): Shared<State>,
    caller: Caller,
    Params(params): Params<DraftListParams>,
) -> ApiResult<Json<Page<Offering>>> {
    let list = format!("offerings?externalId={:?}", params.external_id);
    let after = opened::<OfferingId>(&state, &caller, &list, params.cursor.as_deref())?;
    let rows = queries::offerings(&state, &caller.tenant, after, params.external_id.as_deref(), params.limit).await?;
    page(&state, &caller, &list, rows, params.limit, |last| last.id).map(Json)
}

/// Reads an offering of the working copy.
#[utoipa::path(
    get, path = "/offerings/{id}", tag = "offerings", params(("id" = OfferingId, Path)),
    responses(
        (status = 200, description = "The offering", body = Offering),
        (status = 304, description = "The caller has this version"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_offering(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<OfferingId>,
    held: IfNoneMatch,
) -> ApiResult<Response> {
    let found = queries::offering(&state, &caller.tenant, id).await?;
    Ok(not_modified_or(&held, Versioned(&found, found.version)))
}

/// Changes an offering by merge patch (RFC 7396). A step in its life goes through `lifecycleStatus`.
#[utoipa::path(
    patch, path = "/offerings/{id}", tag = "offerings",
    params(("id" = OfferingId, Path), ("If-Match" = String, Header, description = "The version this change is based on"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body(content = OfferingDraft, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed", body = Offering),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Not a legal step", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "Changed in the meantime", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A rule is broken", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn patch_offering(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<OfferingId>,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(patch)): Valid<ByRules<Patch>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let edit = |draft: &OfferingDraft| patched(draft, patch.clone());
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let changed = commands::change_offering::<Problem>(tx, &occasion, id, expected, edit).await?;
        Ok(CommandResponse::ok(&changed)?.version(changed.version))
    };
    let request = (id, expected, &patch);
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.patch-offering", &request, command).await)
}
