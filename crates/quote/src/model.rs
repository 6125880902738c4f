//! The nouns of quoting: a quote is a negotiation, a container of numbered revisions, each with lines and a price.
//!
//! Owns their shape and their names in SQL, events and JSON. Must never know how they are stored, sent or decided about.

mod acceptance;
mod access;
mod eligibility;
mod states;

use std::collections::BTreeMap;

use cache_ports::{catalog::CharacteristicValue, pricing::ApprovalInputs};
use chrono::{DateTime, NaiveDate, Utc};
use kernel::{
    ApprovalId, ContentHash, Currency, CustomerId, Money, OfferingId, OrderId, PriceBookId, PriceResultId,
    PublicationId, Quantity, QuoteId, QuoteItemId, Version,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use acceptance::{Acceptance, AcceptedItem};
pub use access::{
    AccessPolicy, InvalidSubject, MAX_SUBJECT, MAX_SUBJECT_GRANTS, Revocation, RoleGrant, Subject, SubjectGrant,
};
pub use cache_ports::quote::{Adjustment, AdjustmentKind, ApprovalReason, Charge, QuoteTotals};
pub use eligibility::{
    CustomerAttributes, CustomerCondition, EligibilityPolicy, EligibilityRule, MAX_ASKED, MAX_MONTHS,
    MAX_RULE_OFFERINGS, MAX_RULE_WORDS, MAX_RULES, Otherwise, RuleEffect,
};
pub use states::{ApprovalState, Level, QuoteState, RevisionState};

/// Most lines of one revision: an order reserves them at once, which inventory takes up to this many of, and the acceptance
/// is one event.
pub const MAX_ITEMS: usize = 1_000;
/// Longest validity of an offer, in days.
pub const MAX_VALID_DAYS: u16 = 365;
/// Longest name, comment or reason a client may send, in characters.
pub const MAX_TEXT: u64 = 2_000;
/// Most characteristics of one line.
pub const MAX_CHARACTERISTICS: usize = 100;

/// What the catalog says about a line's offering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedOffering {
    /// The id in the tenant's own system.
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Whether inventory counts it.
    pub stocked: bool,
}

/// One line of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The same in every revision.
    pub id: QuoteItemId,
    /// Position, from 1; gaps are left by removed lines.
    pub line_no: u32,
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// What the catalog says about it; nothing while nobody has asked.
    pub resolved: Option<ResolvedOffering>,
    /// Units, more than zero.
    pub quantity: Quantity,
    /// Chosen characteristics, name to value.
    pub characteristics: Characteristics,
    /// A price changed by hand.
    pub adjustment: Option<Adjustment>,
    /// The charges of the sealed price; empty while unpriced.
    pub charges: Vec<Charge>,
    /// Their sum without projected usage.
    pub amount: Option<Money>,
}

/// Chosen characteristics, by name.
pub type Characteristics = BTreeMap<String, CharacteristicValue>;

/// One numbered offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// From 1.
    pub no: u32,
    /// Where it stands.
    pub state: RevisionState,
    /// Who changed the draft: none of them may approve it.
    pub editors: Vec<String>,
    /// No price was taken, or the lines changed since.
    pub price_stale: bool,
    /// The sealed price.
    pub price: Option<SealedPrice>,
    /// The hash of what the customer would agree to; set when submitted.
    pub content_hash: Option<ContentHash>,
    /// Until when the offer stands.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// The lines, in order.
    pub items: Vec<Item>,
}

/// What the quote keeps of a sealed price; the evidence itself stays with pricing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPrice {
    /// The evidence.
    pub result_id: PriceResultId,
    /// Pricing's hash over the evidence.
    pub result_hash: ContentHash,
    /// The sums.
    pub totals: QuoteTotals,
    /// What decides about approval.
    pub approval_inputs: ApprovalInputs,
}

/// A quote with one of its revisions: what commands work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The quote.
    pub id: QuoteId,
    /// Counts every change of the quote, its revisions and their lines.
    pub version: Version,
    /// The id in the tenant's own system.
    pub external_id: Option<String>,
    /// Where the negotiation stands.
    pub state: QuoteState,
    /// Whom it is for.
    pub customer_id: Option<CustomerId>,
    /// Where prices come from.
    pub price_book_id: PriceBookId,
    /// What the offerings are; pinned when the first price is taken.
    pub publication_id: Option<PublicationId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// How binding it is.
    pub level: Level,
    /// How long an offer stands unless said otherwise.
    pub valid_for_days: u16,
    /// The newest revision.
    pub current_revision_no: u32,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The revision at hand.
    pub revision: Revision,
    /// The revision's latest request for approval.
    pub approval: Option<Approval>,
}

/// What lists and events say about a quote: without its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuoteHeader {
    /// The quote.
    pub id: QuoteId,
    /// Counts every change of the quote, its revisions and their lines.
    pub version: Version,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Where the negotiation stands.
    pub state: QuoteState,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// How binding it is.
    pub level: Level,
    /// The revision this is about.
    pub revision_no: u32,
    /// Where that revision stands.
    pub revision_state: RevisionState,
    /// No price was taken, or the lines changed since.
    pub price_stale: bool,
    /// The hash of the frozen content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// The evidence of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_result_id: Option<PriceResultId>,
    /// The sums of the sealed price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<QuoteTotals>,
    /// Until when the offer stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// How many lines it has.
    pub item_count: u32,
    /// When the quote was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A line of the quote list: a quote with what is known of it elsewhere. Made from events, and therefore a little late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedQuote {
    /// The quote with its current revision.
    #[serde(flatten)]
    pub header: QuoteHeader,
    /// What its customer is called; nothing until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// The order that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Where that order stands, in the order service's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_state: Option<String>,
}

impl Quote {
    /// The quote without its lines.
    pub fn header(&self) -> QuoteHeader {
        let revision = &self.revision;
        QuoteHeader {
            id: self.id,
            version: self.version,
            external_id: self.external_id.clone(),
            state: self.state,
            customer_id: self.customer_id,
            currency: self.currency,
            level: self.level,
            revision_no: revision.no,
            revision_state: revision.state,
            price_stale: revision.price_stale,
            content_hash: revision.content_hash,
            price_result_id: revision.price.as_ref().map(|price| price.result_id),
            totals: revision.price.as_ref().map(|price| price.totals.clone()),
            valid_until: revision.valid_until,
            item_count: u32::try_from(revision.items.len()).unwrap_or(u32::MAX),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// A request for approval of one revision, bound to its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The request.
    pub id: ApprovalId,
    /// Where it stands.
    pub state: ApprovalState,
    /// The content it is about.
    pub content_hash: ContentHash,
    /// Which rules asked for it.
    pub reasons: Vec<ApprovalReason>,
    /// Who submitted.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// What was said.
    pub comment: Option<String>,
}

/// Whom quotes are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// The customer.
    pub id: CustomerId,
    /// Counts every change.
    pub version: Version,
    /// The id in the tenant's own system.
    pub external_id: String,
    /// What the customer is called.
    pub name: String,
    /// ISO 3166 code, or the name the source system uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The market segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Since when, by the tenant's own books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_since: Option<NaiveDate>,
}
