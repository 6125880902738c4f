//! The negotiation beside the straight way: refusals, new revisions, and giving the whole quote up.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Actor, Target, begin,
    decide::{move_to, void_approval},
    finish,
};
use crate::{
    error::{QuoteError, QuoteResult},
    events::QuoteEvent,
    model::{Item, Quote, QuoteState, RevisionState},
    rules::transitions::Command,
    store::quotes::{self, Note},
};

/// The customer refuses the offer.
pub async fn decline(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    reason: Option<&str>,
) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Decline).await?;
    let change = move_to(&mut quote, RevisionState::Declined, QuoteEvent::Changed).because(reason);
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(quote)
}

/// The seller cannot provide what the draft asks for.
pub async fn unable_to_provide(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    reason: Option<&str>,
) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::UnableToProvide).await?;
    let change = move_to(&mut quote, RevisionState::UnableToProvide, QuoteEvent::Changed).because(reason);
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(quote)
}

/// The customer wants something else: the offer ends and a draft with the same lines is opened.
pub async fn request_changes(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    reason: Option<&str>,
) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::RequestChanges).await?;
    let next = open_revision(conn, actor, &quote, now).await?;
    quote.current_revision_no = next;
    let change = move_to(&mut quote, RevisionState::ChangesRequested, QuoteEvent::Changed).because(reason);
    let mut change = change.moving(next, "", RevisionState::Draft.as_str());
    change.also_changed = vec![next];
    finish(conn, actor, &mut quote, change, now).await?;
    current(conn, actor, &quote).await
}

/// Opens a new draft with the lines of the current revision. An offer stays on the table but can no longer be accepted:
/// the newest revision is the one that counts.
pub async fn revise(conn: &mut PgConnection, actor: &Actor, target: Target) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Revise).await?;
    let next = open_revision(conn, actor, &quote, now).await?;
    quote.current_revision_no = next;
    let mut change = super::Change::of(QuoteEvent::Changed).moving(next, "", RevisionState::Draft.as_str());
    change.also_changed = vec![next];
    finish(conn, actor, &mut quote, change, now).await?;
    current(conn, actor, &quote).await
}

/// Withdraws the quote before an offer is out, or beside one. A buyer withdraws only what he asked for himself.
pub async fn cancel(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    reason: Option<&str>,
) -> QuoteResult<Quote> {
    let (quote, now) = begin(conn, actor, target, Command::Cancel).await?;
    if !actor.sells() && quote.created_by != actor.subject {
        return Err(QuoteError::NotPermitted("A buyer cancels only quotes he created"));
    }
    end(conn, actor, quote, Command::Cancel, reason, now).await
}

/// Gives the quote up without an order.
pub async fn lose(conn: &mut PgConnection, actor: &Actor, target: Target, reason: Option<&str>) -> QuoteResult<Quote> {
    let (quote, now) = begin(conn, actor, target, Command::Lose).await?;
    end(conn, actor, quote, Command::Lose, reason, now).await
}

/// Ends the negotiation: what is in preparation is cancelled, what is on offer superseded.
async fn end(
    conn: &mut PgConnection,
    actor: &Actor,
    mut quote: Quote,
    command: Command,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> QuoteResult<Quote> {
    void_approval(conn, actor, &mut quote, Command::Cancel, now).await?;
    let superseded = quotes::supersede_offers(conn, &actor.tenant, quote.id, quote.revision.no, now).await?;
    let ended = match quote.revision.state {
        RevisionState::Draft | RevisionState::InApproval | RevisionState::Approved => RevisionState::Cancelled,
        RevisionState::Presented => RevisionState::Superseded,
        other => other,
    };
    let mut change = super::Change::of(QuoteEvent::Changed).because(reason);
    if ended != quote.revision.state {
        change = move_to(&mut quote, ended, QuoteEvent::Changed).because(reason);
    }
    for no in &superseded {
        change = change.moving(*no, RevisionState::Presented.as_str(), RevisionState::Superseded.as_str());
    }
    let to = if command == Command::Cancel { QuoteState::Cancelled } else { QuoteState::Lost };
    let mut change = change.moving(0, quote.state.as_str(), to.as_str());
    change.also_changed = superseded;
    quote.state = to;
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(quote)
}

/// Inserts revision n+1 with the lines of the revision at hand, unpriced; answers its number.
async fn open_revision(conn: &mut PgConnection, actor: &Actor, quote: &Quote, now: DateTime<Utc>) -> QuoteResult<u32> {
    let next = quote.current_revision_no + 1;
    let note = Note { actor: &actor.subject, reason: None, at: now };
    quotes::insert_revision(conn, &actor.tenant, quote.id, next, note).await?;
    let unpriced = |item: &Item| Item { charges: Vec::new(), amount: None, ..item.clone() };
    let items: Vec<Item> = quote.revision.items.iter().map(unpriced).collect();
    quotes::insert_items(conn, &actor.tenant, quote.id, next, &items).await?;
    Ok(next)
}

/// The quote with its current revision, read again.
async fn current(conn: &mut PgConnection, actor: &Actor, quote: &Quote) -> QuoteResult<Quote> {
    let found = quotes::quote_with_revision(conn, &actor.tenant, quote.id, None).await?;
    found.map(|(quote, _)| quote).ok_or(QuoteError::NotFound("quote"))
}
