//! What the order service publishes, and what it does about other people's facts.
//!
//! Published (topic [`TOPIC`], one event per version of an order): `OrderCreated` carries the whole order,
//! `OrderStateChanged` and `OrderCancelled` its header and what changed, `InvoiceHandoffRequested` what is to be invoiced.
//! Tasks and cancellations have versions of their own: `FulfillmentResultRecorded` for each result of a task,
//! `CompensationCompleted` when a cancellation has undone everything.
//!
//! Reactions: [`OrderAccepted`] makes the order of an accepted quote, by the same command as `POST /orders`;
//! [`DropWorkflow`] drops the cached picture of an order's plan after the order's own events.
//!
//! Projection: [`OrderList`] puts orders and the names of their customers into the order list.

mod invalidation;
mod order_list;
mod published;
mod reactions;

pub use invalidation::DropWorkflow;
pub use order_list::OrderList;
pub use published::{
    RecordedResult, compensation_completed, handoff_requested, order_cancelled, order_created, published_events,
    result_recorded, state_changed, summary_of,
};
pub use reactions::OrderAccepted;

/// Where the order service's facts are published.
pub const TOPIC: &str = "quoin.order.v1";

/// The quote service's facts.
const QUOTE_TOPIC: &str = "quoin.quote.v1";
