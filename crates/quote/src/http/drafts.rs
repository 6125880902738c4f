//! Unsaved edits of a draft over HTTP: keep, show, save, discard.
//!
//! Kept edits are bound to the version they were made on and belong to whoever made them. Where they cannot be kept they are
//! saved at once, and the answer says which of the two happened.

use axum::{
    Json,
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use cache_ports::{
    UserKey,
    draft::{DraftOwner, KeptEdits, Unsaved, UnsavedEdits},
    quote::QuoteSummary,
};
use chrono::{DateTime, Utc};
use kernel::{QuoteId, Version};
use serde::Serialize;
use service_runtime::{ApiResult, Caller, IfMatch, PathId, Problem, ProblemDocument, TenantTx, Valid, parse_valid};
use utoipa::ToSchema;

use super::{State, draft_bodies::DraftEditsBody, respond::change_and_report};
use crate::{
    commands::{self, Actor, Target},
    queries::{self, Standing},
    rules::transitions::{Command, permit},
};

/// What became of edits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DraftReport {
    /// True in the answer that saved the edits, false while they wait or may wait. Absent where none wait: they were saved,
    /// discarded, lost with the buffer, or never sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<bool>,
    /// What is known about waiting edits.
    buffer: BufferState,
    /// The quote's version.
    quote_version: Version,
    /// The version the waiting edits were made on: they are saved only over this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_version: Option<Version>,
    /// When they were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    buffered_at: Option<DateTime<Utc>>,
    /// Until when they wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// The waiting edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DraftEditsBody>)]
    edits: Option<serde_json::Value>,
    /// The quote, where the edits were saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<QuoteSummary>,
}

/// What is known about waiting edits.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum BufferState {
    /// They wait.
    Holding,
    /// None wait.
    Empty,
    /// The buffer does not answer.
    Away,
}

impl DraftReport {
    const fn without_edits(quote_version: Version, buffer: BufferState) -> Self {
        Self {
            saved: match buffer {
                BufferState::Holding | BufferState::Away => Some(false),
                BufferState::Empty => None,
            },
            buffer,
            quote_version,
            base_version: None,
            buffered_at: None,
            expires_at: None,
            edits: None,
            quote: None,
        }
    }

    fn saving(quote: QuoteSummary) -> Self {
        let without = Self::without_edits(quote.version, BufferState::Empty);
        Self { saved: Some(true), quote: Some(quote), ..without }
    }

    fn holding(quote_version: Version, edits: UnsavedEdits, expires_at: Option<DateTime<Utc>>) -> Self {
        Self {
            base_version: Some(edits.base_version),
            buffered_at: Some(edits.buffered_at),
            expires_at,
            edits: Some(edits.edits),
            ..Self::without_edits(quote_version, BufferState::Holding)
        }
    }
}

fn owner(caller: &Caller, quote: QuoteId) -> DraftOwner {
    DraftOwner { user: UserKey::of(&caller.tenant, &caller.subject), quote }
}

async fn standing(service: &State, caller: &Caller, quote: QuoteId) -> ApiResult<Standing> {
    let found = queries::standing(&service.runtime.pool, &caller.tenant, quote).await?;
    found.ok_or_else(|| Problem::not_found("quote"))
}

/// Keeps edits of a draft that are not to be saved yet, in the place of the caller's earlier ones. Where they cannot be kept
/// they are saved at once; `saved` says which.
#[utoipa::path(put, path = "/quotes/{id}/draft", tag = "drafts", request_body = DraftEditsBody,
    params(("id" = QuoteId, Path), ("If-Match" = String, Header, description = "The version the edits were made on")),
    responses(
        (status = 200, description = "What became of the edits", body = DraftReport),
        (status = 409, description = "Not a draft", body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument),
        (status = 422, description = "The request breaks a rule", body = ProblemDocument)))]
pub async fn keep_edits(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
    if_match: IfMatch,
    Valid(body): Valid<DraftEditsBody>,
) -> ApiResult<Response> {
    caller.require(Command::Edit.roles())?;
    body.check()?;
    let standing = standing(&service, &caller, id).await?;
    if_match.check(standing.version)?;
    permit(standing.state, standing.revision_state, Command::Edit)
        .map_err(|refused| Problem::from(crate::error::QuoteError::IllegalTransition(refused)))?;
    let now = service.runtime.clock.now();
    let edits = UnsavedEdits {
        base_version: standing.version,
        revision_no: standing.revision_no,
        buffered_at: now,
        edits: serde_json::to_value(&body).map_err(Problem::internal)?,
    };
    let buffer = &service.runtime.caches.draft;
    if let Some(life) = buffer.keep(&caller.tenant, owner(&caller, id), &edits).await {
        let report = DraftReport::holding(standing.version, edits, Some(now + life));
        return Ok(Json(report).into_response());
    }
    metrics::counter!("quote_drafts_saved_at_once_total").increment(1);
    Ok(save(&service, &caller, target(id, &edits), body).await)
}

