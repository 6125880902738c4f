//! The embedded runner: takes due tasks from PostgreSQL, makes their effects, records what became of them.
//!
//! Owns no state: a runner that dies loses its leases, and another takes the tasks again. Effects happen at receivers that
//! recognise repetitions, so taking a task twice is harmless. Must never hold a row lock while it calls another service.

mod effects;

use std::sync::Arc;

use fail_points::{Step, reached};
use futures::{StreamExt, stream};
use kernel::TenantId;
use service_runtime::{
    OutboxHint, TenantTx,
    auth::{Caller, ServiceTokens},
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    State,
    clients::Clients,
    commands::{self, Actor, Outcome},
    config::Config,
    error::{OrderError, OrderResult},
    store::tasks::{self, Claimed},
};

/// Tenants served in one round; the others come in the next.
const TENANTS_AT_ONCE: i64 = 64;

/// Carries out the plans of orders.
#[derive(Clone)]
pub struct Runner {
    parts: Arc<RunnerParts>,
}

/// What a runner needs.
pub struct RunnerParts {
    /// Connections as the work role.
    pub pool: PgPool,
    /// The services it calls.
    pub clients: Arc<Clients>,
    /// The service's own identity, a token a tenant.
    pub tokens: ServiceTokens,
    /// The service's settings.
    pub config: Arc<Config>,
    /// Wakes the relay.
    pub hints: OutboxHint,
    /// Names this runner in the rows it holds.
    pub name: String,
}

impl RunnerParts {
    /// The parts in a worker process's state; the runner gets a name nobody else has.
    pub fn of(state: &State) -> Self {
        let runtime = &state.runtime;
        Self {
            pool: runtime.pool.clone(),
            clients: Arc::clone(&state.clients),
            tokens: runtime.tokens.clone(),
            config: Arc::clone(&state.config),
            hints: runtime.hints.clone(),
            name: format!("{}:{}", crate::SERVICE, uuid::Uuid::now_v7()),
        }
    }
}

impl Runner {
    /// A runner; nothing happens until it runs.
    pub fn new(parts: RunnerParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Works until `stop`. A round that found something is followed by the next at once.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let worked = match self.round().await {
                Ok(tasks) => tasks > 0,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a round of the task runner failed");
                    false
                }
            };
            if !worked {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(self.parts.config.poll_interval()) => {}
                }
            }
        }
    }

    /// One round over the tenants that have something to do; answers how many tasks were taken.
    pub async fn round(&self) -> OrderResult<usize> {
        let mut conn = self.parts.pool.acquire().await?;
        let tenants = tasks::tenants_with_due_tasks(&mut conn, TENANTS_AT_ONCE).await?;
        drop(conn);
        let mut taken = 0;
        for tenant in tenants {
            let claimed = self.claim(&tenant).await?;
            taken += claimed.len();
            // Collected first: a stream whose closure borrows cannot be shown to be Send.
            let attempts: Vec<_> = claimed.into_iter().map(|claimed| self.attempt(&tenant, claimed)).collect();
            stream::iter(attempts)
                .for_each_concurrent(usize::from(self.parts.config.task_concurrency), |done| done)
                .await;
        }
        Ok(taken)
    }

    async fn claim(&self, tenant: &TenantId) -> OrderResult<Vec<Claimed>> {
        let config = &self.parts.config;
        let mut tx = TenantTx::begin(&self.parts.pool, tenant).await?;
        let limit = i64::from(config.task_batch);
        let claimed = tasks::claim_tasks(&mut tx, tenant, &self.parts.name, config.task_lease(), limit).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// One attempt at one task. A failure to record leaves the lease to run out: the task is taken again.
    async fn attempt(&self, tenant: &TenantId, claimed: Claimed) {
        let kind = claimed.kind.as_str();
        match self.attempt_and_record(tenant, &claimed).await {
            Ok((outcome, true)) => {
                metrics::counter!("order_tasks_total", "kind" => kind, "outcome" => name_of(&outcome)).increment(1);
                self.parts.hints.notify();
            }
            Ok((_, false)) => {
                metrics::counter!("order_tasks_total", "kind" => kind, "outcome" => "stale").increment(1);
                tracing::warn!(task = %claimed.id, attempt = claimed.attempt, "the lease was lost; the result is dropped");
            }
            Err(error) => {
                metrics::counter!("order_tasks_total", "kind" => kind, "outcome" => "unrecorded").increment(1);
                tracing::warn!(task = %claimed.id, error = &error as &dyn std::error::Error, "a task's outcome could not be recorded");
            }
        }
    }

    async fn attempt_and_record(&self, tenant: &TenantId, claimed: &Claimed) -> OrderResult<(Outcome, bool)> {
        let caller = self.caller(tenant)?;
        let outcome = effects::perform(&self.parts, &caller, claimed).await?;
        reached(Step::TaskPerformed);
        let actor = Actor { correlation_id: None, ..Actor::from(&caller) };
        let mut tx = TenantTx::begin(&self.parts.pool, tenant).await?;
        let recorded = commands::record_outcome(&mut tx, &actor, claimed, &outcome).await?;
        tx.commit().await?;
        Ok((outcome, recorded))
    }

    fn caller(&self, tenant: &TenantId) -> OrderResult<Caller> {
        self.parts.tokens.caller(tenant, None).map_err(|_| OrderError::Unreadable("service identity"))
    }
}

fn name_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Nothing => "nothing",
        Outcome::Retry { .. } => "retry",
        Outcome::Fallout { .. } => "fallout",
    }
}
