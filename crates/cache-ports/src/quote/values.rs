//! The cached summary of a quote.
//!
//! Owns the value types only. Must never hold a customer's name or address: ids stand for people.

use chrono::{DateTime, Utc};
use kernel::{ContentHash, Currency, CustomerId, Money, PriceResultId, QuoteId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What a list or a header shows of a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteSummary {
    /// The quote.
    pub id: QuoteId,
    /// The version of the quote this shows.
    pub version: Version,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The state of the quote.
    pub state: String,
    /// The revision shown.
    pub revision_no: u32,
    /// The state of that revision.
    pub revision_state: String,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// Indicative, budgetary or firm.
    pub level: String,
    /// Lines of the revision.
    pub item_count: u32,
    /// Whether the lines changed since they were priced.
    pub price_stale: bool,
    /// What a decision is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// The sealed price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_result_id: Option<PriceResultId>,
    /// The sums of the sealed price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<QuoteTotals>,
    /// Until when it can be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The sums of a quote. `list` and `discount_percent` are for those who may see discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub discount_percent: Option<Decimal>,
}

/// The recurring charges of one period length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteRecurringTotal {
    /// The period.
    pub period: crate::catalog::RecurringPeriod,
    /// What falls due every period.
    pub amount: Money,
}
