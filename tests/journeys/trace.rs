//! One trace from the request to the cache.

use anyhow::Result;
use reqwest::Client;
use serde_json::json;
use system_tests::{
    Shop, System, Weather,
    collector::Collector,
    shop::{content_hash, path},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_runs_from_the_request_through_the_log_to_the_cache() -> Result<()> {
    let collector = Collector::start().await?;
    let settings = [
        ("QUOIN__TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()),
        ("QUOIN__TELEMETRY__TRACE_RATIO", "1.0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ];
    let system = System::start_with(PROGRAM, Weather::Calm, &settings).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;

    let trace = Uuid::now_v7().simple().to_string();
    let url = system.deployment.url();
    let person = json!({ "tenant": system.tenant, "subject": "seller", "roles": ["buyer"] });
    let http = Client::new();
    let token =
        http.post(format!("{url}/dev/v1/tokens")).json(&person).send().await?.json::<serde_json::Value>().await?;
    let accepted = http
        .post(format!("{url}{}", path(&presented, "accept")))
        .bearer_auth(token["token"].as_str().unwrap_or_default())
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("idempotency-key", Uuid::now_v7().to_string())
        .json(&content_hash(&presented))
        .send()
        .await?;
    assert!(accepted.status().is_success(), "{}", accepted.text().await?);

    // The relay serves many traces with one batch, so its span is linked to ours instead of standing in it; what the
    // consumers do, in PostgreSQL and then in Redis, stands in it again, carried by outbox row and message.
    let missing = || -> Vec<&str> {
        let own = collector.of_trace(&trace);
        let linked = collector.linked_to(&trace);
        let mut missing: Vec<&str> = ["request", "apply event", "settle event", "cache_invalidate"]
            .into_iter()
            .filter(|name| !own.iter().any(|span| span.name == *name))
            .collect();
        if !linked.iter().any(|span| span.name == "publish events") {
            missing.push("publish events");
        }
        missing
    };
    let whole = eventually("the trace is whole", async || Ok(missing().is_empty().then_some(()))).await;
    whole.map_err(|error| error.context(format!("missing {:?}", missing())))
}
