//! Creating and reading quotes.

use axum::{extract::State as Shared, response::Response};
use cache_ports::quote::QuoteSummary;
use kernel::QuoteId;
use serde::Serialize;
use service_runtime::{
    ApiResult, Cached, Caller, CommandResponse, IfNoneMatch, MinVersion, OptionalIdempotencyKey, PathId, PathIds2,
    Problem, ProblemDocument, Role, Valid, Versioned, idempotent,
};
use utoipa::ToSchema;

use super::{State, bodies::NewQuoteBody, respond::location};
use crate::{
    commands::{self, Actor},
    model::Acceptance,
    queries,
    rules::{
        transitions::Command,
        visibility::{in_full, shown_to},
    },
};

/// Who reads quotes.
pub(super) const READING: &[Role] =
    &[Role::Buyer, Role::SalesRep, Role::Approver, Role::DealDesk, Role::OrderAgent, Role::System];

/// Creates a quote with its first draft.
#[utoipa::path(post, path = "/quotes", tag = "quotes", request_body = NewQuoteBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 201, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Another quote has this external id", body = ProblemDocument),
        (status = 422, description = "The request breaks a rule", body = ProblemDocument)))]
pub async fn create_quote(
    Shared(service): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<NewQuoteBody>,
) -> ApiResult<Response> {
    caller.require(Command::Edit.roles())?;
    let now = service.runtime.clock.now();
    let fingerprint = serde_json::to_value(&body).map_err(Problem::internal)?;
    let new = body.into_new(service.config.valid_for_days);
    let created = idempotent(&service.runtime, &caller, key.as_ref(), "quote.create", &fingerprint, async |tx| {
        let quote = commands::create_quote(tx, &Actor::from(&caller), new, now).await?;
        let shown = shown_to(caller.roles, now, in_full(&quote));
        Ok::<_, Problem>(CommandResponse::created(location(quote.id), &shown)?.version(quote.version))
    });
    Ok(created.await)
}

/// The quote with its current revision, through the cache.
#[utoipa::path(get, path = "/quotes/{id}", tag = "quotes",
    params(("id" = QuoteId, Path), ("Min-Version" = Option<u64>, Header, description = "Nothing older than this")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 304, description = "The caller has this version"),
        (status = 404, description = "No such quote", body = ProblemDocument)))]
pub async fn quote_by_id(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
    MinVersion(min_version): MinVersion,
    held: IfNoneMatch,
) -> ApiResult<Cached> {
    caller.require(READING)?;
    let runtime = &service.runtime;
    let read = queries::quote_summary(&runtime.pool, &runtime.caches.quote, &caller.tenant, id, min_version).await?;
    let served = read.ok_or_else(|| Problem::not_found("quote"))?;
    let now = runtime.clock.now();
    Ok(Cached::viewed(&served, |quote| shown_to(caller.roles, now, quote.clone())).unless(&held))
}

/// The quote with one of its revisions, from the database.
#[utoipa::path(get, path = "/quotes/{id}/revisions/{n}", tag = "quotes",
    params(("id" = QuoteId, Path), ("n" = u32, Path)),
    responses(
        (status = 200, description = "The quote with that revision", body = QuoteSummary),
        (status = 404, description = "No such quote or revision", body = ProblemDocument)))]
pub async fn revision_by_no(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
) -> ApiResult<Versioned<QuoteSummary>> {
    caller.require(READING)?;
    let found = queries::revision(&service.runtime.pool, &caller.tenant, id, Some(n)).await?;
    let quote = found.ok_or_else(|| Problem::not_found("revision"))?;
    let version = quote.version;
    Ok(Versioned(shown_to(caller.roles, service.runtime.clock.now(), in_full(&quote)), version))
}

/// What the customer accepted: the right to one order.
#[utoipa::path(get, path = "/quotes/{id}/revisions/{n}/acceptance", tag = "quotes",
    params(("id" = QuoteId, Path), ("n" = u32, Path)),
    responses(
        (status = 200, description = "The acceptance", body = Acceptance),
        (status = 404, description = "This revision was not accepted", body = ProblemDocument)))]
pub async fn acceptance_of_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
) -> ApiResult<axum::Json<Acceptance>> {
    caller.require(&[Role::System, Role::OrderAgent, Role::SalesRep, Role::DealDesk, Role::Buyer])?;
    let accepted = queries::acceptance(&service.runtime.pool, &caller.tenant, id, n).await?;
    Ok(axum::Json(accepted))
}

/// One state change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The quote's version after the change.
    version: i64,
    /// The revision; 0 is the quote itself.
    revision_no: i32,
    /// The state before; empty at creation.
    from: String,
    /// The state after.
    to: String,
    /// Who.
    actor: String,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When.
    at: chrono::DateTime<chrono::Utc>,
}

/// Every state change of a quote.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Oldest first.
    items: Vec<HistoryEntry>,
}

/// Who moved the quote and its revisions, when, and why.
#[utoipa::path(get, path = "/quotes/{id}/history", tag = "quotes", params(("id" = QuoteId, Path)),
    responses(
        (status = 200, description = "The state changes", body = History),
        (status = 404, description = "No such quote", body = ProblemDocument)))]
pub async fn history_of_quote(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
) -> ApiResult<axum::Json<History>> {
    caller.require(&[Role::SalesRep, Role::Approver, Role::DealDesk, Role::OrderAgent, Role::System])?;
    let rows = queries::history(&service.runtime.pool, &caller.tenant, id).await?;
    let entry = |row: crate::store::decisions::HistoryRow| HistoryEntry {
        version: row.version,
        revision_no: row.revision_no,
        from: row.from_state,
        to: row.to_state,
        actor: row.actor,
        reason: row.reason,
        at: row.at,
    };
    Ok(axum::Json(History { items: rows.into_iter().map(entry).collect() }))
}
