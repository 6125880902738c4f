//! From a draft to something that may be offered: submit, approve, reject, recall.

use chrono::{DateTime, Utc};
use events::MAX_PAYLOAD_BYTES;
use kernel::{ApprovalId, ContentHash};
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::{
    Actor, Change, Target,
    access::{check_may_approve, check_not_revoked},
    begin,
    eligibility::check_eligible,
    finish,
};
use crate::{
    error::{QuoteError, QuoteResult},
    events::QuoteEvent,
    model::{Approval, ApprovalState, Quote, RevisionState},
    rules::{
        approval,
        content::{self, content_hash},
        transitions::{Command, approval_after},
    },
    store::{customers, decisions},
};

/// Largest acceptance, a little below what an event may carry.
const MAX_ACCEPTANCE_BYTES: usize = MAX_PAYLOAD_BYTES - 16 * 1024;

/// An approver's decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The content he decided about, where he named it.
    pub content_hash: Option<ContentHash>,
    /// What he said.
    pub comment: Option<String>,
}

/// Freezes the revision under the hash of its content. It waits for approval when a rule fires, else it is approved.
pub async fn submit(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    approval_limit_percent: Decimal,
) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Submit).await?;
    check_submittable(conn, actor, &quote).await?;
    check_eligible(conn, actor, &quote, now).await?;
    let hash = content_hash(&quote)?;
    quote.revision.content_hash = Some(hash);
    let inputs = quote.revision.price.as_ref().map(|price| &price.approval_inputs).ok_or(QuoteError::PriceStale)?;
    let reasons = approval::reasons(inputs, approval_limit_percent);
    let to = if reasons.is_empty() { RevisionState::Approved } else { RevisionState::InApproval };
    quote.approval = None;
    if !reasons.is_empty() {
        let request = Approval {
            id: ApprovalId::generate(),
            state: ApprovalState::Pending,
            content_hash: hash,
            reasons,
            requested_by: actor.subject.clone(),
            requested_at: now,
            decided_by: None,
            decided_at: None,
            comment: None,
        };
        decisions::insert_approval(conn, &actor.tenant, quote.id, quote.revision.no, &request).await?;
        quote.approval = Some(request);
    }
    let change = move_to(&mut quote, to, QuoteEvent::Submitted);
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(quote)
}

/// Submission is strict where drafting was lenient.
async fn check_submittable(conn: &mut PgConnection, actor: &Actor, quote: &Quote) -> QuoteResult<()> {
    if quote.revision.items.is_empty() {
        return Err(QuoteError::field("/items", "required", "a quote without lines cannot be submitted"));
    }
    let resolved = quote.revision.items.iter().all(|item| item.resolved.is_some() && item.amount.is_some());
    if quote.revision.price_stale || !resolved {
        return Err(QuoteError::PriceStale);
    }
    if content::acceptance_bytes(quote).map_or(true, |bytes| bytes > MAX_ACCEPTANCE_BYTES) {
        return Err(QuoteError::field("/items", "too-large", "the lines are too large to be accepted as one event"));
    }
    if let Some(customer) = quote.customer_id
        && customers::customer_by_id(conn, &actor.tenant, customer).await?.is_none()
    {
        return Err(QuoteError::field("/customerId", "unknown-customer", "there is no such customer"));
    }
    Ok(())
}

/// Grants approval of exactly the submitted content, within what the actor may approve.
pub async fn approve(conn: &mut PgConnection, actor: &Actor, target: Target, decision: Decision) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Approve).await?;
    let request = decided(&quote, actor, &decision, Command::Approve, now)?;
    check_may_approve(conn, actor, approval::deepest_discount(&request)).await?;
    decisions::decide_approval(conn, &actor.tenant, &request).await?;
    quote.approval = Some(request);
    let change = move_to(&mut quote, RevisionState::Approved, QuoteEvent::Approved);
    finish(conn, actor, &mut quote, change.because(decision.comment.as_deref()), now).await?;
    Ok(quote)
}

/// Sends the revision back to its authors, with a comment. That gives nothing away, so no limit holds anybody back from it.
pub async fn reject(conn: &mut PgConnection, actor: &Actor, target: Target, decision: Decision) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Reject).await?;
    let request = decided(&quote, actor, &decision, Command::Reject, now)?;
    check_not_revoked(conn, actor).await?;
    decisions::decide_approval(conn, &actor.tenant, &request).await?;
    quote.approval = Some(request);
    quote.revision.content_hash = None;
    let change = move_to(&mut quote, RevisionState::Draft, QuoteEvent::Rejected);
    finish(conn, actor, &mut quote, change.because(decision.comment.as_deref()), now).await?;
    Ok(quote)
}

/// Takes the revision back into work; an approval that was asked for or granted is void.
pub async fn recall(conn: &mut PgConnection, actor: &Actor, target: Target) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Recall).await?;
    void_approval(conn, actor, &mut quote, Command::Recall, now).await?;
    quote.revision.content_hash = None;
    let change = move_to(&mut quote, RevisionState::Draft, QuoteEvent::Changed);
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(quote)
}

/// Moves the request of the revision along with it, if it has one that is still alive.
pub(super) async fn void_approval(
    conn: &mut PgConnection,
    actor: &Actor,
    quote: &mut Quote,
    command: Command,
    now: DateTime<Utc>,
) -> QuoteResult<()> {
    let Some(request) = &mut quote.approval else { return Ok(()) };
    let state = approval_after(request.state, command);
    if state == request.state {
        return Ok(());
    }
    if request.state == ApprovalState::Pending {
        request.decided_by = Some(actor.subject.clone());
        request.decided_at = Some(now);
    }
    request.state = state;
    decisions::decide_approval(conn, &actor.tenant, request).await
}

/// The request as decided by `actor`, who must be neither its requester nor an editor, and must mean this content.
fn decided(
    quote: &Quote,
    actor: &Actor,
    decision: &Decision,
    command: Command,
    now: DateTime<Utc>,
) -> QuoteResult<Approval> {
    let request = quote.approval.as_ref().ok_or(QuoteError::NotFound("approval"))?;
    if !approval::may_decide(&actor.subject, request, &quote.revision.editors) {
        return Err(QuoteError::SeparationOfDuties);
    }
    let frozen = verified_hash(quote)?;
    if request.content_hash != frozen || decision.content_hash.is_some_and(|named| named != frozen) {
        return Err(QuoteError::ContentChanged);
    }
    Ok(Approval {
        state: approval_after(request.state, command),
        decided_by: Some(actor.subject.clone()),
        decided_at: Some(now),
        comment: decision.comment.clone(),
        ..request.clone()
    })
}

/// The hash the revision was frozen under, recomputed from the rows: whoever wrote past this service is found here.
pub(super) fn verified_hash(quote: &Quote) -> QuoteResult<ContentHash> {
    let frozen = quote.revision.content_hash.ok_or(QuoteError::ContentTampered)?;
    if content_hash(quote)? == frozen { Ok(frozen) } else { Err(QuoteError::ContentTampered) }
}

/// Moves the revision at hand.
pub(super) fn move_to<'a>(quote: &mut Quote, to: RevisionState, event: QuoteEvent) -> Change<'a> {
    let from = std::mem::replace(&mut quote.revision.state, to);
    Change::of(event).moving(quote.revision.no, from.as_str(), to.as_str())
}
