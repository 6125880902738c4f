//! Cancellation as a task resource: asked for, begun, carried out by a task, finished.
//!
//! Before an order is complete its plan is stopped and everything is undone; quantities of single items wait until it is
//! complete. Afterwards goods come back. Either way the credit is the exact negative of what was cancelled.

use chrono::{DateTime, Utc};
use kernel::{CancellationId, Money, OrderId, Quantity, Version};
use sqlx::PgConnection;

use super::{Actor, Locked, OUTBOX, lock, move_items, save_move};
use crate::{
    error::{OrderError, OrderResult},
    events::{compensation_completed, order_cancelled},
    model::{
        Cancellation, CancellationItem, CancellationState, ItemState, Order, OrderState, Task, TaskKind, TaskState,
    },
    rules::{
        cancellation::{Wanted, lines, whole},
        plan::{cancel_task, task_id},
    },
    store::{
        cancellations::{self, asked},
        orders::{self, Note},
        tasks,
    },
};

/// A cancellation to be asked for.
#[derive(Debug, Clone)]
pub struct NewCancellation {
    /// The order.
    pub order_id: OrderId,
    /// The version the caller has seen.
    pub expected: Option<Version>,
    /// The id in the tenant's own system.
    pub external_id: Option<String>,
    /// Why.
    pub reason: String,
    /// Which quantities; nothing means everything that is left.
    pub items: Option<Vec<Wanted>>,
}

/// Asks for a cancellation, or finds the one with this external id. Answers whether it was made now.
pub async fn request_cancellation(
    conn: &mut PgConnection,
    actor: &Actor,
    new: NewCancellation,
    task_retries: u32,
) -> OrderResult<(Cancellation, bool)> {
    let mut locked = lock(conn, actor, new.order_id, new.expected).await?;
    let mut earlier = cancellations::cancellations_of(conn, &actor.tenant, new.order_id).await?;
    if let Some(known) = new.external_id.as_ref().and_then(|id| with_external_id(&earlier, id)) {
        return Ok((known, false));
    }
    check_possible(&locked.order, &earlier)?;
    if new.items.is_none() && !locked.order.state.has_ended() {
        terminate_waiting(conn, actor, &mut earlier).await?;
    }
    let mut request = drawn_up(&locked, &earlier, new, actor)?;
    cancellations::insert_cancellation(conn, &actor.tenant, &request).await?;
    let begins = begins_at_once(&locked.order, request.whole);
    let after = if begins { None } else { Some(waits_for(&locked.order, request.whole)) };
    let depends_on = after.into_iter().map(|kind| task_id(locked.order.id, kind, None)).collect();
    tasks::insert_task(conn, &actor.tenant, &cancel_task(locked.order.id, request.id, depends_on, task_retries))
        .await?;
    if begins {
        begin(conn, actor, &mut locked, request.id).await?;
        request.state = CancellationState::InProgress;
    }
    Ok((request, true))
}

fn with_external_id(earlier: &[Cancellation], external_id: &str) -> Option<Cancellation> {
    earlier.iter().find(|known| known.external_id.as_deref() == Some(external_id)).cloned()
}

fn check_possible(order: &Order, earlier: &[Cancellation]) -> OrderResult<()> {
    let alive = |known: &&Cancellation| {
        known.whole && matches!(known.state, CancellationState::Acknowledged | CancellationState::InProgress)
    };
    if let Some(existing) = earlier.iter().find(alive) {
        return Err(OrderError::AlreadyCancelling { existing: existing.id });
    }
    match order.state {
        OrderState::Cancelled | OrderState::Rejected | OrderState::Failed => {
            Err(OrderError::IllegalTransition { state: order.state.as_str(), allowed: Vec::new() })
        }
        _ => Ok(()),
    }
}

/// Cancelling everything takes the place of requests for single quantities that have not begun.
async fn terminate_waiting(conn: &mut PgConnection, actor: &Actor, earlier: &mut [Cancellation]) -> OrderResult<()> {
    for waiting in earlier.iter_mut().filter(|known| known.state == CancellationState::Acknowledged) {
        let (from, to) = (CancellationState::Acknowledged, CancellationState::TerminatedWithError);
        let why = Some("the whole order was cancelled instead");
        cancellations::move_cancellation(conn, &actor.tenant, waiting.id, from, to, why).await?;
        waiting.state = to;
    }
    Ok(())
}

fn drawn_up(
    locked: &Locked,
    earlier: &[Cancellation],
    new: NewCancellation,
    actor: &Actor,
) -> OrderResult<Cancellation> {
    let order = &locked.order;
    let taken = |item| asked(earlier, item);
    let items: Vec<CancellationItem> = match &new.items {
        Some(wanted) => lines(order, wanted, taken).map_err(OrderError::Invalid)?,
        None => whole(order, taken),
    };
    if items.is_empty() {
        return Err(OrderError::NothingLeft(order.state));
    }
    Ok(Cancellation {
        id: CancellationId::generate(),
        order_id: order.id,
        external_id: new.external_id,
        state: CancellationState::Acknowledged,
        reason: new.reason,
        whole: new.items.is_none(),
        credit: Money::sum(items.iter().map(|item| item.credit), order.currency)?,
        error: None,
        requested_by: actor.subject.clone(),
        requested_at: locked.now,
        items,
    })
}

