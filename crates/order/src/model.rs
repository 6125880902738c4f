//! The nouns of ordering: an order with its items, the plan that fulfils it, and cancellations as task resources (TMF622).
//!
//! Owns their shape and their names in SQL, events and JSON. Must never know how they are stored, sent or decided about.

use cache_ports::pricing::{Period, PriceType};
use chrono::{DateTime, Utc};
use kernel::{
    CancellationId, ContentHash, Currency, CustomerId, Money, OfferingId, OrderId, OrderItemId, Quantity, QuoteId,
    QuoteItemId, TaskId, Version,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest reason or error kept, in characters.
pub const MAX_TEXT: u64 = 2_000;

/// Enums whose names are the same in JSON, in SQL and in events.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }
    };
}

named! {
    /// Where an order stands (TMF622 v4). Always the roll-up of its items.
    OrderState {
        /// Taken in; nothing is reserved yet.
        Acknowledged = "acknowledged",
        /// Refused by a business check.
        Rejected = "rejected",
        /// Waits for something only people can supply.
        Pending = "pending",
        /// Being fulfilled.
        InProgress = "inProgress",
        /// A fulfilment task has fallen out.
        Held = "held",
        /// A cancellation is being looked at.
        AssessingCancellation = "assessingCancellation",
        /// A cancellation is being carried out.
        PendingCancellation = "pendingCancellation",
        /// Cancelled before it was complete.
        Cancelled = "cancelled",
        /// Everything was delivered.
        Completed = "completed",
        /// Nothing was delivered.
        Failed = "failed",
        /// Some items were delivered, others not.
        Partial = "partial",
    }
}

named! {
    /// Where an item stands (TMF622 v4).
    ItemState {
        /// Taken in.
        Acknowledged = "acknowledged",
        /// Refused by a business check.
        Rejected = "rejected",
        /// Waits for something only people can supply.
        Pending = "pending",
        /// Being fulfilled.
        InProgress = "inProgress",
        /// Its fulfilment task has fallen out.
        Held = "held",
        /// A cancellation is being looked at.
        AssessingCancellation = "assessingCancellation",
        /// A cancellation is being carried out.
        PendingCancellation = "pendingCancellation",
        /// Cancelled before it was delivered.
        Cancelled = "cancelled",
        /// Delivered.
        Completed = "completed",
        /// Could not be delivered.
        Failed = "failed",
    }
}

named! {
    /// What a fulfilment task does.
    TaskKind {
        /// Reserves stock in inventory.
        Reserve = "reserve",
        /// Commits the reservation and registers the installed products.
        Provision = "provision",
        /// Hands the order to invoicing.
        Handoff = "handoff",
        /// Carries out a cancellation.
        Cancel = "cancel",
    }
}

named! {
    /// Where a fulfilment task stands.
    TaskState {
        /// Waits for its predecessors.
        Planned = "planned",
        /// May be taken.
        Ready = "ready",
        /// Taken by a worker, under a lease.
        Locked = "locked",
        /// Failed; will be taken again.
        RetryWait = "retryWait",
        /// Failed for good: somebody has to look at it.
        Fallout = "fallout",
        /// Done.
        Completed = "completed",
        /// There was nothing to do.
        Skipped = "skipped",
        /// No longer wanted.
        Cancelled = "cancelled",
    }
}

named! {
    /// Where a cancellation stands (TMF622 task states).
    CancellationState {
        /// Taken in.
        Acknowledged = "acknowledged",
        /// Being carried out.
        InProgress = "inProgress",
        /// Carried out.
        Done = "done",
        /// Not carried out.
        TerminatedWithError = "terminatedWithError",
    }
}

named! {
    /// Whether invoicing has been asked for.
    HandoffState {
        /// Not yet.
        Pending = "pending",
        /// Yes.
        Requested = "requested",
        /// Never: the order ended before there was anything to invoice.
        None = "none",
    }
}

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
