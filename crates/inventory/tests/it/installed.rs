//! What customers have.

use kernel::{OfferingId, OrderId};
use serde_json::json;

use crate::world::World;

const PATH: &str = "/inventory/v1/installed-products";

#[tokio::test]
async fn an_order_item_installs_once() {
    let world = World::start().await;
    let (order, offering) = (OrderId::generate(), OfferingId::generate());
    let item = |id: &str| json!({ "orderItemId": id, "offeringId": offering, "name": "Router", "quantity": "2" });
    let one = json!({ "orderId": order, "items": [item("1")] });
    let both = json!({ "orderId": order, "items": [item("1"), item("2")] });
    world.keeper().post(PATH, &one).send().await.expect(201);
    world.keeper().post(PATH, &one).send().await.expect(200);
    let all = world.keeper().post(PATH, &both).send().await.expect(201).value();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let seen = world.buyer().get(&format!("{PATH}?orderId={order}")).send().await.expect(200).value();
    assert_eq!(seen, all);
    let facts: i64 = sqlx::query_scalar("select count(*) from inventory.outbox where event_type = 'ProductInstalled'")
        .fetch_one(&world.admin)
        .await
        .unwrap();
    assert_eq!(facts, 2);
}
