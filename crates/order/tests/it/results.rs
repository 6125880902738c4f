//! What is told of tasks and cancellations: every result once, with the version of the order it belongs to.

use serde_json::{Value, json};
use service_runtime::Role;

use crate::world::{Order, World};

/// The payloads of one type with the versions they were told under, in order.
async fn told(world: &World, event_type: &str) -> Vec<(i64, Value)> {
    sqlx::query_as(
        "select aggregate_version, convert_from(payload, 'UTF8')::jsonb from \"order\".outbox where event_type = $1 order by seq",
    )
    .bind(event_type)
    .fetch_all(&world.owner)
    .await
    .unwrap()
}

/// The results of tasks of one kind: the version, the result, the attempt, the order's version.
async fn results(world: &World, kind: &str) -> Vec<(i64, Value)> {
    let of_kind = told(world, "FulfillmentResultRecorded").await.into_iter().filter(|(_, told)| told["kind"] == kind);
    of_kind.map(|(number, told)| (number, json!([told["result"], told["attempt"], told["orderVersion"]]))).collect()
}

async fn retry(world: &World, order: &Order, kind: &str) {
    let path = world.read(order).await.retry_path(kind);
    world.client(Role::FulfilmentAgent).post(&path, &json!({})).send().await.expect(200);
}

#[tokio::test]
async fn a_task_that_fell_out_and_was_done_later_has_two_results() {
    let world = World::new().await;
    world.neighbours.books().out_of_stock = true;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.settle().await;
    assert_eq!(results(&world, "reserve").await, [(1, json!(["fallout", 1, 2]))]);
    let (_, fallout) = told(&world, "FulfillmentResultRecorded").await.remove(0);
    assert_eq!((&fallout["orderId"], fallout["error"].is_string()), (&order.0["id"], true));

    world.neighbours.books().out_of_stock = false;
    retry(&world, &order, "reserve").await;
    world.settle().await;
    let expected = [(1, json!(["fallout", 1, 2])), (2, json!(["completed", 2, 3]))];
    assert_eq!(results(&world, "reserve").await, expected);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn attempts_that_are_repeated_are_not_told() {
    let world = World::new().await;
    world.neighbours.books().away = 2;
    world.ordered(&[("1", "10.00")]).await;
    world.settle().await;
    assert_eq!(results(&world, "reserve").await, [(1, json!(["completed", 3, 2]))]);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn a_compensation_that_fails_is_told_though_the_order_does_not_move_and_its_end_once() {
    let world = World::new().await;
    let order = world.completed(&[("3", "10.00")]).await;
    let version = world.read(&order).await.0["version"].clone();
    world.neighbours.books().away = 3;
    let body = json!({ "reason": "broken", "items": [{ "orderItemId": order.item(0), "quantity": "2" }] });
    let asked = world.cancel(&order, &body, "c").await.expect(201).value();
    world.settle().await;
    assert_eq!(results(&world, "cancel").await, [(1, json!(["fallout", 3, version]))]);
    assert_eq!(
        (&world.read(&order).await.0["version"], told(&world, "CompensationCompleted").await.len()),
        (&version, 0)
    );

    retry(&world, &order, "cancel").await;
    world.settle().await;
    let version = version.as_u64().unwrap() + 1;
    assert_eq!(results(&world, "cancel").await[1..], [(2, json!(["completed", 4, version]))]);
    let done = json!({
        "id": asked["id"], "orderId": order.0["id"], "orderVersion": version, "whole": false,
        "credit": { "amount": "-6.67", "currency": "EUR" },
        "items": [{
            "orderItemId": order.item(0), "quantity": "2", "credit": { "amount": "-6.67", "currency": "EUR" } }],
    });
    assert_eq!(told(&world, "CompensationCompleted").await, [(1, done)]);
    world.assert_events_are_gap_free().await;
}
