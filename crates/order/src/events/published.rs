//! Published facts: their names and payloads.

use cache_ports::order::{InvoiceHandoff, OrderSummary, OrderSummaryItem};
use chrono::{DateTime, Utc};
use events::{EventType, Guard, NewEvent, PublishedEvent, UnwritablePayload};
use kernel::{CancellationId, Currency, CustomerId, Money, OrderId, OrderItemId, Quantity, QuoteId, TaskId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    commands::Actor,
    model::{Cancellation, CancellationItem, FulfillmentResult, Order, OrderHeader, OrderItem, OrderState, TaskKind},
};

/// The aggregate type of an order.
const ORDER: &str = "order";
/// The aggregate type of a fulfilment task; its versions count its results.
const TASK: &str = "task";
/// The aggregate type of a cancellation; it has one version, when it is done.
const CANCELLATION: &str = "cancellation";

/// The payload of `OrderStateChanged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateChange {
    /// The order after the change.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// The state before.
    pub from: OrderState,
    /// The state after.
    pub to: OrderState,
}

/// The payload of `OrderCancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledFact {
    /// The order after the change.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// The state before.
    pub from: OrderState,
    /// The request that was carried out.
    pub cancellation_id: CancellationId,
    /// What is given back: zero or less.
    pub credit: Money,
    /// Why.
    pub reason: String,
    /// Which quantities of which items.
    pub items: Vec<CancelledItem>,
}

/// One line of a cancellation that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledItem {
    /// The item.
    pub order_item_id: OrderItemId,
    /// Units.
    pub quantity: Quantity,
    /// What is given back for them.
    pub credit: Money,
}

/// The payload of `InvoiceHandoffRequested`: what billing needs to write the invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handoff {
    /// The order.
    pub order_id: OrderId,
    /// The quote it was made from.
    pub quote_id: QuoteId,
    /// The accepted revision.
    pub revision_no: u32,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The currency.
    pub currency: Currency,
    /// What was ordered.
    pub amount: Money,
    /// Credits given already: zero or less.
    pub credited: Money,
    /// The lines.
    pub items: Vec<OrderSummaryItem>,
}

/// The payload of `FulfillmentResultRecorded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedResult {
    /// The task.
    pub id: TaskId,
    /// The order it belongs to.
    pub order_id: OrderId,
    /// The version of the order with this result.
    pub order_version: Version,
    /// What the task does.
    pub kind: TaskKind,
    /// The cancellation it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_id: Option<CancellationId>,
    /// How often the task had been taken.
    pub attempt: u32,
    /// How it ended.
    pub result: FulfillmentResult,
    /// Why it fell out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The payload of `CompensationCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compensation {
    /// The cancellation.
    pub id: CancellationId,
    /// The order.
    pub order_id: OrderId,
    /// The version of the order with this compensation.
    pub order_version: Version,
    /// Everything that was left, or some quantities.
    pub whole: bool,
    /// What was given back: zero or less.
    pub credit: Money,
    /// Which quantities of which items.
    pub items: Vec<CancelledItem>,
}

const ORDER_CREATED: EventType<OrderSummary> = EventType::new(
    "OrderCreated",
    ORDER,
    Guard::StateCarrying,
    "An accepted quote has become an order: the whole order.",
);
const ORDER_STATE_CHANGED: EventType<StateChange> = EventType::new(
    "OrderStateChanged",
    ORDER,
    Guard::StateCarrying,
    "An order moved to another state: its header, and where it came from.",
);
const ORDER_CANCELLED: EventType<CancelledFact> = EventType::new(
    "OrderCancelled",
    ORDER,
    Guard::EveryOnce,
    "A cancellation of an order, or of some quantities, was carried out, its compensation included: the header, and what is \
     given back. Whoever adds up credits must see each one.",
);
const INVOICE_HANDOFF_REQUESTED: EventType<Handoff> = EventType::new(
    "InvoiceHandoffRequested",
    ORDER,
    Guard::EveryOnce,
    "An order is to be invoiced: what billing needs to write the invoice.",
);
const FULFILLMENT_RESULT_RECORDED: EventType<RecordedResult> = EventType::new(
    "FulfillmentResultRecorded",
    TASK,
    Guard::StateCarrying,
    "A fulfilment task of an order ended: done, with nothing to do, or fallen out so that somebody has to look at it. Attempts that \
     are repeated are not told.",
);
const COMPENSATION_COMPLETED: EventType<Compensation> = EventType::new(
    "CompensationCompleted",
    CANCELLATION,
    Guard::EveryOnce,
    "Everything a cancellation had to undo is undone: promised stock is released, goods are back, the credit stands in the order.",
);

