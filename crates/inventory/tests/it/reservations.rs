//! The life of a reservation.

use serde_json::json;

use crate::world::{World, line};

#[tokio::test]
async fn a_commit_takes_the_promised_stock_once() {
    let world = World::start().await;
    let product = world.product("10").await;
    let made = world.reserve("order-1", json!([line("a", product, "4"), line("b", product, "2")])).await;
    let reservation = made.expect(201).value();
    assert_eq!(world.stock(product).await, ["10", "6", "4"]);

    let path = format!("/inventory/v1/reservations/{}/commit", reservation["id"].as_str().unwrap());
    for _ in 0..2 {
        let body = world.keeper().post(&path, &json!(null)).send().await.expect(200).value();
        assert_eq!((&body["state"], &body["version"]), (&json!("committed"), &json!(2)));
    }
    assert_eq!(world.stock(product).await, ["4", "0", "4"]);
    let release = path.replace("commit", "release");
    let refused = world.keeper().post(&release, &json!(null)).send().await.expect(409).value();
    assert_eq!((&refused["code"], &refused["allowed"]), (&json!("illegal-transition"), &json!([])));
    world.expect_reconciled().await;
}

#[tokio::test]
async fn a_release_gives_the_promise_back_and_frees_the_reference() {
    let world = World::start().await;
    let product = world.product("10").await;
    let reservation = world.reserve("order-1", json!([line("a", product, "4")])).await.expect(201).value();
    let id = reservation["id"].as_str().unwrap();
    let path = format!("/inventory/v1/reservations/{id}/release");
    world.keeper().post(&path, &json!(null)).header("if-match", "\"7\"").send().await.expect(412);
    world.keeper().post(&path, &json!(null)).header("if-match", "\"1\"").send().await.expect(200);
    assert_eq!(world.stock(product).await, ["10", "0", "10"]);
    world.reserve("order-1", json!([line("a", product, "10")])).await.expect(201);
}

#[tokio::test]
async fn a_batch_is_promised_whole_or_not_at_all() {
    let world = World::start().await;
    let (plenty, little) = (world.product("100").await, world.product("1").await);
    let before = world.everything().await;
    let items = json!([line("a", plenty, "5"), line("b", little, "1"), line("c", little, "1")]);
    let refused = world.reserve("order-1", items).await.expect(409).value();
    assert_eq!(refused["code"], "insufficient-stock");
    let pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, [&json!("/items/1/quantity"), &json!("/items/2/quantity")]);
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_repeated_request_finds_its_reservation_and_another_one_is_refused() {
    let world = World::start().await;
    let product = world.product("10").await;
    let items = json!([line("a", product, "1"), line("b", product, "2")]);
    let first = world.reserve("order-1", items).await.expect(201).value();
    let shuffled = json!([line("b", product, "2.0"), line("a", product, "1")]);
    let again = world.reserve("order-1", shuffled).await.expect(200).value();
    assert_eq!(first["id"], again["id"]);
    let other = world.reserve("order-1", json!([line("a", product, "2")])).await.expect(409).value();
    assert_eq!(other["code"], "reference-taken");
    assert_eq!(world.stock(product).await, ["10", "3", "7"]);
}

#[tokio::test]
async fn the_steps_in_the_database_are_the_steps_in_the_program() {
    let world = World::start().await;
    let mut rows: Vec<(String, String)> =
        sqlx::query_as("select from_state, to_state from inventory.reservation_transition")
            .fetch_all(&world.admin)
            .await
            .unwrap();
    let mut steps: Vec<(String, String)> =
        inventory::rules::TRANSITIONS.iter().map(|(from, to)| (from.word().to_owned(), to.word().to_owned())).collect();
    rows.sort();
    steps.sort();
    assert_eq!(rows, steps);
}