/// The caller's edits of this quote that are not saved.
#[utoipa::path(get, path = "/quotes/{id}/draft", tag = "drafts", params(("id" = QuoteId, Path)),
    responses(
        (status = 200, description = "What waits to be saved", body = DraftReport),
        (status = 404, description = "No such quote", body = ProblemDocument)))]
pub async fn unsaved_edits(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
) -> ApiResult<Json<DraftReport>> {
    caller.require(Command::Edit.roles())?;
    let version = standing(&service, &caller, id).await?.version;
    Ok(Json(waiting(&service, &caller, id, version).await))
}

/// What waits of the caller's edits.
async fn waiting(service: &State, caller: &Caller, quote: QuoteId, version: Version) -> DraftReport {
    match service.runtime.caches.draft.unsaved(&caller.tenant, owner(caller, quote)).await {
        Unsaved::Kept(KeptEdits { edits, remaining, .. }) => {
            DraftReport::holding(version, edits, Some(service.runtime.clock.now() + remaining))
        }
        Unsaved::Nothing => DraftReport::without_edits(version, BufferState::Empty),
        Unsaved::Away => DraftReport::without_edits(version, BufferState::Away),
    }
}

/// Saves the waiting edits into the quote, over exactly the version they were made on. Refused, they go on waiting.
#[utoipa::path(post, path = "/quotes/{id}/draft/save", tag = "drafts",
    params(("id" = QuoteId, Path), ("If-Match" = String, Header, description = "The quote's ETag")),
    responses(
        (status = 200, description = "The quote with the edits", body = DraftReport),
        (status = 409, description = "Nothing waits, the edits were made on another version, or not a draft",
            body = ProblemDocument),
        (status = 412, description = "The quote was changed meanwhile", body = ProblemDocument),
        (status = 422, description = "The edits break a rule", body = ProblemDocument)))]
pub async fn save_edits(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
    if_match: IfMatch,
) -> ApiResult<Response> {
    caller.require(Command::Edit.roles())?;
    let current = standing(&service, &caller, id).await?.version;
    if_match.check(current)?;
    let (buffer, owner) = (&service.runtime.caches.draft, owner(&caller, id));
    let kept = match buffer.unsaved(&caller.tenant, owner).await {
        Unsaved::Kept(kept) => kept,
        Unsaved::Nothing => return Err(nothing_to_save(BufferState::Empty)),
        Unsaved::Away => return Err(nothing_to_save(BufferState::Away)),
    };
    if kept.edits.base_version != current {
        return Err(Problem::conflict("edits-outdated", "The edits were made on another version of the quote")
            .detail("They still wait: look at the quote as it is now and send them again")
            .member("baseVersion", kept.edits.base_version)
            .member("currentVersion", current)
            .current(current));
    }
    let sent = serde_json::to_vec(&kept.edits.edits).map_err(Problem::internal)?;
    let body: DraftEditsBody = parse_valid(&sent)?;
    body.check()?;
    let saved = save(&service, &caller, target(id, &kept.edits), body).await;
    if saved.status().is_success() {
        buffer.forget(&caller.tenant, owner, &kept.mark).await;
    }
    Ok(saved)
}

fn nothing_to_save(buffer: BufferState) -> Problem {
    Problem::conflict("no-unsaved-edits", "No edits of yours wait to be saved").member("buffer", buffer)
}

const fn target(quote_id: QuoteId, edits: &UnsavedEdits) -> Target {
    Target { quote_id, revision_no: Some(edits.revision_no), expected: Some(edits.base_version) }
}

/// The command that saves: the same whether the edits waited or not.
async fn save(service: &State, caller: &Caller, target: Target, body: DraftEditsBody) -> Response {
    let edits = body.into_edits();
    let command = async |tx: &mut TenantTx, actor: &Actor| commands::apply_edits(tx, actor, target, edits).await;
    change_and_report(service, caller, None, "quote.saveDraft", &(), command, DraftReport::saving).await
}

/// Forgets the caller's waiting edits; the quote stays as it is.
#[utoipa::path(delete, path = "/quotes/{id}/draft", tag = "drafts", params(("id" = QuoteId, Path)),
    responses(
        (status = 200, description = "What waits afterwards", body = DraftReport),
        (status = 404, description = "No such quote", body = ProblemDocument)))]
pub async fn discard_edits(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<QuoteId>,
) -> ApiResult<Json<DraftReport>> {
    caller.require(Command::Edit.roles())?;
    let version = standing(&service, &caller, id).await?.version;
    let (buffer, owner) = (&service.runtime.caches.draft, owner(&caller, id));
    if let Unsaved::Kept(kept) = buffer.unsaved(&caller.tenant, owner).await {
        buffer.forget(&caller.tenant, owner, &kept.mark).await;
    }
    // Some wait still where they could not be forgotten, or newer ones were sent meanwhile.
    Ok(Json(waiting(&service, &caller, id, version).await))
}
