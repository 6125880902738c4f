//! A sale as an integrator hears it: through Kafka, in order, although the worker is killed on the way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use axum::{Router, extract::State, http::StatusCode, routing::post};
use quoin::deployment::Role;
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    shop::{command, text},
    system::eventually,
};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::PROGRAM;

/// Receivers on this machine.
const LOCAL: [(&str, &str); 2] =
    [("QUOIN__WEBHOOKS__ALLOW_HTTP", "true"), ("QUOIN__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true")];

type Heard = Arc<Mutex<Vec<Value>>>;

/// An integrator's server that takes everything; where it is, and what it heard.
async fn integrator() -> Result<(String, Heard)> {
    let heard = Heard::default();
    let hear = async |State(heard): State<Heard>, body: axum::Json<Value>| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(body.0);
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/hook", post(hear)).with_state(Arc::clone(&heard));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let callback = format!("http://{}/hook", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((callback, heard))
}

/// The types that were heard of one aggregate, by version. A repetition must be the same event.
fn story(heard: &Heard, aggregate: &str) -> BTreeMap<u64, String> {
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let mut story = BTreeMap::new();
    for event in heard.iter().filter(|event| event["aggregateid"] == aggregate) {
        let version = event["aggregateversion"].as_u64().unwrap_or_default();
        let known = story.entry(version).or_insert_with(|| text(event, "/type"));
        assert_eq!(*known, text(event, "/type"));
    }
    story
}

/// No version of an aggregate was heard before all earlier ones were.
fn nothing_came_early(heard: &Heard) {
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for event in heard.iter() {
        let aggregate = format!("{}/{}", text(event, "/aggregatetype"), text(event, "/aggregateid"));
        let version = event["aggregateversion"].as_u64().unwrap_or_default();
        if let Some(before) = newest.get(&aggregate) {
            assert!(version <= before + 1, "{aggregate}: {version} after {before}");
        }
        let newest = newest.entry(aggregate).or_insert(version);
        *newest = version.max(*newest);
    }
}

/// An operator has everything sent once more.
async fn replayed_from_the_first(system: &System, heard: &Heard, subscription: &Value) -> Result<()> {
    let (service, id) = (text(subscription, "/service"), text(subscription, "/id"));
    heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let resume = ["webhooks", "resume", &service, "--tenant", &system.tenant, "--id", &id, "--from-sequence", "1"];
    let resumed = system.deployment.tool(&resume).await?;
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    eventually("the first event of the feed is heard again", async || {
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(heard.iter().any(|event| text(event, "/sequence").trim_start_matches('0') == "1").then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integrator_hears_a_sale_in_order_although_the_worker_is_killed() -> Result<()> {
    let mut system = System::start_with(PROGRAM, Weather::Calm, &LOCAL).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let (callback, heard) = integrator().await?;
    for service in ["quote", "order"] {
        let body = json!({ "callback": callback });
        let made = shop.admin.post(format!("/{service}/v1/hub")).json(&body).send::<Value>().await?;
        assert!(text(&made.value, "/secret").starts_with("whsec_"), "{service}");
    }

    let quote = shop.quote(&[shop.line("lamp", 1)]).await?;
    let id = text(&quote, "/id");
    eventually("the draft is heard", async || Ok(story(&heard, &id).contains_key(&1).then_some(()))).await?;
    system.deployment.kill(Role::Work).await?;
    let priced = command(&shop.seller, &quote, "price", &json!({})).await?;
    let submitted = command(&shop.seller, &priced, "submit", &json!({})).await?;
    let presented = command(&shop.seller, &submitted, "present", &json!({})).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    system.deployment.launch(Role::Work).await?;
    let order = shop.settled(&presented).await?;

    let (order, version) = (text(&order, "/id"), order["version"].as_u64().context("an order has a version")?);
    let of_order = eventually("the whole order is heard", async || {
        let story = story(&heard, &order);
        Ok(story.contains_key(&version).then_some(story))
    })
    .await?;
    assert_eq!(of_order.keys().copied().collect::<Vec<_>>(), (1..=version).collect::<Vec<_>>());
    assert_eq!(of_order[&1], "OrderCreated");
    let of_quote = eventually("the acceptance is heard", async || {
        let story = story(&heard, &id);
        Ok(story.values().any(|event_type| event_type == "QuoteAccepted").then_some(story))
    })
    .await?;
    let types: Vec<&str> = of_quote.values().map(String::as_str).take(5).collect();
    assert_eq!(types, ["QuoteChanged", "QuoteChanged", "QuoteSubmitted", "QuotePresented", "QuoteAccepted"]);
    assert_eq!(of_quote.keys().copied().take(5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    nothing_came_early(&heard);

    let listed = system.deployment.tool(&["webhooks", "list", "--json"]).await?;
    assert_eq!(listed.status.code(), Some(0), "everybody is served");
    let listed: Value = serde_json::from_slice(&listed.stdout)?;
    let services: Vec<String> =
        listed["subscriptions"].as_array().into_iter().flatten().map(|one| text(one, "/service")).collect();
    assert_eq!(services, ["quote", "order"]);
    replayed_from_the_first(&system, &heard, &listed["subscriptions"][1]).await
}
