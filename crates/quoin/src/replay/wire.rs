//! The parts of the API's answers a replay looks at. Everything else in them is ignored on purpose: new fields must not
//! break a reader that does not use them.

use kernel::{CustomerId, Money, OfferingId, OrderId, OrderItemId, PriceBookId, PublicationId, QuoteId};
use rust_decimal::Decimal;
use serde::Deserialize;
use uuid::Uuid;

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ActivePublication {
    #[serde(alias = "publicationId")]
    pub id: PublicationId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferingRow {
    pub id: OfferingId,
    pub external_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerRow {
    #[serde(alias = "customerId")]
    pub id: CustomerId,
    pub external_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct BookRow {
    pub id: PriceBookId,
}

/// A quote with its current revision.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    pub id: QuoteId,
    pub version: u64,
    pub current_revision: Revision,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    #[serde(rename = "revisionNo")]
    pub number: u32,
    pub state: String,
    pub content_hash: Option<String>,
    pub price_result_id: Option<Uuid>,
    #[serde(default)]
    pub price_stale: bool,
    #[serde(default)]
    pub items: Vec<QuoteItem>,
    pub approval: Option<serde_json::Value>,
}

impl Revision {
    /// Whether a sealed price belongs to the present items.
    pub const fn is_priced(&self) -> bool {
        self.price_result_id.is_some() && !self.price_stale
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteItem {
    pub id: Uuid,
    pub external_id: Option<String>,
    pub quantity: Decimal,
    pub adjustment: Option<serde_json::Value>,
}

/// A row of the list of quotes.
#[derive(Debug, Deserialize)]
pub struct QuoteRow {
    pub id: QuoteId,
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    pub id: OrderId,
    pub state: String,
    pub total: Money,
    #[serde(default)]
    pub items: Vec<OrderItem>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    pub id: OrderItemId,
    pub quote_item_id: Uuid,
}

/// A cancellation, as the task resource it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    pub id: Uuid,
    pub order_id: OrderId,
    pub state: String,
    pub credit_amount: Money,
}
