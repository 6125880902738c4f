//! The cached form of a quote, which is also what the quote service answers on the wire.
//!
//! Owns the value types only. Must never hold a customer's name or address: ids stand for people.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::{
    ApprovalId, ContentHash, Currency, CustomerId, Money, OfferingId, PriceBookId, PriceResultId, PublicationId,
    Quantity, QuoteId, QuoteItemId, Version,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    catalog::CharacteristicValue,
    pricing::{Period, PriceType},
};

/// A quote with one of its revisions, complete: whoever shows it removes what the reader may not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Quote)]
pub struct QuoteSummary {
    /// The quote.
    pub id: QuoteId,
    /// Counts every change of the quote, its revisions and their lines.
    pub version: Version,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Where the negotiation stands: open, won, lost, cancelled, closed.
    pub state: String,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// Where prices come from.
    pub price_book_id: PriceBookId,
    /// What the offerings are; pinned when the first price is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication_id: Option<PublicationId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// How binding it is: indicative, budgetary, firm.
    pub level: String,
    /// How many days an offer stands unless said otherwise.
    pub valid_for_days: u16,
    /// The newest revision.
    pub current_revision_no: u32,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The revision asked for: the newest one unless another was named.
    pub current_revision: RevisionSummary,
}

/// One numbered offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuoteRevision)]
pub struct RevisionSummary {
    /// From 1.
    pub revision_no: u32,
    /// Where it stands.
    pub state: String,
    /// What approval and acceptance are bound to; set when submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// The evidence of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_result_id: Option<PriceResultId>,
    /// No price was taken, or the lines changed since.
    pub price_stale: bool,
    /// The sums of the sealed price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<QuoteTotals>,
    /// Until when the offer stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// The lines, in order.
    pub items: Vec<ItemSummary>,
    /// The latest request for approval; for those who may see discounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalSummary>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuoteItem)]
pub struct ItemSummary {
    /// The same in every revision.
    pub id: QuoteItemId,
    /// Position, from 1.
    pub line_no: u32,
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// The id in the tenant's own system; known once the line was priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What it is called; known once the line was priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether inventory counts it; known once the line was priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stocked: Option<bool>,
    /// Units.
    pub quantity: Quantity,
    /// Chosen characteristics, by name.
    pub characteristics: BTreeMap<String, CharacteristicValue>,
    /// A price changed by hand; for those who may see discounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<Adjustment>,
    /// The first charge's unit price by the book; for those who may see discounts.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    #[schema(value_type = Option<String>)]
    pub list_unit: Option<Decimal>,
    /// The first charge's unit price.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    #[schema(value_type = Option<String>)]
    pub unit: Option<Decimal>,
    /// The sum of the charges without projected usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Every charge of the sealed price.
    pub charges: Vec<Charge>,
}

/// How a line's price is changed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AdjustmentKind {
    /// This unit price instead of the book's.
    OverrideUnitPrice,
    /// Percent off the line.
    DiscountPercent,
    /// Amount off the line.
    DiscountAmount,
}

/// A manual change of a line's price; pricing computes it, the quote only carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adjustment {
    /// What is changed.
    pub kind: AdjustmentKind,
    /// By how much, as a decimal string.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "12.5")]
    pub value: Decimal,
    /// Why; kept as evidence.
    pub reason: String,
}

/// One charge of a line, copied from the sealed price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuoteCharge)]
pub struct Charge {
    /// One-time, recurring or usage.
    pub price_type: PriceType,
    /// The period of a recurring charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The unit price by the book; for those who may see discounts.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    #[schema(value_type = Option<String>)]
    pub list_unit: Option<Decimal>,
    /// The unit price charged.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub unit: Decimal,
    /// What is charged, in whole minor units.
    pub amount: Money,
    /// Whether the unit price was set by hand.
    pub overridden: bool,
}

/// The sums of a quote. `list` and `discount_percent` are for those who may see discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuoteTotals {
    /// The contract value as charged.
    pub net: Money,
    /// The one-time charges.
    pub one_time: Money,
    /// The recurring charges, one entry a period length.
    pub recurring: Vec<QuoteRecurringTotal>,
    /// The contract value by the book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Money>,
    /// How far `net` lies below `list`, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    #[schema(value_type = Option<String>)]
    pub discount_percent: Option<Decimal>,
}

/// The recurring charges of one period length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuoteRecurringTotal {
    /// The period.
    pub period: Period,
    /// What falls due every period.
    pub amount: Money,
}

/// A request for approval of one revision, bound to its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuoteApproval)]
pub struct ApprovalSummary {
    /// The request.
    pub id: ApprovalId,
    /// Where it stands: pending, approved, rejected, recalled, invalidated.
    pub state: String,
    /// Which rules asked for it.
    pub reasons: Vec<ApprovalReason>,
    /// Who submitted.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A rule that fired: its limit and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalReason {
    /// Stable name of the rule.
    pub rule: String,
    /// The limit, in percent.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub limit: Decimal,
    /// What the price has, in percent.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub actual: Decimal,
}
