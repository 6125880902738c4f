//! Bad input is a problem with a pointer, and changes nothing.

use serde_json::json;
use service_runtime::Role;
use uuid::Uuid;

use crate::world::World;

#[tokio::test]
async fn an_order_with_a_wrong_field_names_it() {
    let world = World::new().await;
    let quote = world.accepted(&[("1", "10.00")]);
    let cases = [
        (json!({ "revisionNo": 1 }), "/quoteId"),
        (json!({ "quoteId": "x", "revisionNo": 1 }), "/quoteId"),
        (json!({ "quoteId": quote }), "/revisionNo"),
        (json!({ "quoteId": quote, "revisionNo": 0 }), "/revisionNo"),
        (json!({ "quoteId": quote, "revisionNo": "1" }), "/revisionNo"),
        (json!({ "quoteId": quote, "revisionNo": 1, "total": "0.01" }), "/total"),
    ];
    let before = world.digest().await;
    for (body, pointer) in cases {
        let reply = world.rep().post("/order/v1/orders", &body).key("k").send().await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer], "{body}");
    }
    let body = json!({ "quoteId": quote, "revisionNo": 1 });
    world.rep().post("/order/v1/orders", &body).send().await.expect_problem(400, "idempotency-key-required");
    world
        .client(Role::CatalogAdmin)
        .post("/order/v1/orders", &body)
        .key("k")
        .send()
        .await
        .expect_problem(403, "forbidden");
    let nobody = world.service.client_with_token(None).post("/order/v1/orders", &body).key("k").send().await;
    assert_eq!(nobody.status.as_u16(), 401);
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn a_cancellation_with_a_wrong_field_names_it() {
    let world = World::new().await;
    let order = world.completed(&[("3", "10.00")]).await;
    let item = |quantity: &str| json!({ "orderItemId": order.item(0), "quantity": quantity });
    let cases = [
        (json!({}), "/reason"),
        (json!({ "reason": " " }), "/reason"),
        (json!({ "reason": "r", "items": [] }), "/items"),
        (json!({ "reason": "r", "items": [{ "orderItemId": order.item(0) }] }), "/items/0/quantity"),
        (json!({ "reason": "r", "items": [item("0")] }), "/items/0/quantity"),
        (json!({ "reason": "r", "items": [item("-1")] }), "/items/0/quantity"),
        (json!({ "reason": "r", "items": [item("4")] }), "/items/0/quantity"),
        (json!({ "reason": "r", "items": [item("1"), item("1")] }), "/items/1/orderItemId"),
        (json!({ "reason": "r", "items": [{ "orderItemId": Uuid::nil(), "quantity": "1" }] }), "/items/0/orderItemId"),
        (json!({ "reason": "r", "externalId": "" }), "/externalId"),
        (json!({ "reason": "r", "credit": "-100" }), "/credit"),
    ];
    let before = world.digest().await;
    for (body, pointer) in cases {
        let reply = world.cancel(&order, &body, "k").await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer], "{body}");
    }
    let path = format!("{}/cancellations", order.path());
    let body = json!({ "reason": "r" });
    world.rep().post(&path, &body).send().await.expect_problem(400, "idempotency-key-required");
    world.client(Role::Approver).post(&path, &body).key("k").send().await.expect_problem(403, "forbidden");
    world.rep().post(&path, &body).key("k").if_match(1).send().await.expect_problem(412, "precondition-failed");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn queries_that_are_not_understood_are_refused() {
    let world = World::new().await;
    for query in ["limit=0", "limit=101", "state=wild", "quoteId=7", "sort=asc", "cursor=abc"] {
        let reply = world.rep().get(&format!("/order/v1/orders?{query}")).send().await;
        assert_eq!(reply.status.as_u16(), 400, "{query}: {}", reply.text());
    }
}
