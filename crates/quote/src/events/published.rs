//! Published facts: their names and payloads.

use chrono::{DateTime, Utc};
use events::{EventType, Guard, NewEvent, PublishedEvent, UnwritablePayload};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    commands::Actor,
    model::{Acceptance, Customer, Quote, QuoteHeader},
};

/// The aggregate type of a quote.
pub(super) const QUOTE: &str = "quote";

/// The payload of every event of a quote but `QuoteAccepted`: the state after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    const fn event_type(self) -> EventType<QuoteFact> {
        match self {
            Self::Changed => CHANGED,
            Self::Submitted => SUBMITTED,
            Self::Approved => APPROVED,
            Self::Rejected => REJECTED,
            Self::Presented => PRESENTED,
            Self::Expired => EXPIRED,
        }
    }
}

/// The event type that carries an [`Acceptance`].
pub const QUOTE_ACCEPTED: &str = "QuoteAccepted";
/// The event type that carries a customer.
pub(super) const CUSTOMER_CHANGED: &str = "CustomerChanged";

const CHANGED: EventType<QuoteFact> = of_a_quote(
    "QuoteChanged",
    "A quote was created, edited, priced, recalled, declined, revised, ordered, lost, cancelled or closed.",
);
const SUBMITTED: EventType<QuoteFact> = of_a_quote(
    "QuoteSubmitted",
    "A revision was frozen: it waits for approval, or is approved where no rule wanted any.",
);
const APPROVED: EventType<QuoteFact> = of_a_quote("QuoteApproved", "A person approved a revision.");
const REJECTED: EventType<QuoteFact> = of_a_quote("QuoteRejected", "A person sent a revision back.");
const PRESENTED: EventType<QuoteFact> = of_a_quote("QuotePresented", "A revision is on offer.");
const EXPIRED: EventType<QuoteFact> = of_a_quote("QuoteExpired", "An offer ended unanswered.");
const ACCEPTED: EventType<Acceptance> = EventType::new(
    QUOTE_ACCEPTED,
    QUOTE,
    Guard::EveryOnce,
    "A customer accepted an offer: the right to one order, with everything an order needs.",
);
const CUSTOMER: EventType<Customer> =
    EventType::new(CUSTOMER_CHANGED, "customer", Guard::StateCarrying, "A customer is new or changed.");

const fn of_a_quote(name: &'static str, meaning: &'static str) -> EventType<QuoteFact> {
    EventType::new(name, QUOTE, Guard::StateCarrying, meaning)
}

/// Everything published about quotes and customers.
pub(super) fn published_events() -> Vec<PublishedEvent> {
    let quotes = [CHANGED, SUBMITTED, APPROVED, REJECTED, PRESENTED, EXPIRED];
    let mut all: Vec<PublishedEvent> = quotes.iter().map(EventType::published).collect();
    all.extend([ACCEPTED.published(), CUSTOMER.published()]);
    all
}

/// The event of the version `quote` has now.
pub fn quote_event(
    actor: &Actor,
    quote: &Quote,
    event: QuoteEvent,
    also_changed: Vec<u32>,
    reason: Option<&str>,
) -> Result<NewEvent, UnwritablePayload> {
    let fact = QuoteFact { header: quote.header(), also_changed, reason: reason.map(str::to_owned) };
    Ok(actor.sign(event.event_type().fact(&actor.tenant, quote.id, quote.version, &fact, quote.updated_at)?))
}

/// The event of the version in which `quote` was accepted.
pub fn quote_accepted(actor: &Actor, quote: &Quote, acceptance: &Acceptance) -> Result<NewEvent, UnwritablePayload> {
    Ok(actor.sign(ACCEPTED.fact(&actor.tenant, quote.id, quote.version, acceptance, acceptance.accepted_at)?))
}

/// The event of the version `customer` has now.
pub fn customer_changed(actor: &Actor, customer: &Customer, at: DateTime<Utc>) -> Result<NewEvent, UnwritablePayload> {
    Ok(actor.sign(CUSTOMER.fact(&actor.tenant, customer.id, customer.version, customer, at)?))
}
