//! `/specifications`: what products are made of.

use axum::{Json, extract::State as Shared, response::Response};
use kernel::SpecificationId;
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfMatch, IfNoneMatch, OptionalIdempotencyKey, Page, Params, PathId, Problem,
    ProblemDocument, TenantTx, Valid, Versioned, idempotent,
};

use super::{ByRules, DraftListParams, EDITORS, not_modified_or, occasion, opened, page, patched};
use crate::{
    State,
    commands::specifications as commands,
    model::{Specification, SpecificationDraft},
    queries,
    rules::merge_patch::Patch,
};

/// Creates a specification in the working copy.
#[utoipa::path(
    post, path = "/specifications", tag = "specifications", request_body = SpecificationDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    responses(
        (status = 201, description = "Created", body = Specification),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The external id is taken", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A rule is broken", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_specification(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(draft)): Valid<ByRules<SpecificationDraft>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let created = commands::create_specification(tx, &occasion, draft.clone()).await?;
        let location = format!("/catalog/v1/specifications/{}", created.id);
        Ok(CommandResponse::created(location, &created)?.version(created.version))
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.create-specification", &draft, command).await)
}

/// Lists specifications of the working copy in order of id.
#[utoipa::path(
    get, path = "/specifications", tag = "specifications", params(DraftListParams),
    responses((status = 200, description = "A page", body = Page<Specification>))
)]
pub(super) async fn list_specifications(
    Shared(state): Shared<State>,
    caller: Caller,
    Params(params): Params<DraftListParams>,
) -> ApiResult<Json<Page<Specification>>> {
    let list = format!("specifications?externalId={:?}", params.external_id);
    let after = opened::<SpecificationId>(&state, &caller, &list, params.cursor.as_deref())?;
    let rows =
        queries::specifications(&state, &caller.tenant, after, params.external_id.as_deref(), params.limit).await?;
    page(&state, &caller, &list, rows, params.limit, |last| last.id).map(Json)
}

/// Reads a specification of the working copy.
#[utoipa::path(
    get, path = "/specifications/{id}", tag = "specifications", params(("id" = SpecificationId, Path)),
    responses(
        (status = 200, description = "The specification", body = Specification),
        (status = 304, description = "The caller has this version"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_specification(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<SpecificationId>,
    held: IfNoneMatch,
) -> ApiResult<Response> {
    let found = queries::specification(&state, &caller.tenant, id).await?;
    Ok(not_modified_or(&held, Versioned(&found, found.version)))
}

/// Changes a specification by merge patch (RFC 7396). A step in its life goes through `lifecycleStatus`.
#[utoipa::path(
    patch, path = "/specifications/{id}", tag = "specifications",
    params(("id" = SpecificationId, Path), ("If-Match" = String, Header, description = "The version this change is based on"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body(content = SpecificationDraft, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "Changed", body = Specification),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Not a legal step", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "Changed in the meantime", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A rule is broken", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn patch_specification(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<SpecificationId>,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(patch)): Valid<ByRules<Patch>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let edit = |draft: &SpecificationDraft| patched(draft, patch.clone());
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let changed = commands::change_specification::<Problem>(tx, &occasion, id, expected, edit).await?;
        Ok(CommandResponse::ok(&changed)?.version(changed.version))
    };
    let request = (id, expected, &patch);
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.patch-specification", &request, command).await)
}
