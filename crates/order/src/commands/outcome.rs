//! What the outcome of a task means for its order. The worker's claim is ended first: if it is no longer held, the result is
//! stale and changes nothing.

use std::time::Duration;

use sqlx::PgConnection;

use super::{Actor, Locked, OUTBOX, cancel, lock, move_items, save_move};
use crate::{
    error::OrderResult,
    events::{RecordedResult, handoff_requested, result_recorded},
    model::{FulfillmentResult, HandoffState, ItemState, OrderState, Task, TaskKind, TaskState},
    rules::plan::now_ready,
    store::{
        orders::{self, Note},
        tasks::{self, Claimed},
    },
};

/// How an attempt at a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// It may work later.
    Retry {
        /// What went wrong.
        error: String,
        /// How long to wait.
        after: Duration,
    },
    /// It will not work as it is: somebody has to look at it.
    Fallout {
        /// What went wrong.
        error: String,
    },
}

impl Outcome {
    /// How the task ended, and why it fell out; or why and after how long it is tried again.
    fn settled(&self) -> Result<(FulfillmentResult, Option<&str>), (&str, Duration)> {
        match self {
            Self::Done => Ok((FulfillmentResult::Completed, None)),
            Self::Nothing => Ok((FulfillmentResult::Skipped, None)),
            Self::Fallout { error } => Ok((FulfillmentResult::Fallout, Some(error))),
            Self::Retry { error, after } => Err((error, *after)),
        }
    }
}

fn task_state(result: FulfillmentResult) -> TaskState {
    match result {
        FulfillmentResult::Completed => TaskState::Completed,
        FulfillmentResult::Skipped => TaskState::Skipped,
        FulfillmentResult::Fallout => TaskState::Fallout,
    }
}

/// Records how a claimed task ended; false when the claim was lost meanwhile and nothing was recorded.
pub async fn record_outcome(
    conn: &mut PgConnection,
    actor: &Actor,
    claimed: &Claimed,
    outcome: &Outcome,
) -> OrderResult<bool> {
    let (result, error) = match outcome.settled() {
        Ok(settled) => settled,
        Err((error, after)) => {
            // The order does not move, so it need not be locked.
            let state = TaskState::RetryWait;
            let ended = tasks::end_claim(conn, &actor.tenant, claimed, state, Some(error), after).await?;
            return Ok(ended.is_some());
        }
    };
    // The order is locked before its tasks, as by every other command: no two commands wait for each other.
    let mut locked = lock(conn, actor, claimed.order_id, None).await?;
    let state = task_state(result);
    let ended = tasks::end_claim(conn, &actor.tenant, claimed, state, error, Duration::ZERO).await?;
    let Some(number) = ended else { return Ok(false) };
    for task in locked.tasks.iter_mut().filter(|task| task.id == claimed.id) {
        task.state = state;
    }
    match error {
        None => succeeded(conn, actor, claimed, &mut locked).await?,
        Some(error) => fell_out(conn, actor, claimed, error, &mut locked).await?,
    }
    let recorded = RecordedResult {
        id: claimed.id,
        order_id: claimed.order_id,
        order_version: locked.order.version,
        kind: claimed.kind,
        cancellation_id: claimed.cancellation_id,
        attempt: claimed.attempt,
        result,
        error: error.map(str::to_owned),
    };
    OUTBOX.append(conn, &[result_recorded(actor, &recorded, number, locked.now)?]).await?;
    if let Some(parked) = parked_cancellation(&locked) {
        cancel::begin_parked(conn, actor, &mut locked, parked).await?;
    }
    tasks::make_ready(conn, &actor.tenant, &now_ready(&locked.tasks)).await?;
    Ok(true)
}

async fn succeeded(conn: &mut PgConnection, actor: &Actor, claimed: &Claimed, locked: &mut Locked) -> OrderResult<()> {
    match claimed.kind {
        TaskKind::Reserve => {
            let from = [ItemState::Acknowledged, ItemState::Pending];
            advance(conn, actor, locked, &from, ItemState::InProgress, None).await
        }
        TaskKind::Provision => advance(conn, actor, locked, &[ItemState::InProgress], ItemState::Completed, None).await,
        TaskKind::Handoff => hand_off(conn, actor, claimed, locked).await,
        TaskKind::Cancel => match claimed.cancellation_id {
            Some(cancellation) => cancel::finish(conn, actor, locked, cancellation).await,
            None => Ok(()),
        },
    }
}

/// A task nobody can do by retrying: before anything was promised the order waits for people, later it is held. An order
/// that is being cancelled, or is complete, stays what it is; the task itself tells.
async fn fell_out(
    conn: &mut PgConnection,
    actor: &Actor,
    claimed: &Claimed,
    error: &str,
    locked: &mut Locked,
) -> OrderResult<()> {
    match claimed.kind {
        TaskKind::Reserve => {
            advance(conn, actor, locked, &[ItemState::Acknowledged], ItemState::Pending, Some(error)).await
        }
        TaskKind::Provision => {
            advance(conn, actor, locked, &[ItemState::InProgress], ItemState::Held, Some(error)).await
        }
        TaskKind::Handoff | TaskKind::Cancel => Ok(()),
    }
}

async fn advance(
    conn: &mut PgConnection,
    actor: &Actor,
    locked: &mut Locked,
    from: &[ItemState],
    to: ItemState,
    reason: Option<&str>,
) -> OrderResult<()> {
    let before = locked.order.state;
    if move_items(&mut locked.order, from, to, locked.now) {
        save_move(conn, actor, &mut locked.order, before, reason, locked.now).await?;
    }
    Ok(())
}

/// Asks for the invoice: the row and the event are the request; billing listens.
async fn hand_off(conn: &mut PgConnection, actor: &Actor, claimed: &Claimed, locked: &mut Locked) -> OrderResult<()> {
    let Locked { order, now, .. } = locked;
    orders::insert_handoff(conn, &actor.tenant, order.id, claimed.id, order.total, *now).await?;
    order.invoice_handoff = HandoffState::Requested;
    let note = Note { actor: &actor.subject, reason: None, at: *now };
    let state = order.state;
    orders::save_order(conn, &actor.tenant, order, state, note).await?;
    OUTBOX.append(conn, &[handoff_requested(actor, order)?]).await?;
    Ok(())
}

/// A cancellation of the whole order that came while it was acknowledged waits until it may begin.
fn parked_cancellation(locked: &Locked) -> Option<Task> {
    let may_begin = matches!(locked.order.state, OrderState::InProgress | OrderState::Pending | OrderState::Held);
    let reserve = locked.tasks.iter().find(|task| task.kind == TaskKind::Reserve).map(|task| task.id);
    let waits = |task: &&Task| {
        task.kind == TaskKind::Cancel
            && task.state == TaskState::Planned
            && reserve.is_some_and(|reserve| task.depends_on.contains(&reserve))
    };
    locked.tasks.iter().find(waits).filter(|_| may_begin).cloned()
}
