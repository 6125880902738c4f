//! What every answer looks like, above all when something is wrong.

use std::time::Duration;

use service_runtime::{HttpConfig, Role, Settings, testing::TestService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::counters::{Counters, router, tenant, without_cache};

const INCREMENTS: &str = "/catalog/v1/counters/a/increments";

fn defaults() -> HttpConfig {
    Settings::load(&[], None).and_then(|settings| settings.runtime()).expect("defaults").http
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    client.get("/nowhere").send().await.expect_problem(404, "not-found");
    let reply = client.request(http::Method::PUT, INCREMENTS).send().await;
    reply.expect_problem(405, "method-not-allowed");
    assert_eq!(reply.header("allow"), "POST");
}

#[tokio::test]
async fn bad_bodies_are_named_by_their_kind_and_change_nothing() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    let post =
        |media: &'static str, body: String| client.request(http::Method::POST, INCREMENTS).body(media, body).send();
    post("text/plain", "{}".into()).await.expect_problem(415, "unsupported-media-type");
    post("application/json", "{".into()).await.expect_problem(400, "malformed-json");
    post("application/json", " ".repeat(1 << 21)).await.expect_problem(413, "body-too-large");
    for (body, pointer) in [
        (r#"{"stepSize":0}"#, "/stepSize"),
        (r#"{"stepSize":"1"}"#, "/stepSize"),
        (r#"{"stepSize":1.5}"#, "/stepSize"),
        (r#"{"stepSize":1,"colour":"red"}"#, "/colour"),
        ("{}", "/stepSize"),
        ("[]", ""),
        ("[1,false,0]", ""),
        ("null", ""),
    ] {
        let reply = post("application/json", body.into()).await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer], "{body}: {}", reply.text());
    }
    assert_eq!(counters.value("acme", "a").await, 0);
}

#[tokio::test]
async fn a_panic_and_a_broken_statement_are_500_and_say_nothing() {
    let counters = Counters::start(without_cache()).await;
    for path in ["/catalog/v1/panics", "/catalog/v1/breaks-sql"] {
        let reply = counters.client("acme").get(path).send().await;
        reply.expect_problem(500, "internal-error");
        assert!(!reply.text().contains("secret") && !reply.text().contains("no_such_table"), "{}", reply.text());
    }
    let _ = counters.client("acme").get("/catalog/v1/counters").send().await.expect(200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_503() {
    let counters = Counters::start(without_cache()).await;
    let state = counters.identity.service_state("catalog", counters.pool.clone(), without_cache());
    let config = HttpConfig { request_timeout_ms: 50, ..defaults() };
    let service = TestService::start_with(router(state), &counters.identity, &config).await;
    let reply = service.client(&tenant("acme"), "keeper", &[]).get("/catalog/v1/sleeps").send().await;
    assert_eq!(reply.expect_problem(503, "timed-out")["retryable"], true);
}

#[tokio::test]
async fn too_many_requests_at_once_are_shed_and_the_others_answered() {
    let counters = Counters::start(without_cache()).await;
    let state = counters.identity.service_state("catalog", counters.pool.clone(), without_cache());
    let config = HttpConfig { max_requests_in_flight: 4, ..defaults() };
    let service = TestService::start_with(router(state), &counters.identity, &config).await;
    let client = service.client(&tenant("acme"), "keeper", &[]);
    let replies = futures::future::join_all((0..12).map(|_| client.get("/catalog/v1/sleeps").send())).await;
    let answered = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(answered, 4);
    for shed in replies.iter().filter(|reply| reply.status != 200) {
        shed.expect_problem(503, "overloaded");
    }
    let _ = client.get("/catalog/v1/sleeps").send().await.expect(200);
}

#[tokio::test]
async fn ids_of_the_caller_come_back_and_malformed_ones_do_not() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let reply = client
        .get("/nowhere")
        .header("x-correlation-id", "order-7")
        .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
        .send()
        .await;
    assert_eq!(reply.header("x-correlation-id"), "order-7");
    let problem = reply.expect_problem(404, "not-found");
    assert_eq!((problem["traceId"].as_str(), problem["instance"].as_str()), (Some(trace), Some("/nowhere")));
    let odd = client.get("/nowhere").header("x-correlation-id", "a b<script>").send().await;
    assert_eq!(odd.header("x-correlation-id").len(), 32);
}

#[tokio::test]
async fn a_role_that_may_not_is_403_and_the_tenants_administrator_may() {
    let counters = Counters::start(without_cache()).await;
    let body = serde_json::json!({"stepSize": 1});
    let buyer = counters.service.client(&tenant("acme"), "user-2", &[Role::Buyer]);
    buyer.post(INCREMENTS, &body).send().await.expect_problem(403, "forbidden");
    let admin = counters.service.client(&tenant("acme"), "stranger", &[Role::TenantAdmin]);
    let _ = admin.post(INCREMENTS, &body).send().await.expect(201);
    assert_eq!(counters.value("acme", "a").await, 1);
}

#[tokio::test]
async fn a_change_needs_the_current_version() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    let made = client.post(INCREMENTS, &serde_json::json!({"stepSize": 1})).send().await.expect(201);
    let delete = || client.request(http::Method::DELETE, "/catalog/v1/counters/a");
    delete().send().await.expect_problem(428, "precondition-required");
    let stale = delete().if_match(made.version() + 1).send().await;
    assert_eq!(stale.expect_problem(412, "precondition-failed")["currentVersion"], 1);
    assert_eq!(stale.version(), 1);
    let _ = delete().if_match(made.version()).send().await.expect(200);
}

async fn impatient(counters: &Counters, header_read_timeout_ms: u64, idle_timeout_ms: u64) -> (TestService, TcpStream) {
    let state = counters.identity.service_state("catalog", counters.pool.clone(), without_cache());
    let config = HttpConfig { header_read_timeout_ms, idle_timeout_ms, ..defaults() };
    let service = TestService::start_with(router(state), &counters.identity, &config).await;
    let socket = TcpStream::connect(service.base_url().trim_start_matches("http://")).await.unwrap();
    (service, socket)
}

/// Reads until the other side closes.
async fn until_closed(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
    // A cut connection may end in a reset.
    let _ = closed.expect("the connection must be closed");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_client_that_dribbles_its_headers_or_says_nothing_is_cut_off() {
    let counters = Counters::start(without_cache()).await;
    for said in ["", "GET /catalog/v1/counters HTTP/1.1\r\nhost: x\r\nx-a: "] {
        let (_service, mut socket) = impatient(&counters, 100, 60_000).await;
        socket.write_all(said.as_bytes()).await.unwrap();
        assert_eq!(until_closed(&mut socket).await, "");
    }
}

#[tokio::test]
async fn a_connection_between_two_requests_is_kept_for_its_own_time() {
    let counters = Counters::start(without_cache()).await;
    let (_service, mut socket) = impatient(&counters, 100, 1_000).await;
    let request = b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..2 {
        // Longer than a head may take, shorter than a connection may be idle: it must still be there.
        socket.write_all(request).await.unwrap();
        assert!(socket.read(&mut [0; 4_096]).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(until_closed(&mut socket).await, "");
}

#[tokio::test]
async fn a_request_in_work_is_not_idle() {
    let counters = Counters::start(without_cache()).await;
    let (service, _socket) = impatient(&counters, 50, 50).await;
    let _ = service.client(&tenant("acme"), "keeper", &[]).get("/catalog/v1/sleeps").send().await.expect(200);
}

#[tokio::test]
async fn the_openapi_document_is_served_to_everybody_and_knows_problems() {
    let counters = Counters::start(without_cache()).await;
    let document = counters.service.client_with_token(None).get("/catalog/v1/openapi.json").send().await.expect(200);
    let document = document.value();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/catalog/v1/counters/{name}"]["get"].is_object());
    assert!(document["components"]["schemas"]["Problem"]["properties"]["traceId"].is_object(), "{document}");
    let busy = &document["paths"]["/catalog/v1/counters"]["get"]["responses"]["503"]["content"];
    assert_eq!(busy["application/problem+json"]["schema"]["$ref"], "#/components/schemas/Problem");
    let missing = &document["paths"]["/catalog/v1/counters/{name}"]["get"]["responses"]["404"]["content"];
    assert!(missing["application/problem+json"].is_object() && missing["application/json"].is_null());
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}
