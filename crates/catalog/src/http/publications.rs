//! `/publications`: frozen catalogs, which of them is in force, and what is in them.

use axum::{Json, extract::State as Shared, response::Response};
use cache_ports::{
    catalog::{ActivePublication, OfferingDocument, SearchPage},
    counters::LiveCount,
};
use kernel::{OfferingId, PublicationId, Version};
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Cached, Caller, CommandResponse, IfNoneMatch, Limit, MinVersion, OptionalIdempotencyKey,
    OptionalIfMatch, Page, Params, PathId, PathIds2, Problem, ProblemDocument, Sender, TenantTx, Valid, idempotent,
};
use utoipa::{IntoParams, ToSchema};

use super::{ByRules, EDITORS, occasion, opened, page};
use crate::{
    State,
    commands::publish::{self as commands, Published, Then},
    error::CatalogError,
    model::Publication,
    queries::{self, SearchRequest},
};

/// What to freeze.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PublishRequest {
    /// What the publication is called; 1 to 100 characters.
    name: String,
    /// Put it in force at once.
    #[serde(default)]
    activate: bool,
}

/// A publication as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicationView {
    #[serde(flatten)]
    publication: Publication,
    /// Whether buyers see it now.
    active: bool,
}

/// A publication after a command.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublishedView {
    #[serde(flatten)]
    publication: Publication,
    /// Whether buyers see it now.
    active: bool,
    /// Nothing had to be done: it was there, or in force, already.
    unchanged: bool,
    /// Counts the tenant's activations: the ETag of `/publications/active`.
    active_version: Version,
}

impl From<Published> for PublishedView {
    fn from(published: Published) -> Self {
        let Published { publication, active, unchanged, pointer_version } = published;
        Self { publication, active, unchanged, active_version: pointer_version }
    }
}

/// Checks the working copy and freezes what is active or launched. The same content is the same publication.
#[utoipa::path(
    post, path = "/publications", tag = "publications", request_body = PublishRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    responses(
        (status = 200, description = "The content was published before", body = PublishedView),
        (status = 201, description = "Published", body = PublishedView),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The working copy breaks rules; pointers lead into it", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn publish(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(request)): Valid<ByRules<PublishRequest>>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let then = if request.activate { Then::Activate } else { Then::Keep };
    let mut activated = None;
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let published = commands::publish(tx, &occasion, &request.name, then).await?;
        activated = published.active.then_some(published.pointer_version);
        let location = format!("/catalog/v1/publications/{}", published.publication.id);
        let unchanged = published.unchanged;
        let view = PublishedView::from(published);
        if unchanged { CommandResponse::ok(&view) } else { CommandResponse::created(location, &view) }
    };
    let response = idempotent(&state.runtime, &caller, key.as_ref(), "catalog.publish", &request, command).await;
    move_pointer_soon(&state, &caller, activated);
    Ok(response)
}

/// Puts a publication in force. If-Match may name the version of `/publications/active`.
#[utoipa::path(
    post, path = "/publications/{id}/activate", tag = "publications",
    params(("id" = PublicationId, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag of `/publications/active`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    responses(
        (status = 200, description = "In force", body = PublishedView),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "Another one was put in force in the meantime", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn activate_publication(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<PublicationId>,
    OptionalIfMatch(expected): OptionalIfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    let occasion = occasion(&state, &caller);
    let mut activated = None;
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let published = commands::activate(tx, &occasion, id, expected).await?;
        let version = published.pointer_version;
        activated = Some(version);
        Ok(CommandResponse::ok(&PublishedView::from(published))?.version(version))
    };
    let request = (id, expected);
    let response = idempotent(&state.runtime, &caller, key.as_ref(), "catalog.activate", &request, command).await;
    move_pointer_soon(&state, &caller, activated);
    Ok(response)
}

/// The fast path after a commit, best effort: the event does the same for certain.
fn move_pointer_soon(state: &State, caller: &Caller, version: Option<Version>) {
    let Some(version) = version else { return };
    let (cache, tenant) = (state.runtime.caches.catalog.clone(), caller.tenant.clone());
    tokio::spawn(async move { cache.publication_activated(&tenant, version).await });
}

/// Where a list of publications goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PublicationListParams {
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the page before said the next begins.
    cursor: Option<String>,
}

/// Lists publications, newest first.
#[utoipa::path(
    get, path = "/publications", tag = "publications", params(PublicationListParams),
    responses((status = 200, description = "A page", body = Page<PublicationView>))
)]
pub(super) async fn list_publications(
    Shared(state): Shared<State>,
    caller: Caller,
    Params(params): Params<PublicationListParams>,
) -> ApiResult<Json<Page<PublicationView>>> {
    let before = opened::<u64>(&state, &caller, "publications", params.cursor.as_deref())?;
    let (rows, active) = queries::publications(&state, &caller.tenant, before, params.limit).await?;
    let page = page(&state, &caller, "publications", rows, params.limit, |last| last.number)?;
    let view = |publication: Publication| {
        let active = active == Some(publication.id);
        PublicationView { publication, active }
    };
    Ok(Json(page.map(view)))
}

