//! Bad input at every endpoint: a problem with a pointer, and nothing changed.

use serde_json::{Value, json};

use crate::world::{World, line, opening};

/// Path, body, status, and where the problem points to (empty: the problem has no pointer).
type Case = (&'static str, Value, u16, &'static str);

#[tokio::test]
async fn bad_bodies_are_refused_with_a_pointer_and_change_nothing() {
    let world = World::start().await;
    let product = world.product("10").await;
    let unknown = kernel::ProductId::generate();
    let before = world.everything().await;
    let (import, movement) = ("imports/stock", "movements");
    let (reserve, install) = ("reservations", "installed-products");
    let moved = |field: &str, value: Value| {
        let mut body = json!({ "kind": "receipt", "productId": product, "quantity": "1", "reference": "r" });
        body[field] = value;
        body
    };
    let cases: Vec<Case> = vec![
        (import, json!({ "items": [] }), 422, "/items"),
        (import, json!({ "items": [opening(product, "-1")] }), 422, "/items/0/quantity"),
        (import, json!({ "items": [opening(product, "1"), opening(product, "1")] }), 422, "/items/1/reference"),
        (
            import,
            json!({ "items": [{ "productId": "x", "quantity": "1", "reference": "r" }] }),
            422,
            "/items/0/productId",
        ),
        (movement, moved("kind", json!("opening")), 422, "/kind"),
        (movement, moved("quantity", json!("0")), 422, "/quantity"),
        (movement, moved("quantity", json!("-1")), 422, "/quantity"),
        (movement, moved("quantity", json!(1)), 422, "/quantity"),
        (movement, moved("reference", json!("")), 422, "/reference"),
        (movement, moved("location", json!("")), 422, "/location"),
        (movement, moved("productId", json!(unknown)), 422, "/productId"),
        (movement, moved("surprise", json!(1)), 422, "/surprise"),
        (reserve, json!({ "reference": "r", "items": [] }), 422, "/items"),
        (reserve, json!({ "reference": "", "items": [line("a", product, "1")] }), 422, "/reference"),
        (reserve, json!({ "reference": "r", "items": [line("a", product, "0")] }), 422, "/items/0/quantity"),
        (
            reserve,
            json!({ "reference": "r", "items": [line("a", product, "1"), line("a", product, "1")] }),
            422,
            "/items/1/itemId",
        ),
        (reserve, json!({ "reference": "r", "ttlSecs": 0, "items": [line("a", product, "1")] }), 422, "/ttlSecs"),
        (reserve, json!({ "reference": "r", "items": [line("a", unknown, "1")] }), 409, "/items/0/quantity"),
        (install, json!({ "orderId": unknown, "items": [] }), 422, "/items"),
    ];
    for (path, body, status, pointer) in cases {
        let reply = world.keeper().post(&format!("/inventory/v1/{path}"), &body).send().await;
        assert_eq!(reply.status.as_u16(), status, "{path} {body}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path} {body}");
        let problem = reply.value();
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|it| it["pointer"].clone()).collect();
        assert!(pointers.contains(&json!(pointer)), "{path} {body}: {problem}");
        assert_eq!(world.everything().await, before, "{path} {body}");
    }
}

#[tokio::test]
async fn what_is_no_id_names_nothing() {
    let world = World::start().await;
    for path in ["products/x/stock", "products/3z06z842/movements", "reservations/1"] {
        world.keeper().get(&format!("/inventory/v1/{path}")).send().await.expect(404);
    }
    for path in ["products?limit=0", "products?cursor=x", "products?surprise=1", "installed-products"] {
        world.keeper().get(&format!("/inventory/v1/{path}")).send().await.expect(400);
    }
    let broken = world.keeper().request(http::Method::POST, "/inventory/v1/movements").body("application/json", "{");
    broken.send().await.expect(400);
}
