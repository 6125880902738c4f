//! From draft to approved: price, submit, approve, reject, recall.

use axum::{extract::State as Shared, response::Response};
use cache_ports::quote::QuoteSummary;
use kernel::QuoteId;
use service_runtime::{
    ApiResult, Caller, IfMatch, OptionalIdempotencyKey, OptionalIfMatch, PathIds2, ProblemDocument,
    RequiredIdempotencyKey, Valid, ValidOrDefault,
};

use super::{
    State,
    bodies::{ApproveBody, RejectBody},
    respond::change,
};
use crate::{
    commands::{self, Target},
    rules::transitions::Command,
};

/// Takes a sealed price for the draft's present lines.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/price", tag = "decisions",
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not a draft", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument),
        (status = 422, description = "A line cannot be priced", body = ProblemDocument)))]
pub async fn price_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(Command::Price.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    // Before the transaction, so that no row is locked meanwhile. A repetition by key is answered from its record even
    // if the quote has moved on and this fails.
    let prepared = commands::prepare_price(&service.runtime.pool, &service.clients, &caller, target).await;
    Ok(change(&service, &caller, key.as_ref(), "quote.price", &(id, n), async |tx, actor| {
        commands::record_price(tx, actor, target, prepared?).await
    })
    .await)
}

/// Freezes the revision; it is approved at once where no rule asks for a decision.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/submit", tag = "decisions",
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not a draft, or its price is stale", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument),
        (status = 422, description = "Something is missing", body = ProblemDocument)))]
pub async fn submit_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(Command::Submit.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    let limit = service.config.approval_limit_percent;
    Ok(change(&service, &caller, key.as_ref(), "quote.submit", &(id, n), async |tx, actor| {
        commands::submit(tx, actor, target, limit).await
    })
    .await)
}

/// Grants approval of the submitted content. Neither the requester nor an editor may, nor who was revoked, nor beyond the
/// caller's limit.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/approve", tag = "decisions", request_body = ApproveBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("Idempotency-Key" = String, Header),
        ("If-Match" = Option<String>, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 403, description = "Separation of duties, a deeper discount than the caller may approve, or revoked", body = ProblemDocument),
        (status = 409, description = "Not in approval, or the content is another", body = ProblemDocument)))]
pub async fn approve_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    OptionalIfMatch(expected): OptionalIfMatch,
    RequiredIdempotencyKey(key): RequiredIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ApproveBody>,
) -> ApiResult<Response> {
    caller.require(Command::Approve.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected };
    Ok(change(&service, &caller, Some(&key), "quote.approve", &(id, n, &body), async |tx, actor| {
        commands::approve(tx, actor, target, body.decision()).await
    })
    .await)
}

/// Sends the revision back to its authors. Neither the requester nor an editor may, nor who was revoked.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/reject", tag = "decisions", request_body = RejectBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("Idempotency-Key" = String, Header),
        ("If-Match" = Option<String>, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 403, description = "Separation of duties, or revoked", body = ProblemDocument),
        (status = 409, description = "Not in approval, or the content is another", body = ProblemDocument),
        (status = 422, description = "The comment is missing", body = ProblemDocument)))]
pub async fn reject_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    OptionalIfMatch(expected): OptionalIfMatch,
    RequiredIdempotencyKey(key): RequiredIdempotencyKey,
    Valid(body): Valid<RejectBody>,
) -> ApiResult<Response> {
    caller.require(Command::Reject.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected };
    Ok(change(&service, &caller, Some(&key), "quote.reject", &(id, n, &body), async |tx, actor| {
        commands::reject(tx, actor, target, body.decision()).await
    })
    .await)
}

/// Takes the revision back into work; its approval is void.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/recall", tag = "decisions",
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Neither in approval nor approved", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn recall_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(Command::Recall.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.recall", &(id, n), async |tx, actor| {
        commands::recall(tx, actor, target).await
    })
    .await)
}