/// Everything the order service publishes.
pub fn published_events() -> Vec<PublishedEvent> {
    vec![
        ORDER_CREATED.published(),
        ORDER_STATE_CHANGED.published(),
        ORDER_CANCELLED.published(),
        INVOICE_HANDOFF_REQUESTED.published(),
        FULFILLMENT_RESULT_RECORDED.published(),
        COMPENSATION_COMPLETED.published(),
    ]
}

/// `OrderCreated`: the whole order.
pub fn order_created(actor: &Actor, order: &Order) -> Result<NewEvent, UnwritablePayload> {
    event(actor, order, &ORDER_CREATED, &summary_of(order))
}

/// `OrderStateChanged`: from which state it came.
pub fn state_changed(actor: &Actor, order: &Order, from: OrderState) -> Result<NewEvent, UnwritablePayload> {
    event(actor, order, &ORDER_STATE_CHANGED, &StateChange { header: order.header(), from, to: order.state })
}

/// `OrderCancelled`: a cancellation was carried out, of the order or of some quantities.
pub fn order_cancelled(
    actor: &Actor,
    order: &Order,
    from: OrderState,
    request: &Cancellation,
) -> Result<NewEvent, UnwritablePayload> {
    let fact = CancelledFact {
        header: order.header(),
        from,
        cancellation_id: request.id,
        credit: request.credit,
        reason: request.reason.clone(),
        items: cancelled_items(request),
    };
    event(actor, order, &ORDER_CANCELLED, &fact)
}

fn cancelled_items(request: &Cancellation) -> Vec<CancelledItem> {
    let item = |line: &CancellationItem| CancelledItem {
        order_item_id: line.item_id,
        quantity: line.quantity,
        credit: line.credit,
    };
    request.items.iter().map(item).collect()
}

/// `InvoiceHandoffRequested`: what is to be invoiced.
pub fn handoff_requested(actor: &Actor, order: &Order) -> Result<NewEvent, UnwritablePayload> {
    let handoff = Handoff {
        order_id: order.id,
        quote_id: order.quote_id,
        revision_no: order.revision_no,
        customer_id: order.customer_id,
        currency: order.currency,
        amount: order.total,
        credited: order.credited,
        items: order.items.iter().map(summary_item).collect(),
    };
    event(actor, order, &INVOICE_HANDOFF_REQUESTED, &handoff)
}

/// `FulfillmentResultRecorded`: the `number`th result of a task, counted from 1.
pub fn result_recorded(
    actor: &Actor,
    recorded: &RecordedResult,
    number: Version,
    at: DateTime<Utc>,
) -> Result<NewEvent, UnwritablePayload> {
    let fact = FULFILLMENT_RESULT_RECORDED.fact(&actor.tenant, recorded.id, number, recorded, at)?;
    Ok(actor.sign(fact))
}

/// `CompensationCompleted`: what a cancellation had to undo is undone, with this version of the order.
pub fn compensation_completed(
    actor: &Actor,
    order: &Order,
    request: &Cancellation,
) -> Result<NewEvent, UnwritablePayload> {
    let done = Compensation {
        id: request.id,
        order_id: order.id,
        order_version: order.version,
        whole: request.whole,
        credit: request.credit,
        items: cancelled_items(request),
    };
    let fact = COMPENSATION_COMPLETED.fact(&actor.tenant, request.id, Version::FIRST, &done, order.updated_at)?;
    Ok(actor.sign(fact))
}

fn event<P: Serialize + ToSchema>(
    actor: &Actor,
    order: &Order,
    event_type: &EventType<P>,
    payload: &P,
) -> Result<NewEvent, UnwritablePayload> {
    Ok(actor.sign(event_type.fact(&actor.tenant, order.id, order.version, payload, order.updated_at)?))
}

/// The order as it is cached and shown; its tasks are not part of it, because they change without a new version.
pub fn summary_of(order: &Order) -> OrderSummary {
    OrderSummary {
        id: order.id,
        version: order.version,
        quote_id: order.quote_id,
        revision_no: order.revision_no,
        customer_id: order.customer_id,
        state: order.state.as_str().to_owned(),
        currency: order.currency,
        total: order.total,
        credited: order.credited,
        created_at: order.created_at,
        completed_at: order.completed_at,
        items: order.items.iter().map(summary_item).collect(),
        invoice_handoff: InvoiceHandoff { state: order.invoice_handoff.as_str().to_owned() },
    }
}

fn summary_item(item: &OrderItem) -> OrderSummaryItem {
    OrderSummaryItem {
        id: item.id,
        quote_item_id: item.quote_item_id,
        offering_id: item.offering_id,
        external_id: item.external_id.clone(),
        name: Some(item.name.clone()),
        quantity: item.quantity,
        cancelled_quantity: item.cancelled_quantity,
        state: item.state.as_str().to_owned(),
        unit: item.unit,
        amount: item.amount,
    }
}
