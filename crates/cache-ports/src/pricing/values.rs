//! What the pricing service keeps in caches: price books, previews, and copies of sealed prices.
//!
//! Owns the cached value types, which are also pricing's vocabulary. Must never know how a value is loaded or computed.

use chrono::{DateTime, Utc};
use kernel::{
    ContentHash, Currency, Money, OfferingId, PriceBookId, PriceResultId, Quantity, QuoteId, Rounding, Version,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crate::catalog::{OfferingPriceType as PriceType, PeriodUnit, RecurringPeriod as Period};

/// How the tiers of an entry turn a quantity into a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum QuantityModel {
    /// All units at the price of the tier the quantity falls into.
    Volume,
    /// Each slice of the quantity at its own tier's price.
    Graduated,
    /// One price for the block that contains the quantity; never multiplied.
    Block,
    /// Whole packages of a fixed size, at the price of the tier the quantity falls into.
    Package,
}

/// One step of a price: covers quantities above the previous tier's bound up to and including its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tier {
    /// The upper bound, inclusive; absent on the last tier, which is open.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kernel::decimal_text::option")]
    #[schema(value_type = Option<kernel::DecimalText>)]
    pub up_to: Option<Decimal>,
    /// The price of one unit, of one package, or of the block.
    #[serde(with = "kernel::decimal_text")]
    #[schema(value_type = kernel::DecimalText)]
    pub unit_price: Decimal,
    /// Added once when the tier is reached (volume, package) or entered (graduated).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kernel::decimal_text::option")]
    #[schema(value_type = Option<kernel::DecimalText>)]
    pub flat: Option<Decimal>,
}

/// What one offering costs: one kind of charge, for the time in which it is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceBookEntry {
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// The kind of charge.
    pub price_type: PriceType,
    /// The period of a recurring charge; absent for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// How the tiers are read.
    pub model: QuantityModel,
    /// Units in a package; only for that model.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kernel::decimal_text::option")]
    #[schema(value_type = Option<kernel::DecimalText>)]
    pub package_size: Option<Decimal>,
    /// In ascending order; the last is open.
    pub tiers: Vec<Tier>,
    /// The first moment at which it holds; absent means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// The first moment at which it no longer holds; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<DateTime<Utc>>,
}

/// One version of a price book: immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceBookDocument {
    /// The price book.
    pub id: PriceBookId,
    /// The id in the tenant's own system.
    pub external_id: String,
    /// What it is called.
    pub name: String,
    /// The currency of every price in it.
    pub currency: Currency,
    /// How half a minor unit is rounded in prices made from it.
    pub rounding: Rounding,
    /// The version.
    pub version: Version,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// In ascending order of offering, so that one offering's entries stand together.
    pub entries: Vec<PriceBookEntry>,
}

/// The terms by which usage will be charged once it is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateCard {
    /// How the tiers are read.
    pub model: QuantityModel,
    /// Units in a package; only for that model.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    pub package_size: Option<Decimal>,
    /// In ascending order; the last is open.
    pub tiers: Vec<Tier>,
}

/// One charge of one item. Amounts are whole minor units; unit prices may carry more digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PricedItem {
    /// The caller's name for the line.
    pub item_id: String,
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// Units charged.
    pub quantity: Quantity,
    /// The kind of charge.
    pub price_type: PriceType,
    /// The period of a recurring charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The price of one unit by the book, before manual changes.
    #[serde(with = "rust_decimal::serde::str")]
    pub list_unit: Decimal,
    /// The price of one unit after manual changes, before the document discount.
    #[serde(with = "rust_decimal::serde::str")]
    pub unit: Decimal,
    /// Whether a unit price was cut to six digits for display; the amounts come from the exact ones.
    pub unit_rounded: bool,
    /// The charge by the book.
    pub list_amount: Money,
    /// This line's share of the document discount.
    pub document_discount: Money,
    /// What is charged: once, per period, or (usage) for the projected quantity.
    pub amount: Money,
    /// How far `amount` lies below `list_amount`, in percent to four digits; negative for a mark-up.
    #[serde(with = "rust_decimal::serde::str")]
    pub discount_percent: Decimal,
    /// Whether a unit price was set by hand.
    pub overridden: bool,
    /// Whether the price book had no entry, so that the price set by hand is the only one.
    pub custom: bool,
    /// The rates of a usage charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_card: Option<RateCard>,
}

