//! Another tenant sees nothing and changes nothing; a role that may not, may not.

use serde_json::json;

use crate::world::{World, line};

#[tokio::test]
async fn a_stranger_finds_nothing_and_changes_nothing() {
    let world = World::start().await;
    let product = world.product("10").await;
    let made = world.reserve("order-1", json!([line("a", product, "1")])).await.expect(201).value();
    let reservation = made["id"].as_str().unwrap();
    let before = world.everything().await;
    let stranger = world.stranger();
    for path in [
        format!("products/{product}/stock"),
        format!("products/{product}/stock?consistency=bounded"),
        format!("products/{product}/movements"),
        format!("reservations/{reservation}"),
    ] {
        stranger.get(&format!("/inventory/v1/{path}")).send().await.expect(404);
    }
    for step in ["commit", "release"] {
        let path = format!("/inventory/v1/reservations/{reservation}/{step}");
        stranger.post(&path, &json!(null)).send().await.expect(404);
    }
    let listed = stranger.get("/inventory/v1/products").send().await.expect(200).value();
    assert_eq!(listed["items"], json!([]));
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_buyer_may_look_and_not_touch() {
    let world = World::start().await;
    let product = world.product("10").await;
    let before = world.everything().await;
    let buyer = world.buyer();
    let movement = json!({ "kind": "receipt", "productId": product, "quantity": "1", "reference": "r" });
    let reservation = json!({ "reference": "r", "items": [line("a", product, "1")] });
    buyer.post("/inventory/v1/movements", &movement).send().await.expect(403);
    buyer.post("/inventory/v1/reservations", &reservation).send().await.expect(403);
    buyer.get("/inventory/v1/reconciliation").send().await.expect(403);
    assert_eq!(world.everything().await, before);
    world.service.client_with_token(None).get("/inventory/v1/products").send().await.expect(401);
}

#[tokio::test]
async fn without_a_tenant_the_service_role_sees_no_row() {
    let world = World::start().await;
    world.product("10").await;
    let pool = sqlx::PgPool::connect(&world.database.service_url("inventory_serve")).await.unwrap();
    for table in ["product_stock", "stock_level", "movement", "reservation", "installed_product"] {
        let statement = sqlx::AssertSqlSafe(format!("select count(*) from inventory.{table}"));
        let seen: i64 = sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap();
        assert_eq!(seen, 0, "{table}");
    }
}
