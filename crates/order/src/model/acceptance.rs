//! What the quote service says was accepted.

use cache_ports::pricing::{Period, PriceType};
use kernel::{ContentHash, Currency, CustomerId, Money, OfferingId, Quantity, QuoteId, QuoteItemId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What a customer accepted, as the quote service tells it: the right to one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    /// The quote.
    pub quote_id: QuoteId,
    /// The accepted revision.
    pub revision_no: u32,
    /// Whom it is for.
    #[serde(default)]
    pub customer_id: Option<CustomerId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// The sum of the lines.
    pub total: Money,
    /// The hash of the content.
    pub content_hash: ContentHash,
    /// The lines, in order.
    pub items: Vec<AcceptedItem>,
}

/// One accepted line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedItem {
    /// The line of the quote.
    pub item_id: QuoteItemId,
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// The id in the tenant's own system.
    #[serde(default)]
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Whether inventory counts it.
    pub stocked: bool,
    /// Units.
    pub quantity: Quantity,
    /// The unit price.
    #[serde(with = "rust_decimal::serde::str")]
    pub unit: Decimal,
    /// The price of the line.
    pub amount: Money,
    /// The kind of charge.
    pub price_type: PriceType,
    /// The period of a recurring charge.
    #[serde(default)]
    pub period: Option<Period>,
}
