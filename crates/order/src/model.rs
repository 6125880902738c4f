//! The nouns of ordering: an order with its items, the plan that fulfils it, and cancellations as task resources (TMF622).
//!
//! Owns their shape and their names in SQL, events and JSON. Must never know how they are stored, sent or decided about.

mod acceptance;
mod states;

use cache_ports::pricing::{Period, PriceType};
use chrono::{DateTime, Utc};
use kernel::{
    CancellationId, ContentHash, Currency, CustomerId, Money, OfferingId, OrderId, OrderItemId, Quantity, QuoteId,
    QuoteItemId, TaskId, Version,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use acceptance::{Acceptance, AcceptedItem};
pub use states::{CancellationState, FulfillmentResult, HandoffState, ItemState, OrderState, TaskKind, TaskState};

/// Longest reason or error kept, in characters.
pub const MAX_TEXT: u64 = 2_000;

/// An order with its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order.
    pub id: OrderId,
    /// Counts every change of the order and its items.
    pub version: Version,
    /// The quote it was made from.
    pub quote_id: QuoteId,
    /// The accepted revision.
    pub revision_no: u32,
    /// Whom it is for.
    pub customer_id: Option<CustomerId>,
    /// Where it stands.
    pub state: OrderState,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was ordered.
    pub total: Money,
    /// What was given back: zero or less.
    pub credited: Money,
    /// The hash of the content the customer accepted.
    pub content_hash: ContentHash,
    /// Whether invoicing has been asked for.
    pub invoice_handoff: HandoffState,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was completed.
    pub completed_at: Option<DateTime<Utc>>,
    /// The items, in the order of the quote.
    pub items: Vec<OrderItem>,
}

/// What lists and events say about an order: without its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderHeader {
    /// The order.
    pub id: OrderId,
    /// Counts every change of the order and its items.
    pub version: Version,
    /// The quote it was made from.
    pub quote_id: QuoteId,
    /// The accepted revision.
    pub revision_no: u32,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// Where it stands.
    pub state: OrderState,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was ordered.
    pub total: Money,
    /// What was given back: the exact negative of what was cancelled.
    pub credited: Money,
    /// Whether invoicing has been asked for.
    pub invoice_handoff: HandoffState,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
}

/// A line of the order list: an order with what other services know of it. Made from events, and therefore a little late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedOrder {
    /// The order.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// What its customer is called; nothing until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// How many items it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_count: Option<u32>,
}

impl Order {
    /// The order without its items.
    pub fn header(&self) -> OrderHeader {
        OrderHeader {
            id: self.id,
            version: self.version,
            quote_id: self.quote_id,
            revision_no: self.revision_no,
            customer_id: self.customer_id,
            state: self.state,
            currency: self.currency,
            total: self.total,
            credited: self.credited,
            invoice_handoff: self.invoice_handoff,
            created_at: self.created_at,
            updated_at: self.updated_at,
            completed_at: self.completed_at,
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderItem {
    /// The item.
    pub id: OrderItemId,
    /// Position, from 1.
    pub line_no: u32,
    /// The line of the quote.
    pub quote_item_id: QuoteItemId,
    /// The catalog's offering; inventory calls it the product.
    pub offering_id: OfferingId,
    /// The id in the tenant's own system.
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Whether inventory counts it.
    pub stocked: bool,
    /// Units ordered.
    pub quantity: Quantity,
    /// Units cancelled since.
    pub cancelled_quantity: Quantity,
    /// The unit price.
    pub unit: Decimal,
    /// The price of the line.
    pub amount: Money,
    /// The kind of charge.
    pub price_type: PriceType,
    /// The period of a recurring charge.
    pub period: Option<Period>,
    /// Where it stands.
    pub state: ItemState,
}

/// One node of an order's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The task; follows from the order, so a plan made twice is the same plan.
    pub id: TaskId,
    /// The order.
    pub order_id: OrderId,
    /// What it does.
    pub kind: TaskKind,
    /// The cancellation it carries out.
    pub cancellation_id: Option<CancellationId>,
    /// Tasks that must be over before.
    pub depends_on: Vec<TaskId>,
    /// Where it stands.
    pub state: TaskState,
    /// How often it was taken: the fencing token of whoever holds it.
    pub attempt: u32,
    /// How often it may still be taken.
    pub retries_left: i32,
    /// Why it failed last.
    pub error: Option<String>,
}

/// A request to cancel an order, or quantities of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// The request.
    pub id: CancellationId,
    /// The order.
    pub order_id: OrderId,
    /// The id in the tenant's own system; unique per order.
    pub external_id: Option<String>,
    /// Where it stands.
    pub state: CancellationState,
    /// Why.
    pub reason: String,
    /// Everything that is left, or some quantities.
    pub whole: bool,
    /// What is given back: zero or less.
    pub credit: Money,
    /// Why it was not carried out.
    pub error: Option<String>,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Which quantities of which items.
    pub items: Vec<CancellationItem>,
}

/// One line of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancellationItem {
    /// The item.
    pub item_id: OrderItemId,
    /// Units.
    pub quantity: Quantity,
    /// What is given back for them: zero or less.
    pub credit: Money,
}
