//! The offer to the customer: present, accept, expire. The database's clock decides whether an offer still stands.

use chrono::TimeDelta;
use kernel::ContentHash;
use sqlx::PgConnection;

use super::{
    Actor, Change, OUTBOX, Target, begin, begin_on_any_revision,
    decide::{move_to, verified_hash},
    eligibility::check_eligible,
    finish,
};
use crate::{
    error::{QuoteError, QuoteResult},
    events::{QuoteEvent, quote_accepted},
    model::{Level, Quote, RevisionState},
    rules::{
        content,
        transitions::{Command, permit},
    },
    store::{
        decisions,
        quotes::{self, Moved, Note},
    },
};

/// Puts the revision on offer; an older offer of this quote is superseded.
pub async fn present(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    valid_for_days: Option<u16>,
) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Present).await?;
    verified_hash(&quote)?;
    let superseded = quotes::supersede_offers(conn, &actor.tenant, quote.id, quote.revision.no, now).await?;
    let days = valid_for_days.unwrap_or(quote.valid_for_days);
    quote.revision.valid_until = Some(now + TimeDelta::days(i64::from(days)));
    let mut change = move_to(&mut quote, RevisionState::Presented, QuoteEvent::Presented);
    for no in &superseded {
        change = change.moving(*no, RevisionState::Presented.as_str(), RevisionState::Superseded.as_str());
    }
    change.also_changed = superseded;
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(quote)
}

/// The customer agrees to exactly the named content, while the offer stands. Happens at most once per quote: the lock, the
/// state machine and the key of the acceptance each guarantee it.
pub async fn accept(conn: &mut PgConnection, actor: &Actor, target: Target, named: ContentHash) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Accept).await?;
    let valid_until = quote.revision.valid_until.ok_or(QuoteError::Unreadable("validity"))?;
    if now > valid_until {
        return Err(QuoteError::OfferExpired { valid_until });
    }
    if quote.level != Level::Firm {
        return Err(QuoteError::NotFirm(quote.level));
    }
    if verified_hash(&quote)? != named {
        return Err(QuoteError::ContentChanged);
    }
    check_eligible(conn, actor, &quote, now).await?;
    let acceptance =
        content::acceptance(&quote, &actor.subject, now).ok_or(QuoteError::Unreadable("accepted content"))?;
    decisions::insert_acceptance(conn, &actor.tenant, &acceptance).await?;
    let from = std::mem::replace(&mut quote.revision.state, RevisionState::Accepted);
    let moved = Moved { revision_no: quote.revision.no, from: from.as_str(), to: RevisionState::Accepted.as_str() };
    let note = Note { actor: &actor.subject, reason: None, at: now };
    quotes::save_quote(conn, &actor.tenant, &mut quote, &[moved], note).await?;
    OUTBOX.append(conn, &[quote_accepted(actor, &quote, &acceptance)?]).await?;
    Ok(quote)
}

/// Notes that an offer has ended unanswered; false when it was answered meanwhile or still stands. It only tells the
/// others: an overdue offer cannot be accepted whether or not this ever ran.
pub async fn expire(conn: &mut PgConnection, actor: &Actor, target: Target) -> QuoteResult<bool> {
    let (mut quote, now) = begin_on_any_revision(conn, actor, target).await?;
    let overdue = quote.revision.valid_until.is_some_and(|end| now > end);
    if !overdue || permit(quote.state, quote.revision.state, Command::Expire).is_err() {
        return Ok(false);
    }
    let change: Change<'_> = move_to(&mut quote, RevisionState::Expired, QuoteEvent::Expired);
    finish(conn, actor, &mut quote, change, now).await?;
    Ok(true)
}
