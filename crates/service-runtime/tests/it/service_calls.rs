//! One service calling another: identity and ids go along, problems come back as problems, short outages are ridden out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use service_runtime::{
    CallError, Caller, IdempotencyKey, Problem, Role, Sender, ServiceClient,
    auth::ServiceTokens,
    testing::{TestIdentity, TestService},
};

use crate::counters::{tenant, without_cache};

async fn service(identity: &TestIdentity, calls: Arc<AtomicU32>) -> TestService {
    let pool = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    let state = identity.service_state("catalog", pool, without_cache());
    let whoami = |caller: Caller, sender: Sender, headers: HeaderMap| async move {
        let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Json(
            json!({"tenant": caller.tenant, "subject": &*caller.subject, "correlationId": caller.correlation_id, "key": key,
                "sender": format!("{sender:?}")}),
        )
    };
    let flaky = |State(calls): State<Arc<AtomicU32>>| async move {
        match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Problem::unavailable(Duration::from_secs(1))),
            _ => Ok(Json(json!("ok"))),
        }
    };
    let refuse = || async { Problem::invalid().pointer("/items/0", "unpriced", "has no price") };
    let routes = Router::new()
        .route("/flaky", get(flaky).post(flaky))
        .with_state(calls)
        .merge(Router::new().route("/me", get(whoami).post(whoami)).with_state(state))
        .route("/refuse", post(refuse))
        .route("/text", get(|| async { (StatusCode::BAD_GATEWAY, "oops") }));
    TestService::start(routes, identity).await
}

fn system(identity: &TestIdentity) -> Caller {
    let tokens = ServiceTokens::new(Arc::clone(&identity.issuer), "quote", identity.clock.clone());
    tokens.caller(&tenant("acme"), Some("chain-1".to_owned())).unwrap()
}

fn client(service: &TestService) -> ServiceClient {
    ServiceClient::new("catalog", service.base_url(), Duration::from_secs(2))
}

#[tokio::test]
async fn identity_correlation_and_key_go_along() {
    let identity = TestIdentity::new();
    let service = service(&identity, Arc::default()).await;
    let key = IdempotencyKey::new("k-1").unwrap();
    let reply = client(&service).post(&system(&identity), "/me", &json!({})).idempotent(&key).send::<Value>().await;
    let seen = reply.unwrap().value;
    assert_eq!(
        seen,
        json!({"tenant": "acme", "subject": "service:quote", "correlationId": "chain-1", "key": "k-1", "sender": "Service"})
    );
    let somebody = service.client(&tenant("acme"), "kim", &[Role::Buyer]);
    assert_eq!(somebody.get("/me").send().await.expect(200).value()["sender"], "Other");
}

#[tokio::test]
async fn a_refusal_comes_back_with_its_pointers_and_can_be_passed_on() {
    let identity = TestIdentity::new();
    let service = service(&identity, Arc::default()).await;
    let refused = client(&service).post(&system(&identity), "/refuse", &json!({})).send::<Value>().await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::UNPROCESSABLE_ENTITY));
    let problem = Problem::from(refused);
    assert_eq!(problem.code(), "invalid-request");
    assert_eq!(problem.document().errors[0].pointer, "/items/0");
}

#[tokio::test]
async fn reads_and_keyed_commands_are_tried_again_and_plain_commands_are_not() {
    let identity = TestIdentity::new();
    let caller = system(&identity);
    let calls = Arc::new(AtomicU32::new(0));
    let service = service(&identity, Arc::clone(&calls)).await;
    let client = client(&service);
    assert_eq!(client.get(&caller, "/flaky").send::<String>().await.unwrap().value, "ok");
    calls.store(0, Ordering::Relaxed);
    let key = IdempotencyKey::new("k").unwrap();
    assert!(client.post(&caller, "/flaky", &json!({})).idempotent(&key).send::<String>().await.is_ok());
    calls.store(0, Ordering::Relaxed);
    let once = client.post(&caller, "/flaky", &json!({})).send::<String>().await.unwrap_err();
    assert!(once.is_transient());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn silence_and_nonsense_are_our_failure_not_the_clients() {
    let identity = TestIdentity::new();
    let caller = system(&identity);
    let service = service(&identity, Arc::default()).await;
    let nonsense = client(&service).get(&caller, "/text").send::<Value>().await.unwrap_err();
    assert!(matches!(nonsense, CallError::Unexpected { .. }));
    assert_eq!(Problem::from(nonsense).status(), StatusCode::BAD_GATEWAY);
    let nobody = ServiceClient::new("pricing", "http://127.0.0.1:1", Duration::from_secs(1));
    let silence = nobody.get(&caller, "/me").send::<Value>().await.unwrap_err();
    assert_eq!(Problem::from(silence).status(), StatusCode::SERVICE_UNAVAILABLE);
}
