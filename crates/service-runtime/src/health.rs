//! Whether this process lives and whether it should get requests.
//!
//! PostgreSQL is the only reason to be unready besides draining: without Redis or Kafka every request can be answered.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::get};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sqlx::PgPool;

/// How long a database may take to say it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Says something about a part that is not decisive, such as the cache's breaker.
pub type Detail = Arc<dyn Fn() -> Value + Send + Sync>;

/// The health of one process.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    draining: AtomicBool,
    databases: Mutex<BTreeMap<String, PgPool>>,
    details: Mutex<BTreeMap<String, Detail>>,
}

impl Health {
    /// A process that depends on nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The process is unready while `pool` cannot answer.
    pub fn needs_database(&self, name: impl Into<String>, pool: PgPool) {
        self.0.databases.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), pool);
    }

    /// Shows `detail` in the answer; it never makes the process unready.
    pub fn shows(&self, name: impl Into<String>, detail: Detail) {
        self.0.details.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), detail);
    }

    /// From now on the process is unready: it is about to stop.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the process should get requests, and why not.
    pub async fn report(&self) -> (bool, Value) {
        let draining = self.0.draining.load(Ordering::Acquire);
        let pools: Vec<_> = {
            let databases = self.0.databases.lock().unwrap_or_else(PoisonError::into_inner);
            databases.iter().map(|(name, pool)| (name.clone(), pool.clone())).collect()
        };
        let answers = futures::future::join_all(pools.iter().map(|(_, pool)| answers(pool))).await;
        let ready = !draining && answers.iter().all(|up| *up);
        let databases: BTreeMap<_, _> =
            pools.into_iter().zip(answers).map(|((name, _), up)| (name, if up { "up" } else { "down" })).collect();
        let details: BTreeMap<_, _> = {
            let details = self.0.details.lock().unwrap_or_else(PoisonError::into_inner);
            details.iter().map(|(name, detail)| (name.clone(), detail())).collect()
        };
        (ready, json!({ "ready": ready, "draining": draining, "databases": databases, "details": details }))
    }
}

async fn answers(pool: &PgPool) -> bool {
    let probe = sqlx::query("select 1").execute(pool);
    matches!(tokio::time::timeout(PROBE_TIMEOUT, probe).await, Ok(Ok(_)))
}

/// `/live`, `/ready` and `/metrics`: for the listener that is not reachable from outside.
pub fn internal_router(health: Health, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/live", get(|| async { Json(json!({ "live": true })) }))
        .route("/ready", get(ready))
        .with_state(health)
        .route("/metrics", get(move || std::future::ready(metrics.render())))
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let (ready, report) = health.report().await;
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
}