/// The recurring charges of one period length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecurringTotal {
    /// The period.
    pub period: Period,
    /// What falls due every period.
    pub amount: Money,
    /// How many periods the contract value counts.
    pub periods: u32,
}

/// Sums of rounded lines. One-time, recurring and usage charges stay apart; `list` and `net` are contract values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceTotals {
    /// The contract value by the book: one-time charges and the recurring ones of all periods counted.
    pub list: Money,
    /// The contract value as charged.
    pub net: Money,
    /// The one-time charges as charged.
    pub one_time: Money,
    /// The recurring charges as charged, shortest period first.
    pub recurring: Vec<RecurringTotal>,
    /// What the projected usage would cost; in no other total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_projection: Option<Money>,
    /// How far `net` lies below `list`, in percent to four digits; negative for a mark-up.
    #[serde(with = "rust_decimal::serde::str")]
    pub discount_percent: Decimal,
}

/// Something a seller should know about a price that was computed all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceWarning {
    /// Stable name.
    pub code: String,
    /// JSON pointer into the request.
    pub pointer: String,
    /// For people.
    pub detail: String,
}

/// A computed price that was not kept: no evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PricePreview {
    /// When it was computed.
    pub calculated_at: DateTime<Utc>,
    /// From when on it must not be shown.
    pub expires_at: DateTime<Utc>,
    /// Always false: only a final price is evidence.
    pub evidence: bool,
    /// The hash of items and totals: equal inputs give equal hashes.
    pub result_hash: ContentHash,
    /// The version of the price book it was made from.
    pub price_book_version: Version,
    /// The sums.
    pub totals: PriceTotals,
    /// The lines.
    pub items: Vec<PricedItem>,
    /// What a seller should know.
    pub warnings: Vec<PriceWarning>,
}

/// What decides whether a price needs approval. Percentages are rounded up, so that no discount hides below a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalInputs {
    /// The deepest discount of a line, zero when none is below list.
    #[serde(with = "rust_decimal::serde::str")]
    pub max_line_discount_percent: Decimal,
    /// The discount of the contract value, zero when it is not below list.
    #[serde(with = "rust_decimal::serde::str")]
    pub total_discount_percent: Decimal,
    /// Lines whose unit price was set by hand.
    pub overrides: u32,
}

/// One step of the waterfall for one line, in exact numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceStep {
    /// The step's number in the waterfall.
    pub step: u8,
    /// What was applied, with its operands.
    pub rule: String,
    /// The line's amount before.
    #[serde(with = "rust_decimal::serde::str")]
    pub input: Decimal,
    /// The line's amount after.
    #[serde(with = "rust_decimal::serde::str")]
    pub output: Decimal,
    /// Why a person asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A copy of a sealed price, for display. Whoever shows it removes what the reader may not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalPriceDisplay {
    /// The sealed price.
    pub price_result_id: PriceResultId,
    /// The quote it was made for.
    pub quote_id: QuoteId,
    /// The revision of the quote.
    pub revision_no: u32,
    /// When it was sealed, by the database's clock.
    pub sealed_at: DateTime<Utc>,
    /// The price book.
    pub price_book_id: PriceBookId,
    /// The version of the price book.
    pub price_book_version: Version,
    /// The engine that computed it.
    pub engine_version: String,
    /// The hash of everything the engine was given.
    pub input_hash: ContentHash,
    /// The hash of everything it answered.
    pub result_hash: ContentHash,
    /// The hash that chains it to the tenant's previous sealed price.
    pub chain_hash: ContentHash,
    /// The sums.
    pub totals: PriceTotals,
    /// The lines.
    pub items: Vec<PricedItem>,
    /// What decides about approval.
    pub approval_inputs: ApprovalInputs,
    /// For each line, in the order of `items`, how its amount came about; for internal roles only.
    pub trace: Vec<Vec<TraceStep>>,
}
