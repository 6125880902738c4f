//! What each kind of task does to the world. Every effect is safe to repeat.

use axum::http::StatusCode;
use futures::{StreamExt, TryStreamExt, stream};
use kernel::CancellationId;
use service_runtime::{CallError, TenantTx, auth::Caller};

use super::RunnerParts;
use crate::{
    commands::Outcome,
    error::{OrderError, OrderResult},
    model::{Cancellation, Order, OrderItem, Task, TaskKind},
    rules::{backoff::retry_delay, plan::stocked},
    store::{cancellations, orders, tasks::Claimed},
};

/// Returns of one cancellation sent at once.
const RETURNS_AT_ONCE: usize = 8;
/// Part of the lease an attempt may take: its result must be recorded before the lease runs out.
const SHARE_OF_LEASE: f64 = 0.7;

/// Makes the effect of a task, within its lease, and says how it ended.
pub(super) async fn perform(parts: &RunnerParts, caller: &Caller, claimed: &Claimed) -> OrderResult<Outcome> {
    if claimed.retries_left < 0 {
        return Ok(Outcome::Fallout { error: "it was taken too often without a result".to_owned() });
    }
    let (order, tasks) = read(parts, caller, claimed).await?;
    let within = parts.config.task_lease().mul_f64(SHARE_OF_LEASE);
    let outcome = match tokio::time::timeout(within, effect(parts, caller, claimed, &order, &tasks)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(Failure::Call(error))) => failed(claimed, &error.to_string(), error.is_transient()),
        Ok(Err(Failure::Order(error))) => return Err(error),
        Err(_) => failed(claimed, "no answer within the lease", true),
    };
    Ok(outcome)
}

enum Failure {
    Call(CallError),
    Order(OrderError),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        Self::Order(error)
    }
}

fn failed(claimed: &Claimed, error: &str, transient: bool) -> Outcome {
    let error = error.chars().take(500).collect();
    if transient && claimed.retries_left > 0 {
        Outcome::Retry { error, after: retry_delay(claimed.attempt, fastrand::f64()) }
    } else {
        Outcome::Fallout { error }
    }
}

async fn read(parts: &RunnerParts, caller: &Caller, claimed: &Claimed) -> OrderResult<(Order, Vec<Task>)> {
    let mut tx = TenantTx::read(&parts.pool, &caller.tenant).await?;
    let found = orders::order_with_tasks(&mut tx, &caller.tenant, claimed.order_id).await?;
    tx.rollback().await?;
    found.map(|(order, tasks, _)| (order, tasks)).ok_or(OrderError::NotFound("order"))
}

async fn effect(
    parts: &RunnerParts,
    caller: &Caller,
    claimed: &Claimed,
    order: &Order,
    tasks: &[Task],
) -> Result<Outcome, Failure> {
    match (claimed.kind, claimed.cancellation_id) {
        (TaskKind::Reserve, _) => reserve(parts, caller, order).await,
        (TaskKind::Provision, _) => provision(parts, caller, order).await,
        // The request to invoice is a row and an event of our own: they are written with the outcome.
        (TaskKind::Handoff, _) | (TaskKind::Cancel, None) => Ok(Outcome::Done),
        (TaskKind::Cancel, Some(cancellation)) => undo(parts, caller, order, tasks, cancellation).await,
    }
}

async fn reserve(parts: &RunnerParts, caller: &Caller, order: &Order) -> Result<Outcome, Failure> {
    if stocked(order).next().is_none() {
        return Ok(Outcome::Nothing);
    }
    parts.clients.reserve(caller, order).await?;
    Ok(Outcome::Done)
}

/// Asking for the reservation again finds it, or makes a new one where it has run out: then the stock decides.
async fn provision(parts: &RunnerParts, caller: &Caller, order: &Order) -> Result<Outcome, Failure> {
    if stocked(order).next().is_some() {
        let reservation = parts.clients.reserve(caller, order).await?;
        parts.clients.commit(caller, reservation.id).await?;
    }
    parts.clients.install(caller, order).await?;
    Ok(Outcome::Done)
}

/// Undoes what may have been done: goods that left come back, a promise that was made is given back.
async fn undo(
    parts: &RunnerParts,
    caller: &Caller,
    order: &Order,
    tasks: &[Task],
    id: CancellationId,
) -> Result<Outcome, Failure> {
    let request = read_request(parts, caller, order, id).await?;
    if order.state.has_ended() {
        give_back(parts, caller, order, &request).await?;
        return Ok(Outcome::Done);
    }
    let nothing_was_tried = tasks.iter().any(|task| task.kind == TaskKind::Reserve && task.attempt == 0);
    if nothing_was_tried || stocked(order).next().is_none() {
        return Ok(Outcome::Done);
    }
    // Only inventory knows how far an attempt got whose answer was lost. The same reservation again tells.
    match parts.clients.reserve(caller, order).await {
        Ok(reservation) if reservation.state == "committed" => give_back(parts, caller, order, &request).await?,
        Ok(reservation) => drop(parts.clients.release(caller, reservation.id).await?),
        // Refused for want of stock or of the product: nothing was ever promised.
        Err(error) if !error.is_transient() && is_want_of_stock(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Outcome::Done)
}

fn is_want_of_stock(error: &CallError) -> bool {
    matches!(error.status(), Some(StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY))
}

async fn read_request(
    parts: &RunnerParts,
    caller: &Caller,
    order: &Order,
    id: CancellationId,
) -> OrderResult<Cancellation> {
    let mut tx = TenantTx::read(&parts.pool, &caller.tenant).await?;
    let all = cancellations::cancellations_of(&mut tx, &caller.tenant, order.id).await?;
    tx.rollback().await?;
    all.into_iter().find(|known| known.id == id).ok_or(OrderError::NotFound("cancellation"))
}

async fn give_back(
    parts: &RunnerParts,
    caller: &Caller,
    order: &Order,
    request: &Cancellation,
) -> Result<(), CallError> {
    let item_of = |id| -> Option<&OrderItem> { stocked(order).find(|item| item.id == id) };
    let returns = request.items.iter().filter_map(|line| Some((item_of(line.item_id)?, line.quantity)));
    // Collected first: a stream whose closure borrows cannot be shown to be Send.
    let calls: Vec<_> =
        returns.map(|(item, quantity)| parts.clients.give_back(caller, request.id, item, quantity)).collect();
    stream::iter(calls).buffer_unordered(RETURNS_AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use kernel::{OrderId, TaskId};
    use uuid::Uuid;

    use super::*;

    fn claimed(attempt: u32, retries_left: i32) -> Claimed {
        Claimed {
            id: TaskId::from(Uuid::nil()),
            order_id: OrderId::from(Uuid::nil()),
            kind: TaskKind::Reserve,
            cancellation_id: None,
            attempt,
            retries_left,
        }
    }

    #[test]
    fn a_passing_failure_is_retried_until_the_tries_are_used_up_and_a_lasting_one_is_not() {
        assert!(matches!(failed(&claimed(1, 1), "away", true), Outcome::Retry { .. }));
        assert!(matches!(failed(&claimed(8, 0), "away", true), Outcome::Fallout { .. }));
        assert!(matches!(failed(&claimed(1, 7), "no", false), Outcome::Fallout { .. }));
    }
}
