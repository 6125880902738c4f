//! Customers are imported, and found again.

use serde_json::{Value, json};
use service_runtime::Role;

use crate::world::World;

fn import(items: &[Value]) -> Value {
    json!({ "items": items })
}

#[tokio::test]
async fn an_import_again_changes_nothing_and_a_change_is_one_version_with_one_event() {
    let world = World::new().await;
    let items = [
        json!({ "externalId": "C1", "name": "Ada", "country": "United Kingdom" }),
        json!({ "externalId": "C2", "name": "Bo" }),
    ];
    let send = |items: &[Value]| world.rep().post("/quote/v1/imports/customers", &import(items)).send();
    let first = send(&items).await.expect(200).value();
    assert_eq!((&first["created"], &first["unchanged"]), (&json!(2), &json!(0)));
    let before = world.digest().await;
    let again = send(&items).await.expect(200).value();
    assert_eq!((&again["created"], &again["unchanged"]), (&json!(0), &json!(2)));
    assert_eq!(again["items"][1]["customerId"], first["items"][1]["customerId"]);
    assert_eq!(world.digest().await, before);

    let renamed = [json!({ "externalId": "C2", "name": "Second Ltd" })];
    assert_eq!(send(&renamed).await.expect(200).value()["updated"], 1);
    let id = first["items"][1]["customerId"].as_str().unwrap();
    let reply = world.rep().get(&format!("/quote/v1/customers/{id}")).send().await.expect(200);
    assert_eq!((reply.version(), &reply.value()["name"]), (2, &json!("Second Ltd")));
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'CustomerChanged'").await, 3);
    let found = world.rep().get("/quote/v1/customers?externalId=C1").send().await.expect(200).value();
    assert_eq!(found["items"][0]["country"], "United Kingdom");
}

#[tokio::test]
async fn a_bad_import_names_the_field_and_imports_nothing() {
    let world = World::new().await;
    let good = json!({ "externalId": "C1", "name": "Ada" });
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "externalId": n.to_string(), "name": "x" })).collect();
    let cases = [
        (import(&[]), "/items"),
        (import(&many), "/items"),
        (import(&[good.clone(), json!({ "externalId": "C2", "name": "" })]), "/items/1/name"),
        (import(&[good.clone(), json!({ "externalId": "", "name": "x" })]), "/items/1/externalId"),
        (import(&[good.clone(), good.clone()]), "/items/1/externalId"),
        (import(&[json!({ "externalId": "C1", "name": "x", "age": 7 })]), "/items/0/age"),
    ];
    for (body, pointer) in cases {
        let reply = world.rep().post("/quote/v1/imports/customers", &body).send().await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer]);
    }
    assert_eq!(world.count("select count(*) from quote.customer").await, 0);
    world.buyer().post("/quote/v1/imports/customers", &import(&[good])).send().await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn another_tenants_customer_is_unknown() {
    let world = World::new().await;
    let body = import(&[json!({ "externalId": "C1", "name": "Ada" })]);
    let made = world.rep().post("/quote/v1/imports/customers", &body).send().await.expect(200).value();
    let path = format!("/quote/v1/customers/{}", made["items"][0]["customerId"].as_str().unwrap());
    let stranger = world.service.client(&"other".parse().unwrap(), "rep", &[Role::SalesRep]);
    stranger.get(&path).send().await.expect_problem(404, "not-found");
    world.rep().get("/quote/v1/customers/nobody").send().await.expect_problem(404, "not-found");
}
