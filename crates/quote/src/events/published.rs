//! Published facts: their names and payloads.

use chrono::{DateTime, Utc};
use events::{NewEvent, UnwritablePayload};
use serde::{Deserialize, Serialize};

use crate::{
    commands::Actor,
    model::{Acceptance, Customer, Quote, QuoteHeader},
};

/// The aggregate type of a quote.
pub(super) const QUOTE: &str = "quote";

/// The payload of every event of a quote but `QuoteAccepted`: the state after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteFact {
    /// The quote with the revision the change is about.
    #[serde(flatten)]
    pub header: QuoteHeader,
    /// Further revisions the change touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_changed: Vec<u32>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happened to a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteEvent {
    /// Created, edited, priced, recalled, declined, revised, ordered, lost, cancelled or closed.
    Changed,
    /// Frozen: in approval, or approved where no rule wanted one.
    Submitted,
    /// Approved by a person.
    Approved,
    /// Sent back by a person.
    Rejected,
    /// Put on offer.
    Presented,
    /// The offer ended unanswered.
    Expired,
}

impl QuoteEvent {
    /// The event's type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "QuoteChanged",
            Self::Submitted => "QuoteSubmitted",
            Self::Approved => "QuoteApproved",
            Self::Rejected => "QuoteRejected",
            Self::Presented => "QuotePresented",
            Self::Expired => "QuoteExpired",
        }
    }
}

/// The event type that carries an [`Acceptance`].
pub const QUOTE_ACCEPTED: &str = "QuoteAccepted";

/// The event of the version `quote` has now.
pub fn quote_event(
    actor: &Actor,
    quote: &Quote,
    event: QuoteEvent,
    also_changed: Vec<u32>,
    reason: Option<&str>,
) -> Result<NewEvent, UnwritablePayload> {
    let fact = QuoteFact { header: quote.header(), also_changed, reason: reason.map(str::to_owned) };
    let made = NewEvent::new(&actor.tenant, QUOTE, quote.id, quote.version, event.name(), &fact, quote.updated_at)?;
    Ok(actor.sign(made))
}

/// The event of the version in which `quote` was accepted.
pub fn quote_accepted(actor: &Actor, quote: &Quote, acceptance: &Acceptance) -> Result<NewEvent, UnwritablePayload> {
    let at = acceptance.accepted_at;
    let made = NewEvent::new(&actor.tenant, QUOTE, quote.id, quote.version, QUOTE_ACCEPTED, acceptance, at)?;
    Ok(actor.sign(made))
}

/// The event type that carries a customer.
pub(super) const CUSTOMER_CHANGED: &str = "CustomerChanged";

/// The event of the version `customer` has now.
pub fn customer_changed(actor: &Actor, customer: &Customer, at: DateTime<Utc>) -> Result<NewEvent, UnwritablePayload> {
    let (id, version) = (customer.id, customer.version);
    Ok(actor.sign(NewEvent::new(&actor.tenant, "customer", id, version, CUSTOMER_CHANGED, customer, at)?))
}
