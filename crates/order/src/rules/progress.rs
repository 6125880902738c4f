//! How far a plan has come: a pure function (order, its tasks) → the picture that is shown.
//!
//! What failed is said in words of ordering, chosen by the kind of the step: an error's own text may name hosts or drivers,
//! and never gets here.

use cache_ports::order::{TasksInState, WorkflowFailure, WorkflowStep, WorkflowSummary};
use chrono::{DateTime, Utc};
use kernel::{OrderId, TaskId, Version};

use crate::model::{OrderState, TaskKind, TaskState};

/// An order as far as its plan is concerned, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The order.
    pub order_id: OrderId,
    /// Its version.
    pub version: Version,
    /// Where it stands.
    pub state: OrderState,
    /// Its tasks, first to last, then those that cancel.
    pub tasks: Vec<PlannedTask>,
    /// When all this was read, by the database's clock.
    pub read_at: DateTime<Utc>,
}

/// A task as far as progress is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedTask {
    /// The task.
    pub id: TaskId,
    /// What it does.
    pub kind: TaskKind,
    /// Where it stands.
    pub state: TaskState,
    /// How often it was taken.
    pub attempt: u32,
    /// Whether its last attempt failed.
    pub failed: bool,
    /// Since when it is in its state.
    pub since: DateTime<Utc>,
}

/// The picture of a plan.
pub fn progress(plan: &Plan) -> WorkflowSummary {
    let open = || plan.tasks.iter().filter(|task| !task.state.is_over());
    let current = open().next();
    let failed = open().filter(|task| task.failed).max_by_key(|task| task.since);
    WorkflowSummary {
        order_id: plan.order_id,
        version: plan.version,
        state: plan.state.as_str().to_owned(),
        percent_done: percent_done(&plan.tasks),
        current_step: current.map(step),
        waiting_since: current.map(|task| task.since),
        tasks: by_state(&plan.tasks),
        incident_count: count(&plan.tasks, TaskState::Fallout),
        last_failure: failed.map(failure),
        generated_at: plan.read_at,
    }
}

fn count(tasks: &[PlannedTask], state: TaskState) -> u32 {
    u32::try_from(tasks.iter().filter(|task| task.state == state).count()).unwrap_or(u32::MAX)
}

fn by_state(tasks: &[PlannedTask]) -> Vec<TasksInState> {
    let in_state = |state: &TaskState| TasksInState { state: state.as_str().to_owned(), count: count(tasks, *state) };
    TaskState::ALL.iter().map(in_state).filter(|tasks| tasks.count > 0).collect()
}

/// Done or found needless, of all that is still wanted. A plan of which nothing is wanted is done.
fn percent_done(tasks: &[PlannedTask]) -> u8 {
    let wanted = tasks.iter().filter(|task| task.state != TaskState::Cancelled);
    let (all, done) = wanted.fold((0, 0), |(all, done), task| (all + 1, done + usize::from(task.state.is_over())));
    u8::try_from((done * 100).checked_div(all).unwrap_or(100)).unwrap_or(100)
}

fn step(task: &PlannedTask) -> WorkflowStep {
    WorkflowStep {
        task_id: task.id,
        kind: task.kind.as_str().to_owned(),
        state: task.state.as_str().to_owned(),
        attempts: task.attempt,
    }
}

fn failure(task: &PlannedTask) -> WorkflowFailure {
    let (reason, what) = match task.kind {
        TaskKind::Reserve => ("stockNotReserved", "Stock could not be reserved"),
        TaskKind::Provision => ("notProvisioned", "The products could not be delivered"),
        TaskKind::Handoff => ("invoiceNotRequested", "The invoice could not be asked for"),
        TaskKind::Cancel => ("notCancelled", "The cancellation could not be carried out"),
    };
    let retrying = task.state != TaskState::Fallout;
    let next = if retrying { "it is tried again" } else { "somebody has to look at it" };
    WorkflowFailure {
        kind: task.kind.as_str().to_owned(),
        reason: reason.to_owned(),
        detail: format!("{what}; {next}"),
        retrying,
        at: task.since,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn task(kind: TaskKind, state: TaskState, failed: bool, at: i64) -> PlannedTask {
        let since = DateTime::from_timestamp(at, 0).unwrap();
        PlannedTask { id: Uuid::from_u128(at.unsigned_abs().into()).into(), kind, state, attempt: 2, failed, since }
    }

    fn picture(tasks: Vec<PlannedTask>) -> WorkflowSummary {
        let (order_id, read_at) = (Uuid::nil().into(), DateTime::from_timestamp(99, 0).unwrap());
        progress(&Plan { order_id, version: Version::FIRST, state: OrderState::InProgress, tasks, read_at })
    }

    #[test]
    fn the_first_step_that_is_not_over_is_the_current_one() {
        let shown = picture(vec![
            task(TaskKind::Reserve, TaskState::Skipped, false, 1),
            task(TaskKind::Provision, TaskState::RetryWait, true, 2),
            task(TaskKind::Handoff, TaskState::Planned, false, 3),
        ]);
        let current = shown.current_step.unwrap();
        assert_eq!((&*current.kind, &*current.state, current.attempts), ("provision", "retryWait", 2));
        assert_eq!((shown.waiting_since.unwrap().timestamp(), shown.percent_done, shown.incident_count), (2, 33, 0));
        let failure = shown.last_failure.unwrap();
        assert_eq!((&*failure.reason, failure.retrying), ("notProvisioned", true));
        let tasks: Vec<_> = shown.tasks.iter().map(|tasks| (&*tasks.state, tasks.count)).collect();
        assert_eq!(tasks, [("planned", 1), ("retryWait", 1), ("skipped", 1)]);
    }

    #[test]
    fn what_is_no_longer_wanted_is_not_waited_for() {
        let shown = picture(vec![
            task(TaskKind::Reserve, TaskState::Completed, true, 1),
            task(TaskKind::Provision, TaskState::Cancelled, true, 2),
            task(TaskKind::Cancel, TaskState::Completed, false, 3),
        ]);
        assert_eq!((shown.percent_done, shown.current_step, shown.last_failure), (100, None, None));
        assert_eq!(picture(Vec::new()).percent_done, 100);
    }

    #[test]
    fn the_newest_failure_is_the_one_that_is_shown() {
        let shown = picture(vec![
            task(TaskKind::Handoff, TaskState::Fallout, true, 5),
            task(TaskKind::Cancel, TaskState::RetryWait, true, 4),
        ]);
        let failure = shown.last_failure.unwrap();
        assert_eq!((&*failure.reason, failure.retrying, shown.incident_count), ("invoiceNotRequested", false, 1));
    }

    fn tasks() -> impl Strategy<Value = Vec<PlannedTask>> {
        let (kind, state) = (prop::sample::select(TaskKind::ALL), prop::sample::select(TaskState::ALL));
        let any =
            (kind, state, any::<bool>(), 0_i64..50).prop_map(|(kind, state, failed, at)| task(kind, state, failed, at));
        prop::collection::vec(any, 0..8)
    }

    proptest! {
        #[test]
        fn a_plan_is_done_exactly_when_nothing_is_waited_for(tasks in tasks()) {
            let shown = picture(tasks.clone());
            prop_assert!(shown.percent_done <= 100);
            prop_assert_eq!(shown.percent_done == 100, shown.current_step.is_none());
            let counted: u32 = shown.tasks.iter().map(|tasks| tasks.count).sum();
            prop_assert_eq!(counted as usize, tasks.len());
        }
    }
}
