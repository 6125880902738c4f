//! The lines of a draft.

use axum::{extract::State as Shared, response::Response};
use cache_ports::quote::QuoteSummary;
use kernel::{QuoteId, QuoteItemId};
use service_runtime::{ApiResult, Caller, IfMatch, PathIds2, PathIds3, ProblemDocument, Valid};

use super::{
    State,
    bodies::{ItemPatchBody, NewItemBody},
    respond::change,
};
use crate::{
    commands::{self, Target},
    rules::transitions::Command,
};

/// Adds a line at the end of the draft; its price is stale from then on.
#[utoipa::path(post, path = "/quotes/{id}/revisions/{n}/items", tag = "items", request_body = NewItemBody,
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("If-Match" = String, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 409, description = "Not a draft", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument),
        (status = 422, description = "The request breaks a rule", body = ProblemDocument)))]
pub async fn add_item(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(id, n): PathIds2<QuoteId, u32>,
    IfMatch(version): IfMatch,
    Valid(body): Valid<NewItemBody>,
) -> ApiResult<Response> {
    caller.require(Command::Edit.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    let new = body.into_new();
    Ok(change(&service, &caller, None, "quote.addItem", &(), async |tx, actor| {
        commands::add_item(tx, actor, target, new).await
    })
    .await)
}

/// Changes a line of the draft (merge patch); its price is stale from then on.
#[utoipa::path(patch, path = "/quotes/{id}/revisions/{n}/items/{itemId}", tag = "items",
    request_body(content = ItemPatchBody, content_type = "application/merge-patch+json"),
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("itemId" = QuoteItemId, Path),
        ("If-Match" = String, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 404, description = "No such line", body = ProblemDocument),
        (status = 409, description = "Not a draft", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument),
        (status = 422, description = "The request breaks a rule", body = ProblemDocument)))]
pub async fn change_item(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds3(id, n, item): PathIds3<QuoteId, u32, QuoteItemId>,
    IfMatch(version): IfMatch,
    Valid(body): Valid<ItemPatchBody>,
) -> ApiResult<Response> {
    caller.require(Command::Edit.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    let patch = body.into_change();
    Ok(change(&service, &caller, None, "quote.changeItem", &(), async |tx, actor| {
        commands::change_item(tx, actor, target, item, patch).await
    })
    .await)
}

/// Removes a line of the draft; the price is stale from then on.
#[utoipa::path(delete, path = "/quotes/{id}/revisions/{n}/items/{itemId}", tag = "items",
    params(("id" = QuoteId, Path), ("n" = u32, Path), ("itemId" = QuoteItemId, Path),
        ("If-Match" = String, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote", body = QuoteSummary),
        (status = 404, description = "No such line", body = ProblemDocument),
        (status = 409, description = "Not a draft", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument)))]
pub async fn remove_item(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds3(id, n, item): PathIds3<QuoteId, u32, QuoteItemId>,
    IfMatch(version): IfMatch,
) -> ApiResult<Response> {
    caller.require(Command::Edit.roles())?;
    let target = Target { quote_id: id, revision_no: Some(n), expected: Some(version) };
    Ok(change(&service, &caller, None, "quote.removeItem", &(), async |tx, actor| {
        commands::remove_item(tx, actor, target, item).await
    })
    .await)
}
