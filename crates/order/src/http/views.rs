//! The JSON of orders, their tasks and cancellations, as clients see it.

use cache_ports::order::OrderSummary;
use chrono::{DateTime, Utc};
use kernel::{CancellationId, Money, OrderId, OrderItemId, Quantity, TaskId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Cancellation, CancellationItem, CancellationState, Task, TaskKind, TaskState};

/// An order with its tasks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub struct OrderView {
    /// The order itself.
    #[serde(flatten)]
    pub order: OrderSummary,
    /// The tasks that fulfil it, first to last, then those that cancel.
    pub tasks: Vec<TaskView>,
}

/// One task of an order's plan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderTask)]
pub struct TaskView {
    /// The task.
    id: TaskId,
    /// What it does.
    kind: TaskKind,
    /// Where it stands.
    state: TaskState,
    /// How often it was taken.
    attempts: u32,
    /// Tasks that must be over before.
    depends_on: Vec<TaskId>,
    /// Why it failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            kind: task.kind,
            state: task.state,
            attempts: task.attempt,
            depends_on: task.depends_on,
            error: task.error,
        }
    }
}

/// An order and its tasks as one answer.
pub fn order_view(order: OrderSummary, tasks: Vec<Task>) -> OrderView {
    OrderView { order, tasks: tasks.into_iter().map(Into::into).collect() }
}

/// A cancellation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderCancellation)]
pub struct CancellationView {
    /// The request.
    id: CancellationId,
    /// The order.
    order_id: OrderId,
    /// The id in the tenant's own system.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// Where it stands.
    state: CancellationState,
    /// Why it was asked for.
    reason: String,
    /// What is given back: the exact negative of what is cancelled.
    credit_amount: Money,
    /// Which quantities of which items.
    items: Vec<CancellationItemView>,
    /// Why it was not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Who asked.
    requested_by: String,
    /// When.
    requested_at: DateTime<Utc>,
}

/// One line of a cancellation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderCancellationItem)]
pub struct CancellationItemView {
    /// The item.
    order_item_id: OrderItemId,
    /// Units.
    quantity: Quantity,
    /// What is given back for them.
    credit_amount: Money,
}

impl From<CancellationItem> for CancellationItemView {
    fn from(line: CancellationItem) -> Self {
        Self { order_item_id: line.item_id, quantity: line.quantity, credit_amount: line.credit }
    }
}

impl From<Cancellation> for CancellationView {
    fn from(cancellation: Cancellation) -> Self {
        Self {
            id: cancellation.id,
            order_id: cancellation.order_id,
            external_id: cancellation.external_id,
            state: cancellation.state,
            reason: cancellation.reason,
            credit_amount: cancellation.credit,
            items: cancellation.items.into_iter().map(Into::into).collect(),
            error: cancellation.error,
            requested_by: cancellation.requested_by,
            requested_at: cancellation.requested_at,
        }
    }
}

/// The cancellations of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cancellations {
    /// Oldest first.
    pub items: Vec<CancellationView>,
}

/// The path of an order.
pub fn location(order: OrderId) -> String {
    format!("/{}/v1/orders/{order}", crate::SERVICE)
}
