//! The cached picture of how far an order's plan has come.
//!
//! Owns the value types only. Must never hold why a task failed in a program's words: what failed and what follows are
//! words of the domain.

use chrono::{DateTime, Utc};
use kernel::{OrderId, TaskId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far an order's plan has come. Derived from the order's tables, for display: where the order really stands is decided
/// there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowSummary {
    /// The order.
    pub order_id: OrderId,
    /// The version of the order this was read with. Tasks may have moved since without a new one.
    pub version: Version,
    /// The state of the order (TMF622).
    pub state: String,
    /// How much of what is still wanted is done, in whole percent.
    #[schema(maximum = 100)]
    pub percent_done: u8,
    /// The first step that is not over; none when all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_step: Option<WorkflowStep>,
    /// Since when that step is in its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many tasks stand in each state that any stands in.
    pub tasks: Vec<TasksInState>,
    /// Steps that have fallen out: somebody has to look at them.
    pub incident_count: u32,
    /// The newest failure of a step that is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<WorkflowFailure>,
    /// When the tables were read, by the database's clock.
    pub generated_at: DateTime<Utc>,
}

/// One step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStep {
    /// The task.
    pub task_id: TaskId,
    /// What it does: reserve, provision, handoff, cancel.
    pub kind: String,
    /// Where it stands: planned, ready, locked, retryWait, fallout.
    pub state: String,
    /// How often it was taken.
    pub attempts: u32,
}

/// Tasks of one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TasksInState {
    /// The state.
    pub state: String,
    /// How many.
    pub count: u32,
}

/// That a step failed, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowFailure {
    /// What the step does.
    pub kind: String,
    /// What could not be done: stockNotReserved, notProvisioned, invoiceNotRequested, notCancelled.
    pub reason: String,
    /// For people.
    pub detail: String,
    /// Whether it is tried again without anybody's help.
    pub retrying: bool,
    /// When the step last changed its state.
    pub at: DateTime<Utc>,
}
