//! The offer and what becomes of it; the negotiation beside and after it.

use axum::{extract::State as Shared, response::Response};
use cache_ports::quote::QuoteSummary;
use kernel::QuoteId;
use service_runtime::{
    ApiResult, Caller, IfMatch, OptionalIdempotencyKey, OptionalIfMatch, PathId, PathIds2, ProblemDocument,
    RequiredIdempotencyKey, Valid, ValidOrDefault,
};

use super::{
    State,
    bodies::{AcceptBody, PresentBody, ReasonBody},
    respond::change,
};
use crate::{
    commands::{self, Target},
    rules::transitions::Command,
};

/// Puts the revision on offer for some days; an older offer of the quote is superseded.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/present", tag = "offers", request_body = PresentBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not approved", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn present_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<PresentBody>,
) -> ApiResult<Response> {
    caller.require(Command::Present.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.present", &(id, n, &body), async |tx, actor| {
        commands::present(tx, actor, target, body.valid_for_days).await
    })
    .await)
}

/// The customer agrees to the named content while the offer stands. Happens once.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/accept", tag = "offers", request_body = AcceptBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("Idempotency-Key" = String, Header),
        ("If-Match" = Option<String>, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not on offer, overdue, or another content", body = ProblemDocument)))]
pub async fn accept_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    OptionalIfMatch(expected): OptionalIfMatch,
    RequiredIdempotencyKey(key): RequiredIdempotencyKey,
    Valid(body): Valid<AcceptBody>,
) -> ApiResult<Response> {
    caller.require(Command::Accept.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected };
    Ok(change(&service, &caller, Some(&key), "quote.accept", &(id, n, &body), async |tx, actor| {
        commands::accept(tx, actor, target, body.content_hash).await
    })
    .await)
}

/// The customer refuses the offer.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/decline", tag = "offers", request_body = ReasonBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not on offer", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn decline_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ReasonBody>,
) -> ApiResult<Response> {
    caller.require(Command::Decline.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.decline", &(id, n, &body), async |tx, actor| {
        commands::decline(tx, actor, target, body.reason.as_deref()).await
    })
    .await)
}

/// The customer wants something else: the offer ends, a new draft is opened.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/request-changes", tag = "offers", request_body = ReasonBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote with the new draft", body = QuoteSummary),
        (status = 409, description = "Not on offer", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn request_changes(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ReasonBody>,
) -> ApiResult<Response> {
    caller.require(Command::RequestChanges.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.requestChanges", &(id, n, &body), async |tx, actor| {
        commands::request_changes(tx, actor, target, body.reason.as_deref()).await
    })
    .await)
}

/// The seller cannot provide what the draft asks for.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/unable-to-provide", tag = "offers", request_body = ReasonBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not a draft", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn unable_to_provide(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ReasonBody>,
) -> ApiResult<Response> {
    caller.require(Command::UnableToProvide.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.unableToProvide", &(id, n, &body), async |tx, actor| {
        commands::unable_to_provide(tx, actor, target, body.reason.as_deref()).await
    })
    .await)
}

/// Opens a new draft with the lines of the current revision.
#[utoipa::path(post, path = "/quotes/{id}/revisions", tag = "offers",
    params(("id" = QuoteId, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote with the new draft", body = QuoteSummary),
        (status = 409, description = "Something is in preparation already", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn open_revision(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(Command::Revise.roles())?;
    let target = Target { quote_id: id, revision_no: None, expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.revise", &id, async |tx, actor| {
        commands::revise(tx, actor, target).await
    })
    .await)
}

/// Withdraws the quote while nothing of its newest revision is on offer.
#[utoipa::path(post, path = "/quotes/{id}/cancel", tag = "offers", request_body = ReasonBody,
    params(("id" = QuoteId, Path), ("Idempotency-Key" = String, Header),
        ("If-Match" = Option<String>, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "On offer, accepted or ended", body = ProblemDocument)))]
pub async fn cancel_quote(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
    OptionalIfMatch(expected): OptionalIfMatch,
    RequiredIdempotencyKey(key): RequiredIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ReasonBody>,
) -> ApiResult<Response> {
    caller.require(Command::Cancel.roles())?;
    let target = Target { quote_id: id, revision_no: None, expected };
    Ok(change(&service, &caller, Some(&key), "quote.cancel", &(id, &body), async |tx, actor| {
        commands::cancel(tx, actor, target, body.reason.as_deref()).await
    })
    .await)
}

/// Gives the quote up without an order.
#[utoipa::path(post, path = "/quotes/{id}/lose", tag = "offers", request_body = ReasonBody,
    params(("id" = QuoteId, Path), ("If-Match" = String, Header, description = "The quote's ETag"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Accepted or ended", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn lose_quote(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
    IfMatch(version): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ReasonBody>,
) -> ApiResult<Response> {
    caller.require(Command::Lose.roles())?;
    let target = Target { quote_id: id, revision_no: None, expected: Some(version) };
    Ok(change(&service, &caller, key.as_ref(), "quote.lose", &(id, &body), async |tx, actor| {
        commands::lose(tx, actor, target, body.reason.as_deref()).await
    })
    .await)
}
