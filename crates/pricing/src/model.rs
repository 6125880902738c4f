//! The nouns of pricing: what is asked for, which price book answers, and what the engine makes of it.
//!
//! Owns the invariants of a request (bounded numbers, mandatory reasons). Must never know of SQL, HTTP or caches.

use cache_ports::pricing::{
    ApprovalInputs, Period, PriceBookEntry, PriceTotals, PriceType, PriceWarning, PricedItem, TraceStep,
};
use kernel::{
    ContentHash, Currency, CustomerId, Money, OfferingId, PriceBookId, PublicationId, Quantity, Rounding, Version,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Names the engine's arithmetic. Raised whenever the same inputs could give another result; a stored price that
/// replays differently under another engine version is explained by it, not accused.
pub const ENGINE_VERSION: &str = "quoin-pricing/1";

/// Most lines of one request.
pub const MAX_ITEMS: usize = 5_000;
/// Requests with more lines than this are computed on a thread of their own, so that they hold up no other request.
pub const MAX_INLINE_ITEMS: usize = 200;
/// Most entries of one price book version.
pub const MAX_ENTRIES: usize = 20_000;
/// Most tiers of one entry.
pub const MAX_TIERS: usize = 100;
/// Longest term, in months: ten years.
pub const MAX_TERM_MONTHS: u16 = 120;
/// Longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 500;
/// Most fractional digits of a unit price.
pub const UNIT_PRICE_DIGITS: u32 = 6;
/// Most fractional digits of a usage rate.
pub const RATE_DIGITS: u32 = 12;

/// A unit price: zero or more, below a billion, within the digits its kind of charge allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitPrice(#[serde(with = "rust_decimal::serde::str")] Decimal);

/// The number is not a unit price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a price is a decimal from 0 to 999999999 with at most {0} fractional digits")]
pub struct NotAUnitPrice(u32);

impl UnitPrice {
    const LIMIT: Decimal = Decimal::from_parts(999_999_999, 0, 0, false, 0);

    /// The price, when it has no more than `digits` fractional digits.
    pub fn parse(number: Decimal, digits: u32) -> Result<Self, NotAUnitPrice> {
        let number = number.normalize();
        let negative = number.is_sign_negative() && !number.is_zero();
        if negative || number > Self::LIMIT || number.scale() > digits {
            return Err(NotAUnitPrice(digits));
        }
        Ok(Self(number))
    }

    /// The number.
    pub const fn get(self) -> Decimal {
        self.0
    }
}

/// A percentage from 0 to 100 with at most six fractional digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(#[serde(with = "rust_decimal::serde::str")] Decimal);

/// The number is not a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a percentage is a decimal from 0 to 100 with at most 6 fractional digits")]
pub struct NotAPercentage;

impl Percent {
    /// The whole.
    pub const HUNDRED: Decimal = Decimal::ONE_HUNDRED;

    /// The percentage, when it is one.
    pub fn parse(number: Decimal) -> Result<Self, NotAPercentage> {
        let number = number.normalize();
        let negative = number.is_sign_negative() && !number.is_zero();
        if negative || number > Self::HUNDRED || number.scale() > 6 {
            return Err(NotAPercentage);
        }
        Ok(Self(number))
    }

    /// The number.
    pub const fn get(self) -> Decimal {
        self.0
    }
}

/// What a person did to the price of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "value")]
pub enum AdjustmentKind {
    /// Sets the price of one unit, whatever the book says.
    OverrideUnitPrice(UnitPrice),
    /// Takes a percentage off the line.
    DiscountPercent(Percent),
    /// Takes an amount off every unit.
    DiscountAmount(UnitPrice),
}

/// A manual change with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adjustment {
    /// The change.
    #[serde(flatten)]
    pub kind: AdjustmentKind,
    /// Why; never empty.
    pub reason: String,
    /// Which of the line's charges is meant, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_type: Option<PriceType>,
}

/// One line to be priced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestItem {
    /// The caller's name for the line; unique in the request.
    pub item_id: String,
    /// What is bought.
    pub offering_id: OfferingId,
    /// How much of it.
    pub quantity: Quantity,
    /// How much use is expected, for usage charges: a projection, in no total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_quantity: Option<Quantity>,
    /// A manual change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<Adjustment>,
}

/// A question to the engine, checked in itself: bounded, with unique lines and reasons where they are due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceRequest {
    /// The price book.
    pub price_book_id: PriceBookId,
    /// The publication the lines were configured in; identity only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication_id: Option<PublicationId>,
    /// The currency of the answer; must be the book's.
    pub currency: Currency,
    /// Who buys; identity only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// How long recurring charges run, for the contract value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_months: Option<u16>,
    /// The lines, in order.
    pub items: Vec<RequestItem>,
    /// A percentage off everything, after the lines' own changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_discount_percent: Option<Percent>,
}

impl PriceRequest {
    /// Whether a person changed a price by hand: only some roles may ask for that.
    pub fn has_manual_changes(&self) -> bool {
        self.document_discount_percent.is_some_and(|percent| !percent.get().is_zero())
            || self.items.iter().any(|item| item.adjustment.is_some())
    }

    /// The offerings asked for, each once.
    pub fn offerings(&self) -> Vec<OfferingId> {
        let mut offerings: Vec<_> = self.items.iter().map(|item| item.offering_id).collect();
        offerings.sort_unstable();
        offerings.dedup();
        offerings
    }
}

/// The pinned price book, without its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookTerms {
    /// The price book.
    pub id: PriceBookId,
    /// The version.
    pub version: Version,
    /// The hash of the version's content.
    pub content_hash: ContentHash,
    /// The currency of every price in it.
    pub currency: Currency,
    /// How half a minor unit is rounded.
    pub rounding: Rounding,
}

/// A price book as it was sent: checked, in canonical order, without a number yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceBookDraft {
    /// What it is called.
    pub name: String,
    /// The currency of every price in it.
    pub currency: Currency,
    /// How half a minor unit is rounded.
    pub rounding: Rounding,
    /// In canonical order.
    pub entries: Vec<PriceBookEntry>,
}

/// One charge of one item, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// The charge.
    #[serde(flatten)]
    pub item: PricedItem,
    /// The waterfall of the line.
    pub steps: Vec<TraceStep>,
}

/// Rounding evidence of the document discount for one group of charges that are totalled together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentDiscount {
    /// The kind of charge.
    pub price_type: PriceType,
    /// The period of recurring charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The sum the percentage is taken of.
    pub base: Money,
    /// The percentage.
    pub percent: Percent,
    /// Before rounding.
    #[serde(with = "rust_decimal::serde::str")]
    pub exact: Decimal,
    /// After rounding (R2); the shares of the lines sum to it.
    pub rounded: Money,
}

/// The engine's answer. A pure function of request, book terms, entries and the time that decides validity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Priced {
    /// Every charge, in the order of the request's items.
    pub components: Vec<Component>,
    /// The document discount, group by group.
    pub document_discounts: Vec<DocumentDiscount>,
    /// The sums.
    pub totals: PriceTotals,
    /// What decides about approval.
    pub approval_inputs: ApprovalInputs,
    /// What a seller should know.
    pub warnings: Vec<PriceWarning>,
}

/// One thing wrong with a request or a price book, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the body.
    pub pointer: String,
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl Violation {
    /// A violation at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}
