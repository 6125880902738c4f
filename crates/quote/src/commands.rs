//! What changes a quote: one function a command, over a connection whose transaction the caller begins and commits.
//!
//! Every command goes the same way: lock → read → compare the version → ask the rules → store → append the event. Nothing
//! here reads a cache, and nothing calls another service while a row is locked.

mod access;
mod decide;
mod draft;
mod edits;
mod eligibility;
mod negotiate;
mod offer;
mod price;
mod register;
mod settle;

use chrono::{DateTime, Utc};
use events::{NewEvent, Outbox};
use kernel::{EventId, QuoteId, TenantId, Version};
use service_runtime::auth::{Caller, Role, Roles};
use sqlx::PgConnection;

use crate::{
    error::{QuoteError, QuoteResult},
    events::{QuoteEvent, quote_event},
    model::Quote,
    rules::transitions::{Command, permit},
    store::quotes::{self, Moved, Note},
};

pub use access::{NewAccessPolicy, SubjectAccess, put_access_policy, restore_access, revoke_access};
pub use decide::{Decision, approve, recall, reject, submit};
pub use draft::{AdjustmentChange, ItemChange, NewItem, NewQuote, add_item, change_item, create_quote, remove_item};
pub use edits::{Edits, apply_edits};
pub use eligibility::{NewPolicy, put_policy};
pub use negotiate::{cancel, decline, lose, request_changes, revise, unable_to_provide};
pub use offer::{accept, expire, present};
pub use price::{Priced, prepare_price, record_price};
pub use register::{ImportedCustomer, NewCustomer, Outcome, import_customers};
pub use settle::{close, mark_ordered};

/// The service's outbox.
pub const OUTBOX: Outbox = Outbox::of("quote");

/// On whose behalf a command runs, and what caused it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant, from the verified token or the event's envelope.
    pub tenant: TenantId,
    /// Who.
    pub subject: String,
    /// What he is in this tenant.
    pub roles: Roles,
    /// Ties together everything one request caused.
    pub correlation_id: Option<String>,
    /// The event the command reacts to.
    pub causation_id: Option<EventId>,
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self {
            tenant: caller.tenant.clone(),
            subject: caller.subject.to_string(),
            roles: caller.roles,
            correlation_id: Some(caller.correlation_id.clone()),
            causation_id: None,
        }
    }
}

impl Actor {
    /// The service itself, in `tenant`.
    pub fn service(tenant: TenantId) -> Self {
        Self {
            tenant,
            subject: "service:quote".to_owned(),
            roles: Roles::from(Role::System),
            correlation_id: None,
            causation_id: None,
        }
    }

    /// Whether the actor works for the seller: may change prices by hand.
    fn sells(&self) -> bool {
        self.roles.contains_any(&[Role::SalesRep, Role::DealDesk, Role::System, Role::TenantAdmin])
    }

    /// The event with what it was caused by.
    pub(crate) fn sign(&self, mut event: NewEvent) -> NewEvent {
        event.correlation_id.clone_from(&self.correlation_id);
        event.causation_id = self.causation_id;
        event
    }
}

/// Which revision a command is about, and the version the caller has seen.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The quote.
    pub quote_id: QuoteId,
    /// The revision; nothing means the current one.
    pub revision_no: Option<u32>,
    /// From If-Match, where it was sent.
    pub expected: Option<Version>,
}

/// Locks the quote and checks that `command` may be applied to the targeted revision now. Answers it with the database's
/// time, taken after the lock was granted.
async fn begin(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    command: Command,
) -> QuoteResult<(Quote, DateTime<Utc>)> {
    let (quote, now) = begin_on_any_revision(conn, actor, target).await?;
    if quote.revision.no != quote.current_revision_no {
        return Err(QuoteError::NotCurrentRevision { current: quote.current_revision_no });
    }
    permit(quote.state, quote.revision.state, command).map_err(QuoteError::IllegalTransition)?;
    Ok((quote, now))
}

async fn begin_on_any_revision(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
) -> QuoteResult<(Quote, DateTime<Utc>)> {
    if !quotes::lock_quote(conn, &actor.tenant, target.quote_id).await? {
        return Err(QuoteError::NotFound("quote"));
    }
    let found = quotes::quote_with_revision(conn, &actor.tenant, target.quote_id, target.revision_no).await?;
    let (quote, now) = found.ok_or(QuoteError::NotFound("revision"))?;
    check_version(&quote, target.expected)?;
    Ok((quote, now))
}

fn check_version(quote: &Quote, expected: Option<Version>) -> QuoteResult<()> {
    match expected {
        Some(expected) if expected != quote.version => Err(QuoteError::VersionChanged { current: quote.version }),
        _ => Ok(()),
    }
}

/// One change about to be written: the moves it makes, the event it is, what was said.
struct Change<'a> {
    moved: Vec<Moved>,
    event: QuoteEvent,
    also_changed: Vec<u32>,
    reason: Option<&'a str>,
}

impl<'a> Change<'a> {
    fn of(event: QuoteEvent) -> Self {
        Self { moved: Vec::new(), event, also_changed: Vec::new(), reason: None }
    }

    fn because(mut self, reason: Option<&'a str>) -> Self {
        self.reason = reason;
        self
    }

    fn moving(mut self, revision_no: u32, from: &'static str, to: &'static str) -> Self {
        self.moved.push(Moved { revision_no, from, to });
        self
    }
}

/// Writes the quote as its next version, with history and event.
async fn finish(
    conn: &mut PgConnection,
    actor: &Actor,
    quote: &mut Quote,
    change: Change<'_>,
    at: DateTime<Utc>,
) -> QuoteResult<()> {
    let note = Note { actor: &actor.subject, reason: change.reason, at };
    quotes::save_quote(conn, &actor.tenant, quote, &change.moved, note).await?;
    let event = quote_event(actor, quote, change.event, change.also_changed, change.reason)?;
    OUTBOX.append(conn, &[event]).await?;
    Ok(())
}