/// One publication.
#[utoipa::path(
    get, path = "/publications/{id}", tag = "publications", params(("id" = PublicationId, Path)),
    responses(
        (status = 200, description = "The publication", body = PublicationView),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_publication(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<PublicationId>,
) -> ApiResult<Json<PublicationView>> {
    let (publication, active) = queries::publication(&state, &caller.tenant, id).await?;
    Ok(Json(PublicationView { publication, active }))
}

/// The publication buyers see now. Its ETag counts the tenant's activations.
#[utoipa::path(
    get, path = "/publications/active", tag = "publications",
    params(("Min-Version" = Option<u64>, Header, description = "Read nothing older than this")),
    responses(
        (status = 200, description = "The publication in force", body = ActivePublication),
        (status = 304, description = "The caller has this version"),
        (status = 404, description = "Nothing was ever put in force", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_active_publication(
    Shared(state): Shared<State>,
    caller: Caller,
    MinVersion(min_version): MinVersion,
    held: IfNoneMatch,
) -> ApiResult<Cached> {
    let served = queries::active_publication(&state, &caller.tenant, min_version).await?;
    let served = served.ok_or(CatalogError::NothingActive)?;
    Ok(Cached::whole(served).unless(&held))
}

/// One offering as a publication froze it.
#[utoipa::path(
    get, path = "/publications/{id}/offerings/{offeringId}", tag = "publications",
    params(("id" = PublicationId, Path), ("offeringId" = OfferingId, Path)),
    responses(
        (status = 200, description = "The offering, with `Age` and `Cache-Status`", body = OfferingDocument),
        (status = 304, description = "The caller has this version"),
        (status = 404, description = "Unknown", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read_frozen_offering(
    Shared(state): Shared<State>,
    caller: Caller,
    sender: Sender,
    PathIds2(publication, offering): PathIds2<PublicationId, OfferingId>,
    held: IfNoneMatch,
) -> ApiResult<Cached> {
    let served = queries::frozen_offering(&state, &caller.tenant, publication, offering).await?;
    let served = served.ok_or_else(|| Problem::not_found("offering in this publication"))?;
    // Other services read offerings to work with them, most often with somebody's token; what people look at is worth knowing.
    if sender == Sender::Other {
        state.runtime.caches.counters.count(&caller.tenant, LiveCount::OfferingViews, offering.uuid());
    }
    Ok(Cached::whole(served).unless(&held))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParams {
    /// Words that must begin words of name, external id, category or description; at most 200 characters.
    q: Option<String>,
    /// Exact category.
    category: Option<String>,
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the page before said the next begins.
    cursor: Option<String>,
}

/// Characters of a search text.
const MAX_SEARCH_CHARS: usize = 200;

/// Offerings of a publication in order of name, with the time the page was made.
#[utoipa::path(
    get, path = "/publications/{id}/offerings", tag = "publications",
    params(("id" = PublicationId, Path), SearchParams),
    responses(
        (status = 200, description = "A page", body = SearchPage),
        (status = 404, description = "Unknown publication", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn search_publication(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(publication): PathId<PublicationId>,
    Params(params): Params<SearchParams>,
) -> ApiResult<Cached> {
    let texts = [&params.q, &params.category];
    if texts.into_iter().flatten().any(|text| text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0')) {
        return Err(super::problems::invalid_query("q and category have at most 200 characters"));
    }
    let list = format!("publications/{publication}?q={:?}&category={:?}", params.q, params.category);
    let after = opened::<OfferingId>(&state, &caller, &list, params.cursor.as_deref())?;
    let (signer, tenant) = (state.runtime.cursors.clone(), caller.tenant.clone());
    let seal = move |last: OfferingId| signer.seal(&tenant, &list, &last).ok();
    let request = SearchRequest { text: params.q, category: params.category, limit: params.limit, after };
    let served = queries::search_offerings(&state, &caller.tenant, publication, request, seal).await??;
    served.map(Cached::whole).ok_or_else(|| Problem::not_found("publication"))
}
