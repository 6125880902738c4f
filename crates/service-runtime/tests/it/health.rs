//! Ready means: PostgreSQL answers and the process is not about to stop.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use service_runtime::{
    Health, internal_router,
    testing::{TestIdentity, TestService},
};
use sqlx::PgPool;

use crate::counters::database;

async fn internal(health: &Health) -> TestService {
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    TestService::start(internal_router(health.clone(), metrics), &TestIdentity::new()).await
}

#[tokio::test]
async fn a_process_with_its_database_is_ready_until_it_drains() {
    let (_database, pool) = database().await;
    let health = Health::new();
    health.needs_database("catalog", pool);
    // Whatever the cache says, it is no reason to be unready.
    health.shows("cache", Arc::new(|| json!({"breaker": "open"})));
    let service = internal(&health).await;
    let client = service.client_with_token(None);
    let ready = client.get("/ready").send().await.expect(200).value();
    assert_eq!(ready["databases"]["catalog"], "up");
    assert_eq!(ready["details"]["cache"]["breaker"], "open");
    health.drain();
    assert_eq!(client.get("/ready").send().await.expect(503).value()["draining"], true);
    let _ = client.get("/live").send().await.expect(200);
    let _ = client.get("/metrics").send().await.expect(200);
}

#[tokio::test]
async fn a_process_without_its_database_lives_but_is_not_ready() {
    let health = Health::new();
    health.needs_database("catalog", PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap());
    let service = internal(&health).await;
    let client = service.client_with_token(None);
    assert_eq!(client.get("/ready").send().await.expect(503).value()["databases"]["catalog"], "down");
    let _ = client.get("/live").send().await.expect(200);
}
