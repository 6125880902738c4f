//! Bad input is a problem with a pointer, and changes nothing.

use serde_json::{Value, json};
use service_runtime::Role;

use crate::{
    neighbours::PRICE_BOOK,
    world::{World, line, new_quote},
};

fn quote_with(field: &str, value: Value) -> Value {
    let mut body = new_quote(&[line(1, "1")]);
    body[field] = value;
    body
}

fn item_with(field: &str, value: Value) -> Value {
    let mut item = line(1, "1");
    item[field] = value;
    new_quote(&[line(2, "1"), item])
}

#[tokio::test]
async fn a_quote_with_a_wrong_field_names_it() {
    let world = World::new().await;
    let adjustment = |kind: &str, value: &str, reason: &str| json!({ "kind": kind, "value": value, "reason": reason });
    let cases = [
        (quote_with("currency", json!("EURO")), "/currency"),
        (quote_with("currency", json!("XXQ")), "/currency"),
        (quote_with("priceBookId", json!("book")), "/priceBookId"),
        (quote_with("customerId", json!(7)), "/customerId"),
        (quote_with("level", json!("wild")), "/level"),
        (quote_with("validForDays", json!(0)), "/validForDays"),
        (quote_with("validForDays", json!(366)), "/validForDays"),
        (quote_with("externalId", json!("")), "/externalId"),
        (quote_with("externalId", json!("x".repeat(101))), "/externalId"),
        (quote_with("colour", json!("red")), "/colour"),
        (item_with("quantity", json!("0")), "/items/1/quantity"),
        (item_with("quantity", json!("-1")), "/items/1/quantity"),
        (item_with("quantity", json!("1.0000001")), "/items/1/quantity"),
        (item_with("quantity", json!("1e3")), "/items/1/quantity"),
        (item_with("quantity", json!(1)), "/items/1/quantity"),
        (item_with("offeringId", json!("x")), "/items/1/offeringId"),
        (item_with("characteristics", json!({ "c": { "nested": 1 } })), "/items/1/characteristics"),
        (item_with("characteristics", json!({ "": "x" })), "/items/1/characteristics"),
        (item_with("adjustment", adjustment("discountPercent", "101", "r")), "/items/1/adjustment"),
        (item_with("adjustment", adjustment("overrideUnitPrice", "-1", "r")), "/items/1/adjustment"),
        (item_with("adjustment", adjustment("gift", "1", "r")), "/items/1/adjustment/kind"),
        (item_with("adjustment", adjustment("discountPercent", "1", "")), "/items/1/adjustment/reason"),
        (json!({ "currency": "EUR" }), "/priceBookId"),
    ];
    let before = world.digest().await;
    for (body, pointer) in cases {
        let reply = world.rep().post("/quote/v1/quotes", &body).send().await;
        reply.expect_problem(422, "invalid-request");
        let pointers = reply.pointers();
        assert!(pointers.iter().any(|found| found.starts_with(pointer)), "{pointer} not in {pointers:?} for {body}");
    }
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let world = World::new().await;
    let send = |media: &'static str, body: String| {
        world.rep().request("POST".parse().unwrap(), "/quote/v1/quotes").body(media, body).send()
    };
    send("application/json", "{".into()).await.expect_problem(400, "malformed-json");
    send("text/plain", "{}".into()).await.expect_problem(415, "unsupported-media-type");
    send("application/json", " ".repeat(1_100_000)).await.expect_problem(413, "body-too-large");
    let many: Vec<Value> = (0..1_001).map(|n| line(n, "1")).collect();
    let reply = world.rep().post("/quote/v1/quotes", &new_quote(&many)).send().await;
    reply.expect_problem(422, "invalid-request");
    assert_eq!(reply.pointers(), ["/items"]);
    assert_eq!(world.count("select count(*) from quote.quote").await, 0);
}

#[tokio::test]
async fn nobody_comes_in_without_a_valid_token_or_the_right_role() {
    let world = World::new().await;
    let body = new_quote(&[]);
    for token in [None, Some("x.y.z".to_owned())] {
        let reply = world.service.client_with_token(token).post("/quote/v1/quotes", &body).send().await;
        assert_eq!(reply.status.as_u16(), 401);
    }
    for role in [Role::Approver, Role::CatalogAdmin, Role::FulfilmentAgent] {
        world.client(role).post("/quote/v1/quotes", &body).send().await.expect_problem(403, "forbidden");
    }
    let quote = world.priced("1").await;
    quote.send(&world.buyer(), "submit").await.expect_problem(403, "forbidden");
    assert_eq!(PRICE_BOOK.to_string(), quote.0["priceBookId"]);
}

#[tokio::test]
async fn edits_and_commands_with_wrong_bodies_name_the_field_and_change_nothing() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let item = format!("{}/items/{}", quote.revision_path(), quote.item(0));
    let offer = world.presented("1").await;
    let before = world.digest().await;
    let cases = [
        ("PATCH", item.clone(), json!({ "quantity": null }), "/quantity"),
        ("PATCH", item.clone(), json!({ "quantity": "0" }), "/quantity"),
        ("PATCH", item.clone(), json!({ "offeringId": crate::world::offering(2) }), "/offeringId"),
        (
            "PATCH",
            item,
            json!({ "adjustment": { "kind": "discountPercent", "value": "200", "reason": "r" } }),
            "/adjustment",
        ),
        ("POST", format!("{}/items", quote.revision_path()), json!({ "quantity": "1" }), "/offeringId"),
        ("POST", format!("{}/present", offer.revision_path()), json!({ "validForDays": 400 }), "/validForDays"),
        ("POST", format!("{}/decline", offer.revision_path()), json!({ "reason": "x".repeat(2_001) }), "/reason"),
        ("POST", format!("{}/decline", offer.revision_path()), json!({ "why": "x" }), "/why"),
        ("POST", format!("{}/accept", offer.revision_path()), json!({}), "/contentHash"),
        ("POST", format!("{}/approve", offer.revision_path()), json!({ "contentHash": 1 }), "/contentHash"),
    ];
    for (method, path, body, pointer) in cases {
        let admin = world.named("admin", Role::TenantAdmin);
        let reply = admin.request(method.parse().unwrap(), &path).if_match(1).key("k").json(&body).send().await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer], "{path} {body}");
    }
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn queries_that_are_not_understood_are_refused() {
    let world = World::new().await;
    for query in ["limit=0", "limit=101", "limit=x", "state=wild", "customerId=7", "sort=asc", "cursor=abc"] {
        let reply = world.rep().get(&format!("/quote/v1/quotes?{query}")).send().await;
        assert_eq!(reply.status.as_u16(), 400, "{query}: {}", reply.text());
    }
    world.rep().get("/quote/v1/customers?limit=0").send().await.expect_problem(400, "invalid-query");
}
