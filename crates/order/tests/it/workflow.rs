//! The picture of an order's plan: drawn from the tables, kept for a moment, dropped by the order's events.

use chrono::{DateTime, Utc};
use events::{Envelope, Reaction};
use kernel::{EventId, Version};
use order::events::DropWorkflow;
use serde_json::{Value, json};
use service_runtime::{TenantTx, testing::TestReply};

use crate::world::{Order, World};

async fn picture(world: &World, order: &Order) -> TestReply {
    world.rep().get(&format!("{}/workflow", order.path())).send().await.expect(200)
}

async fn picture_at_least(world: &World, order: &Order, version: u64) -> Value {
    let request = world.rep().get(&format!("{}/workflow", order.path())).header("min-version", &version.to_string());
    request.send().await.expect(200).value()
}

/// What the service's own consumer would hear of this version of the order.
async fn hear(world: &World, order: &Order, version: u64) {
    let event = Envelope {
        id: EventId::generate(),
        source: "/quoin/order".to_owned(),
        event_type: "OrderStateChanged".to_owned(),
        schema_version: 1,
        tenant: world.tenant.clone(),
        aggregate_type: "order".to_owned(),
        aggregate_id: order.id().parse().unwrap(),
        aggregate_version: Version::new(version),
        occurred_at: DateTime::<Utc>::UNIX_EPOCH,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: "{}".into(),
    };
    let reaction = DropWorkflow::new(world.caches.order.clone());
    let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
    reaction.apply(&mut tx, &event).await.unwrap();
    tx.commit().await.unwrap();
    reaction.committed(&event).await.unwrap();
}

#[tokio::test]
async fn the_picture_follows_the_order_once_its_event_has_come() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    let first = picture(&world, &order).await;
    assert!(first.header("cache-status").contains("miss") && first.header("cache-control") == "no-store");
    let drawn = first.value();
    assert_eq!(
        (&drawn["state"], &drawn["percentDone"], &drawn["version"]),
        (&json!("acknowledged"), &json!(0), &json!(1))
    );
    assert_eq!((&drawn["currentStep"]["kind"], &drawn["currentStep"]["state"]), (&json!("reserve"), &json!("ready")));
    assert_eq!(drawn["tasks"], json!([{ "state": "planned", "count": 2 }, { "state": "ready", "count": 1 }]));
    assert!(drawn["generatedAt"].is_string() && drawn["waitingSince"].is_string());

    world.settle().await;
    let kept = picture(&world, &order).await;
    assert!(kept.header("cache-status").contains("hit") && kept.header("age").parse::<u64>().is_ok());
    assert_eq!(kept.value(), drawn);
    hear(&world, &order, 1).await;
    assert_eq!(picture(&world, &order).await.value(), drawn, "an event of the version that is shown drops nothing");

    let done = world.read(&order).await.0["version"].as_u64().unwrap();
    hear(&world, &order, done).await;
    let drawn = picture(&world, &order).await.value();
    assert_eq!(
        (&drawn["state"], &drawn["percentDone"], &drawn["version"]),
        (&json!("completed"), &json!(100), &json!(done))
    );
    assert_eq!(drawn["tasks"], json!([{ "state": "completed", "count": 3 }]));
    assert!(drawn["currentStep"].is_null() && drawn["waitingSince"].is_null() && drawn["lastFailure"].is_null());
}

#[tokio::test]
async fn who_knows_of_a_newer_version_is_not_shown_an_older_picture() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    assert_eq!(picture(&world, &order).await.value()["version"], 1);
    world.runner("one").round().await.unwrap();
    assert_eq!(picture(&world, &order).await.value()["version"], 1, "no event has come");
    let moved = picture_at_least(&world, &order, 2).await;
    assert_eq!((&moved["version"], &moved["percentDone"]), (&json!(2), &json!(33)));
    assert_eq!(picture(&world, &order).await.value(), moved, "and the newer one is kept");
}

#[tokio::test]
async fn a_failure_is_told_in_words_of_ordering() {
    let world = World::new().await;
    world.neighbours.books().away = 1;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.runner("one").round().await.unwrap();
    let own_words = world.read(&order).await.task("reserve")["error"].as_str().unwrap().to_owned();
    let waiting = picture(&world, &order).await;
    let failure = &waiting.value()["lastFailure"];
    assert_eq!((&failure["reason"], &failure["retrying"]), (&json!("stockNotReserved"), &json!(true)));
    assert!(own_words.contains("inventory") && !waiting.text().contains("inventory"), "{}", waiting.text());

    world.neighbours.books().out_of_stock = true;
    world.settle().await;
    let stuck = picture_at_least(&world, &order, 2).await;
    assert_eq!((&stuck["state"], &stuck["incidentCount"]), (&json!("pending"), &json!(1)));
    assert_eq!((&stuck["currentStep"]["state"], &stuck["lastFailure"]["retrying"]), (&json!("fallout"), &json!(false)));
}

#[tokio::test]
async fn the_picture_follows_a_cancellation() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.runner("one").round().await.unwrap();
    world.cancel(&order, &json!({ "reason": "changed my mind" }), "c").await.expect(201);
    let version = world.read(&order).await.0["version"].as_u64().unwrap();
    let undoing = picture_at_least(&world, &order, version).await;
    assert_eq!((&undoing["currentStep"]["kind"], &undoing["percentDone"]), (&json!("cancel"), &json!(50)));
    world.settle().await;
    let version = world.read(&order).await.0["version"].as_u64().unwrap();
    let undone = picture_at_least(&world, &order, version).await;
    assert_eq!((&undone["state"], &undone["percentDone"]), (&json!("cancelled"), &json!(100)));
}
