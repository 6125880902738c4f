//! What changes an order: one function a command, over a connection whose transaction the caller begins and commits.
//!
//! Every command goes the same way: lock → read → compare the version → ask the rules → store → append the event. Nothing
//! here reads a cache, and nothing calls another service while a row is locked.

mod cancel;
mod create;
mod outcome;
mod retry;

use chrono::{DateTime, Utc};
use events::{Envelope, NewEvent, Outbox};
use kernel::{EventId, OrderId, TenantId, Version};
use service_runtime::auth::Caller;
use sqlx::PgConnection;

use crate::{
    error::{OrderError, OrderResult},
    events::state_changed,
    model::{HandoffState, ItemState, Order, OrderState, Task},
    rules::rollup::order_state,
    store::orders::{self, Note},
};

pub use cancel::{NewCancellation, request_cancellation};
pub use create::{Created, create_order};
pub use outcome::{Outcome, record_outcome};
pub use retry::retry_task;

/// The service's outbox.
pub const OUTBOX: Outbox = Outbox::of(crate::SERVICE);

/// On whose behalf a command runs, and what caused it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant, from the verified token or the event's envelope.
    pub tenant: TenantId,
    /// Who.
    pub subject: String,
    /// Ties together everything one request caused.
    pub correlation_id: Option<String>,
    /// The event the command reacts to.
    pub causation_id: Option<EventId>,
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self {
            tenant: caller.tenant.clone(),
            subject: caller.subject.to_string(),
            correlation_id: Some(caller.correlation_id.clone()),
            causation_id: None,
        }
    }
}

impl Actor {
    /// The service itself, because of an event.
    pub fn reacting_to(event: &Envelope) -> Self {
        Self {
            tenant: event.tenant.clone(),
            subject: format!("service:{}", crate::SERVICE),
            correlation_id: event.correlation_id.clone(),
            causation_id: Some(event.id),
        }
    }

    /// The event with what it was caused by.
    pub(crate) fn sign(&self, mut event: NewEvent) -> NewEvent {
        event.correlation_id.clone_from(&self.correlation_id);
        event.causation_id = self.causation_id;
        event
    }
}

/// An order under its lock, and the database's time of reading.
struct Locked {
    order: Order,
    tasks: Vec<Task>,
    now: DateTime<Utc>,
}

async fn lock(
    conn: &mut PgConnection,
    actor: &Actor,
    order: OrderId,
    expected: Option<Version>,
) -> OrderResult<Locked> {
    if !orders::lock_order(conn, &actor.tenant, order).await? {
        return Err(OrderError::NotFound("order"));
    }
    let found = orders::order_with_tasks(conn, &actor.tenant, order).await?;
    let (order, tasks, now) = found.ok_or(OrderError::NotFound("order"))?;
    match expected {
        Some(expected) if expected != order.version => Err(OrderError::VersionChanged { current: order.version }),
        _ => Ok(Locked { order, tasks, now }),
    }
}

/// Moves the items that are in one of `from`, and the order with them; true when something moved.
fn move_items(order: &mut Order, from: &[ItemState], to: ItemState, now: DateTime<Utc>) -> bool {
    let mut moved = false;
    for item in order.items.iter_mut().filter(|item| from.contains(&item.state)) {
        item.state = to;
        moved = true;
    }
    roll_up(order, now);
    moved
}

/// The order's own fields follow from its items.
fn roll_up(order: &mut Order, now: DateTime<Utc>) {
    let states: Vec<ItemState> = order.items.iter().map(|item| item.state).collect();
    order.state = order_state(&states);
    if order.state == OrderState::Completed && order.completed_at.is_none() {
        order.completed_at = Some(now);
    }
    let nothing_to_invoice = matches!(order.state, OrderState::Cancelled | OrderState::Rejected | OrderState::Failed);
    if nothing_to_invoice && order.invoice_handoff == HandoffState::Pending {
        order.invoice_handoff = HandoffState::None;
    }
}

/// Writes the order as its next version with history and `OrderStateChanged`.
async fn save_move(
    conn: &mut PgConnection,
    actor: &Actor,
    order: &mut Order,
    from: OrderState,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> OrderResult<()> {
    let note = Note { actor: &actor.subject, reason, at: now };
    orders::save_order(conn, &actor.tenant, order, from, note).await?;
    OUTBOX.append(conn, &[state_changed(actor, order, from)?]).await?;
    Ok(())
}
