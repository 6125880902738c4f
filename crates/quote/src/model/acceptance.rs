//! What a customer accepted.

use cache_ports::pricing::{Period, PriceType};
use chrono::{DateTime, Utc};
use kernel::{ContentHash, Currency, CustomerId, Money, OfferingId, PriceResultId, Quantity, QuoteId, QuoteItemId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Charge;

/// What was accepted: the right to one order, and the payload of `QuoteAccepted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    /// The quote.
    pub quote_id: QuoteId,
    /// The accepted revision.
    pub revision_no: u32,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// The contract value: the sum of the lines.
    pub total: Money,
    /// The hash the customer named.
    pub content_hash: ContentHash,
    /// The evidence of the price.
    pub price_result_id: PriceResultId,
    /// Who accepted.
    pub accepted_by: String,
    /// When, by the database's clock.
    pub accepted_at: DateTime<Utc>,
    /// The lines, in order.
    pub items: Vec<AcceptedItem>,
}

/// One accepted line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedItem {
    /// The line.
    pub item_id: QuoteItemId,
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Whether inventory counts it.
    pub stocked: bool,
    /// Units.
    pub quantity: Quantity,
    /// The unit price of the first charge.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub unit: Decimal,
    /// The sum of the line's charges without projected usage.
    pub amount: Money,
    /// The kind of the first charge.
    pub price_type: PriceType,
    /// The period of the first charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Every charge, where the line has more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<Charge>,
}
