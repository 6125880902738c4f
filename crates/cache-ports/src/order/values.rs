//! The cached summary of an order.
//!
//! Owns the value types only. Must never hold what changes without a new version of the order, such as a task's attempts.

use chrono::{DateTime, Utc};
use kernel::{Currency, CustomerId, Money, OfferingId, OrderId, OrderItemId, Quantity, QuoteId, QuoteItemId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is shown of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The order.
    pub id: OrderId,
    /// The version of the order this shows.
    pub version: Version,
    /// The quote it came from.
    pub quote_id: QuoteId,
    /// The accepted revision of that quote.
    pub revision_no: u32,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The state of the order (TMF622).
    pub state: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was ordered.
    pub total: Money,
    /// What was given back: the exact negative of what was cancelled.
    pub credited: Money,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// The lines, in the order of the quote.
    pub items: Vec<OrderSummaryItem>,
    /// Whether invoicing has been asked for.
    pub invoice_handoff: InvoiceHandoff,
}

/// How the hand-off to invoicing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceHandoff {
    /// pending; requested; none, when the order ended before there was anything to invoice.
    pub state: String,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummaryItem {
    /// The line.
    pub id: OrderItemId,
    /// The line of the quote.
    pub quote_item_id: QuoteItemId,
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// The offering's id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What the offering was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Units ordered.
    pub quantity: Quantity,
    /// Units cancelled since.
    pub cancelled_quantity: Quantity,
    /// The state of the line (TMF622).
    pub state: String,
    /// The price of one unit.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub unit: Decimal,
    /// The price of the line.
    pub amount: Money,
}