/// An order that is complete takes goods back at any time; one under way can be stopped as a whole, once it is past its
/// intake.
fn begins_at_once(order: &Order, whole: bool) -> bool {
    order.state.has_ended() || (whole && order.state != OrderState::Acknowledged)
}

/// The task after which a request that cannot begin yet does.
fn waits_for(order: &Order, whole: bool) -> TaskKind {
    if whole && order.state == OrderState::Acknowledged { TaskKind::Reserve } else { TaskKind::Provision }
}

/// Begins a cancellation whose time has come with the outcome of another task.
pub(super) async fn begin_parked(
    conn: &mut PgConnection,
    actor: &Actor,
    locked: &mut Locked,
    task: Task,
) -> OrderResult<()> {
    match task.cancellation_id {
        Some(cancellation) => begin(conn, actor, locked, cancellation).await,
        None => Ok(()),
    }
}

/// Stops what is not yet done of an order under way. Of an order that has ended nothing is stopped.
async fn begin(
    conn: &mut PgConnection,
    actor: &Actor,
    locked: &mut Locked,
    cancellation: CancellationId,
) -> OrderResult<()> {
    let (from, to) = (CancellationState::Acknowledged, CancellationState::InProgress);
    cancellations::move_cancellation(conn, &actor.tenant, cancellation, from, to, None).await?;
    if locked.order.state.has_ended() {
        return Ok(());
    }
    let stopped = tasks::cancel_open_tasks(conn, &actor.tenant, locked.order.id, cancellation).await?;
    for task in locked.tasks.iter_mut().filter(|task| stopped.contains(&task.id)) {
        task.state = TaskState::Cancelled;
    }
    let before = locked.order.state;
    let from = [ItemState::InProgress, ItemState::Pending, ItemState::Held];
    move_items(&mut locked.order, &from, ItemState::AssessingCancellation, locked.now);
    save_move(conn, actor, &mut locked.order, before, None, locked.now).await
}

/// Writes down what a carried-out cancellation has changed.
pub(super) async fn finish(
    conn: &mut PgConnection,
    actor: &Actor,
    locked: &mut Locked,
    id: CancellationId,
) -> OrderResult<()> {
    let all = cancellations::cancellations_of(conn, &actor.tenant, locked.order.id).await?;
    let request = all.into_iter().find(|known| known.id == id).ok_or(OrderError::NotFound("cancellation"))?;
    let (now, order) = (locked.now, &mut locked.order);
    if order.state == OrderState::AssessingCancellation {
        let before = order.state;
        move_items(order, &[ItemState::AssessingCancellation], ItemState::PendingCancellation, now);
        save_move(conn, actor, order, before, Some(&request.reason), now).await?;
    }
    let before = order.state;
    take_off(order, &request, now)?;
    let note = Note { actor: &actor.subject, reason: Some(&request.reason), at: now };
    orders::save_order(conn, &actor.tenant, order, before, note).await?;
    let facts = [order_cancelled(actor, order, before, &request)?, compensation_completed(actor, order, &request)?];
    OUTBOX.append(conn, &facts).await?;
    close(conn, actor, &request).await
}

/// Takes the cancelled quantities and their credit off the order; an order under way ends with them.
fn take_off(order: &mut Order, request: &Cancellation, now: DateTime<Utc>) -> OrderResult<()> {
    for line in &request.items {
        for item in order.items.iter_mut().filter(|item| item.id == line.item_id) {
            let cancelled = item.cancelled_quantity.get() + line.quantity.get();
            item.cancelled_quantity =
                Quantity::try_from(cancelled).map_err(|_| OrderError::Unreadable("cancelled quantity"))?;
        }
    }
    order.credited = order.credited.plus(request.credit)?;
    move_items(order, &[ItemState::PendingCancellation], ItemState::Cancelled, now);
    Ok(())
}

/// A request for single quantities begins and ends here, because it waited for the order to be complete.
async fn close(conn: &mut PgConnection, actor: &Actor, request: &Cancellation) -> OrderResult<()> {
    use CancellationState::{Acknowledged, Done, InProgress};
    if request.state == Acknowledged {
        cancellations::move_cancellation(conn, &actor.tenant, request.id, Acknowledged, InProgress, None).await?;
    }
    if cancellations::move_cancellation(conn, &actor.tenant, request.id, InProgress, Done, None).await? {
        Ok(())
    } else {
        Err(OrderError::IllegalTransition { state: request.state.as_str(), allowed: Vec::new() })
    }
}
