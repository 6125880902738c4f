//! The plan of an order: a pure function (order) → tasks. Ids follow from the order, so a plan made twice is the same plan.
//!
//! reserve → provision → handoff. The shape is the same for every order; an order without stocked items finds nothing to
//! reserve, and that task is skipped when it is taken.

use kernel::{CancellationId, OrderId, TaskId};

use crate::model::{Order, OrderItem, Task, TaskKind, TaskState};

/// The tasks that fulfil an order, first to last.
pub fn plan(order: OrderId, retries: u32) -> Vec<Task> {
    let chain = [TaskKind::Reserve, TaskKind::Provision, TaskKind::Handoff];
    let mut tasks: Vec<Task> = Vec::with_capacity(chain.len());
    for kind in chain {
        let depends_on: Vec<TaskId> = tasks.last().map(|before| before.id).into_iter().collect();
        let state = if depends_on.is_empty() { TaskState::Ready } else { TaskState::Planned };
        tasks.push(task(order, kind, None, depends_on, state, retries));
    }
    tasks
}

/// The task that carries out a cancellation. It starts at once, or after `depends_on`.
pub fn cancel_task(order: OrderId, cancellation: CancellationId, depends_on: Vec<TaskId>, retries: u32) -> Task {
    let state = if depends_on.is_empty() { TaskState::Ready } else { TaskState::Planned };
    task(order, TaskKind::Cancel, Some(cancellation), depends_on, state, retries)
}

/// The id of an order's task.
pub fn task_id(order: OrderId, kind: TaskKind, cancellation: Option<CancellationId>) -> TaskId {
    match cancellation {
        Some(cancellation) => TaskId::derived(order.uuid(), &format!("{}:{cancellation}", kind.as_str())),
        None => TaskId::derived(order.uuid(), kind.as_str()),
    }
}

fn task(
    order_id: OrderId,
    kind: TaskKind,
    cancellation_id: Option<CancellationId>,
    depends_on: Vec<TaskId>,
    state: TaskState,
    retries: u32,
) -> Task {
    Task {
        id: task_id(order_id, kind, cancellation_id),
        order_id,
        kind,
        cancellation_id,
        depends_on,
        state,
        attempt: 0,
        retries_left: i32::try_from(retries).unwrap_or(i32::MAX),
        error: None,
    }
}

/// The items that need stock.
pub fn stocked(order: &Order) -> impl Iterator<Item = &OrderItem> {
    order.items.iter().filter(|item| item.stocked)
}

/// The planned tasks whose predecessors are all over.
pub fn now_ready(tasks: &[Task]) -> Vec<TaskId> {
    let over = |id: &TaskId| tasks.iter().any(|task| task.id == *id && task.state.is_over());
    let ready = |task: &&Task| task.state == TaskState::Planned && task.depends_on.iter().all(over);
    tasks.iter().filter(ready).map(|task| task.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_plan_is_a_chain_that_starts_with_reserve() {
        let tasks = plan(Uuid::from_u128(1).into(), 5);
        let kinds: Vec<_> = tasks.iter().map(|task| task.kind).collect();
        assert_eq!(kinds, [TaskKind::Reserve, TaskKind::Provision, TaskKind::Handoff]);
        assert_eq!(tasks.iter().filter(|task| task.state == TaskState::Ready).count(), 1);
        assert_eq!(tasks[2].depends_on, [tasks[1].id]);
    }

    proptest! {
        #[test]
        fn the_same_order_has_the_same_plan_and_another_has_another(one in any::<u128>(), two in any::<u128>()) {
            let plan_of = |order: u128| plan(Uuid::from_u128(order).into(), 5);
            prop_assert_eq!(plan_of(one), plan_of(one));
            if one != two {
                let ids: Vec<_> = plan_of(one).iter().map(|task| task.id).collect();
                prop_assert!(plan_of(two).iter().all(|task| !ids.contains(&task.id)));
            }
        }

        #[test]
        fn finishing_what_is_ready_finishes_the_plan(order in any::<u128>()) {
            let mut tasks = plan(Uuid::from_u128(order).into(), 5);
            for _ in 0..tasks.len() {
                let done = tasks.iter_mut().find(|task| task.state == TaskState::Ready);
                done.expect("something is ready until all is done").state = TaskState::Completed;
                for id in now_ready(&tasks) {
                    tasks.iter_mut().filter(|task| task.id == id).for_each(|task| task.state = TaskState::Ready);
                }
            }
            prop_assert!(tasks.iter().all(|task| task.state == TaskState::Completed));
        }
    }
}
