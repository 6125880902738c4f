//! Somebody has looked at a task that fell out, and wants it tried again.

use kernel::{OrderId, TaskId, Version};
use sqlx::PgConnection;

use super::{Actor, Locked, lock, move_items, save_move};
use crate::{
    error::{OrderError, OrderResult},
    model::{ItemState, Order, Task, TaskKind, TaskState},
    store::tasks,
};

/// Puts a task that fell out back into the queue; a held order is under way again.
pub async fn retry_task(
    conn: &mut PgConnection,
    actor: &Actor,
    order: OrderId,
    task: TaskId,
    expected: Option<Version>,
    task_retries: u32,
) -> OrderResult<(Order, Vec<Task>)> {
    let Locked { mut order, mut tasks, now } = lock(conn, actor, order, expected).await?;
    let found = tasks.iter_mut().find(|known| known.id == task).ok_or(OrderError::NotFound("task"))?;
    if found.state != TaskState::Fallout {
        return Err(OrderError::IllegalTransition { state: found.state.as_str(), allowed: Vec::new() });
    }
    tasks::retry_task(conn, &actor.tenant, task, task_retries).await?;
    found.state = TaskState::Ready;
    if found.kind == TaskKind::Provision {
        let before = order.state;
        if move_items(&mut order, &[ItemState::Held], ItemState::InProgress, now) {
            save_move(conn, actor, &mut order, before, None, now).await?;
        }
    }
    Ok((order, tasks))
}
