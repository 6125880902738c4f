//! What the order service's facts mean for a quote: ordered, then closed.

use sqlx::PgConnection;

use super::{Actor, Target, begin_on_any_revision, decide::move_to, finish};
use crate::{
    error::QuoteResult,
    events::QuoteEvent,
    model::{QuoteState, RevisionState},
    rules::transitions::{Command, permit},
};

/// An order was made of the accepted revision: the quote is won. False when that is known already.
pub async fn mark_ordered(conn: &mut PgConnection, actor: &Actor, target: Target) -> QuoteResult<bool> {
    let (mut quote, now) = begin_on_any_revision(conn, actor, target).await?;
    if permit(quote.state, quote.revision.state, Command::Order).is_err() {
        return Ok(false);
    }
    let change = move_to(&mut quote, RevisionState::Ordered, QuoteEvent::Changed);
    let change = change.moving(0, quote.state.as_str(), QuoteState::Won.as_str());
    quote.state = QuoteState::Won;
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(true)
}

/// The order has ended: nothing is left to negotiate. False when the quote is not won or closed already.
pub async fn close(conn: &mut PgConnection, actor: &Actor, target: Target) -> QuoteResult<bool> {
    let (mut quote, now) = begin_on_any_revision(conn, actor, target).await?;
    if permit(quote.state, quote.revision.state, Command::Close).is_err() {
        return Ok(false);
    }
    let change = super::Change::of(QuoteEvent::Changed).moving(0, quote.state.as_str(), QuoteState::Closed.as_str());
    quote.state = QuoteState::Closed;
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(true)
}
