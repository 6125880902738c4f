//! Items, tasks and cancellation lines between SQL and the model. They travel as JSON arrays in either direction: one
//! parameter, one round trip, however many. Decimals are strings in it, because JSON numbers would pass through a float.

use cache_ports::pricing::{Period, PriceType};
use kernel::{CancellationId, Currency, Money, OrderId, TaskId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::{OrderError, OrderResult},
    model::{CancellationItem, ItemState, OrderItem, Task, TaskKind, TaskState},
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ItemRow {
    item_id: Uuid,
    line_no: u32,
    quote_item_id: Uuid,
    offering_id: Uuid,
    external_id: Option<String>,
    name: String,
    stocked: bool,
    #[serde(with = "rust_decimal::serde::str")]
    quantity: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    cancelled_quantity: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    unit: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    amount: Decimal,
    price_type: PriceType,
    period: Option<Period>,
    state: ItemState,
}

impl From<&OrderItem> for ItemRow {
    fn from(item: &OrderItem) -> Self {
        Self {
            item_id: item.id.uuid(),
            line_no: item.line_no,
            quote_item_id: item.quote_item_id.uuid(),
            offering_id: item.offering_id.uuid(),
            external_id: item.external_id.clone(),
            name: item.name.clone(),
            stocked: item.stocked,
            quantity: item.quantity.get(),
            cancelled_quantity: item.cancelled_quantity.get(),
            unit: item.unit,
            amount: item.amount.amount(),
            price_type: item.price_type,
            period: item.period,
            state: item.state,
        }
    }
}

impl ItemRow {
    pub(super) fn into_item(self, currency: Currency) -> OrderResult<OrderItem> {
        let unreadable = |_| OrderError::Unreadable("quantity");
        Ok(OrderItem {
            id: self.item_id.into(),
            line_no: self.line_no,
            quote_item_id: self.quote_item_id.into(),
            offering_id: self.offering_id.into(),
            external_id: self.external_id,
            name: self.name,
            stocked: self.stocked,
            quantity: self.quantity.try_into().map_err(unreadable)?,
            cancelled_quantity: self.cancelled_quantity.try_into().map_err(unreadable)?,
            unit: self.unit,
            amount: Money::new(self.amount, currency)?,
            price_type: self.price_type,
            period: self.period,
            state: self.state,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TaskRow {
    task_id: TaskId,
    order_id: OrderId,
    kind: TaskKind,
    cancellation_id: Option<CancellationId>,
    depends_on: Vec<TaskId>,
    state: TaskState,
    attempt: u32,
    retries_left: i32,
    error: Option<String>,
}

impl From<&Task> for TaskRow {
    fn from(task: &Task) -> Self {
        Self {
            task_id: task.id,
            order_id: task.order_id,
            kind: task.kind,
            cancellation_id: task.cancellation_id,
            depends_on: task.depends_on.clone(),
            state: task.state,
            attempt: task.attempt,
            retries_left: task.retries_left,
            error: task.error.clone(),
        }
    }
}

impl From<TaskRow> for Task {
    fn from(row: TaskRow) -> Self {
        Self {
            id: row.task_id,
            order_id: row.order_id,
            kind: row.kind,
            cancellation_id: row.cancellation_id,
            depends_on: row.depends_on,
            state: row.state,
            attempt: row.attempt,
            retries_left: row.retries_left,
            error: row.error,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CancellationItemRow {
    item_id: Uuid,
    #[serde(with = "rust_decimal::serde::str")]
    quantity: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    credit: Decimal,
}

impl From<&CancellationItem> for CancellationItemRow {
    fn from(item: &CancellationItem) -> Self {
        Self { item_id: item.item_id.uuid(), quantity: item.quantity.get(), credit: item.credit.amount() }
    }
}

impl CancellationItemRow {
    pub(super) fn into_item(self, currency: Currency) -> OrderResult<CancellationItem> {
        Ok(CancellationItem {
            item_id: self.item_id.into(),
            quantity: self.quantity.try_into().map_err(|_| OrderError::Unreadable("quantity"))?,
            credit: Money::new(self.credit, currency)?,
        })
    }
}

/// Rows as one JSON array.
pub(super) fn to_json<'a, T: 'a, R: Serialize + From<&'a T>>(items: &'a [T]) -> OrderResult<serde_json::Value> {
    let rows: Vec<R> = items.iter().map(R::from).collect();
    serde_json::to_value(rows).map_err(|_| OrderError::Unreadable("row"))
}
