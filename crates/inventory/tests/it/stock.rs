//! Goods come, go and are counted.

use kernel::ProductId;
use serde_json::json;

use crate::world::{World, line, opening};

const IMPORT: &str = "/inventory/v1/imports/stock";
const MOVE: &str = "/inventory/v1/movements";

#[tokio::test]
async fn importing_the_same_stock_again_changes_nothing() {
    let world = World::start().await;
    let (one, two) = (ProductId::generate(), ProductId::generate());
    let body = json!({ "items": [opening(one, "5"), opening(two, "0")] });
    let first = world.keeper().post(IMPORT, &body).send().await.expect(200).value();
    assert_eq!(first, json!({ "created": 2, "unchanged": 0 }));
    let before = world.everything().await;
    let again = world.keeper().post(IMPORT, &body).send().await.expect(200).value();
    assert_eq!(again, json!({ "created": 0, "unchanged": 2 }));
    assert_eq!(world.everything().await, before);

    let other = json!({ "items": [opening(one, "6")] });
    let refused = world.keeper().post(IMPORT, &other).send().await.expect(422).value();
    assert_eq!(refused["errors"][0]["pointer"], "/items/0/reference");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn every_unit_on_hand_is_explained_by_a_movement() {
    let world = World::start().await;
    let product = world.product("10").await;
    let moves = [("receipt", "5", "r1"), ("return", "1.5", "r2"), ("adjustment", "-2.5", "count-1")];
    for (kind, quantity, reference) in moves {
        let body = json!({ "kind": kind, "productId": product, "quantity": quantity, "reference": reference });
        world.keeper().post(MOVE, &body).send().await.expect(201);
        world.keeper().post(MOVE, &body).send().await.expect(200);
    }
    assert_eq!(world.stock(product).await, ["14.0", "0", "14.0"]);
    let path = format!("/inventory/v1/products/{product}/movements?limit=3");
    let page = world.buyer().get(&path).send().await.expect(200).value();
    let quantities: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["quantity"].clone()).collect();
    assert_eq!(quantities, ["-2.5", "1.5", "5"], "newest first");
    let next = format!("{path}&cursor={}", page["nextCursor"].as_str().unwrap());
    let rest = world.buyer().get(&next).send().await.expect(200).value();
    assert_eq!(rest["items"][0]["kind"], "opening");
    assert_eq!(rest["nextCursor"], json!(null));
    world.expect_reconciled().await;
}

#[tokio::test]
async fn an_adjustment_cannot_take_what_is_promised() {
    let world = World::start().await;
    let product = world.product("10").await;
    world.reserve("order-1", json!([line("a", product, "8")])).await.expect(201);
    let before = world.everything().await;
    let body = json!({ "kind": "adjustment", "productId": product, "quantity": "-3", "reference": "count-1" });
    let refused = world.keeper().post(MOVE, &body).send().await.expect(409).value();
    assert_eq!(refused["code"], "insufficient-stock");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn every_version_of_a_product_has_one_event() {
    let world = World::start().await;
    let product = world.product("10").await;
    let reservation = world.reserve("order-1", json!([line("a", product, "8")])).await.expect(201).value();
    let commit = format!("/inventory/v1/reservations/{}/commit", reservation["id"].as_str().unwrap());
    world.keeper().post(&commit, &json!(null)).send().await.expect(200);
    let versions: Vec<i64> = sqlx::query_scalar(
        "select aggregate_version from inventory.outbox where aggregate_id = $1 and event_type = 'StockChanged' order by seq",
    )
    .bind(product.uuid())
    .fetch_all(&world.admin)
    .await
    .unwrap();
    assert_eq!(versions, [1, 2, 3]);
}

#[tokio::test]
async fn the_list_of_products_pages_without_gaps() {
    let world = World::start().await;
    let mut products = Vec::new();
    for _ in 0..5 {
        products.push(world.product("1").await.to_string());
    }
    products.sort();
    let (mut seen, mut path) = (Vec::new(), "/inventory/v1/products?limit=2".to_owned());
    loop {
        let page = world.buyer().get(&path).send().await.expect(200).value();
        seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["productId"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/inventory/v1/products?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, products);
}
