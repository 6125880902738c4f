//! A request's trace leaves the process, and its duration can be scraped. Alone in its process: both are global.
#![expect(clippy::unwrap_used, reason = "a test whose set-up fails cannot go on")]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use bytes::Bytes;
use service_runtime::{
    Health, Settings, internal_router,
    telemetry::{current_traceparent, init},
    testing::{TestIdentity, TestService},
};

type Received = Arc<Mutex<Vec<Bytes>>>;

/// A collector that keeps what it gets.
async fn collector(received: Received) -> TestService {
    let keep = |State(received): State<Received>, body: Bytes| async move {
        received.lock().unwrap().push(body);
    };
    let router = Router::new().route("/v1/traces", post(keep)).with_state(received);
    TestService::start(router, &TestIdentity::new()).await
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_trace_goes_on_in_the_handler_and_reaches_the_collector() {
    let received = Received::default();
    let collector = collector(Arc::clone(&received)).await;
    let defaults = format!("[telemetry]\ntrace_ratio = 0\notlp_endpoint = \"{}\"", collector.base_url());
    let config = Settings::load(&[&defaults], None).unwrap().runtime().unwrap().telemetry;
    let telemetry = init(&config, "test").unwrap();

    let echo = get(|| async { current_traceparent().unwrap_or_default() });
    let service = TestService::start(Router::new().route("/things/{id}", echo), &TestIdentity::new()).await;
    let client = service.client_with_token(None);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let sampled = format!("00-{trace}-00f067aa0ba902b7-01");
    let reply = client.get("/things/7").header("traceparent", &sampled).send().await.expect(200);
    // The same trace, a span of our own, still sampled: the caller decided, not our ratio of zero.
    let inside = reply.text();
    assert!(inside.starts_with(&format!("00-{trace}-")) && inside.ends_with("-01"), "{inside}");
    assert_ne!(inside, sampled);

    let problem = client.get("/nowhere").header("traceparent", &sampled).send().await;
    assert_eq!(problem.expect_problem(404, "not-found")["traceId"], trace);

    let scraped = TestService::start(internal_router(Health::new(), telemetry.metrics()), &TestIdentity::new()).await;
    let metrics = scraped.client_with_token(None).get("/metrics").send().await.expect(200).text();
    assert!(
        metrics
            .contains(r#"http_request_duration_seconds_bucket{route="unmatched",method="GET",status="4xx",le="0.1"}"#),
        "{metrics}"
    );

    telemetry.shutdown().await;
    let bodies = received.lock().unwrap().concat();
    assert!(contains(&bodies, &u128::from_str_radix(trace, 16).unwrap().to_be_bytes()), "the trace never arrived");
    assert!(contains(&bodies, b"/things/7"));
}
