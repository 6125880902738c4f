//! Prices come from sealed results, and from nowhere else.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::{
    neighbours::{LYING_OFFERING, PUBLICATION, UNKNOWN_OFFERING, UNPRICED_OFFERING},
    world::{Quote, World, line, new_quote},
};

#[tokio::test]
async fn a_price_stores_what_pricing_sealed_and_pins_the_publication() {
    let world = World::new().await;
    let quote = world.priced("2.5").await;
    let revision = quote.revision();
    assert_eq!(revision["totals"]["net"], json!({ "amount": "25.00", "currency": "EUR" }));
    assert!(revision["priceResultId"].is_string());
    let item = &revision["items"][0];
    assert_eq!((&item["name"], &item["externalId"], &item["stocked"]), (&json!("Lamp"), &json!("SKU-1"), &json!(true)));
    assert_eq!((&item["unit"], &item["amount"]["amount"]), (&json!("10"), &json!("25.00")));
    assert_eq!(quote.0["publicationId"], json!(PUBLICATION));
    assert_eq!(quote.again(&world.rep()).await.0, quote.0);
}

#[tokio::test]
async fn an_offering_is_resolved_once() {
    let world = World::new().await;
    let body = new_quote(&[line(1, "1"), line(1, "2"), line(2, "1")]);
    let quote = Quote(world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value());
    let priced = quote.then(&world.rep(), "price").await;
    assert_eq!(world.asked.offerings.load(Ordering::Relaxed), 2);
    priced.then(&world.rep(), "price").await;
    assert_eq!(world.asked.offerings.load(Ordering::Relaxed), 2, "resolved lines are not asked for again");
}

#[tokio::test]
async fn what_cannot_be_priced_is_named_and_changes_nothing() {
    let world = World::new().await;
    for (offering, code, pointer) in
        [(UNKNOWN_OFFERING, "invalid-request", "/items/1/offeringId"), (UNPRICED_OFFERING, "unpriced", "/items/1")]
    {
        let body = new_quote(&[line(1, "1"), json!({ "offeringId": offering, "quantity": "1" })]);
        let quote = Quote(world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value());
        let before = world.digest().await;
        let refused = quote.send(&world.rep(), "price").await;
        refused.expect_problem(422, code);
        assert_eq!(refused.pointers(), [pointer]);
        assert_eq!(world.digest().await, before);
    }
}

#[tokio::test]
async fn an_unknown_price_book_and_an_empty_quote_are_named() {
    let world = World::new().await;
    let mut body = new_quote(&[line(1, "1")]);
    body["priceBookId"] = json!(uuid::Uuid::nil());
    let quote = Quote(world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value());
    let refused = quote.send(&world.rep(), "price").await;
    refused.expect_problem(422, "invalid-request");
    assert_eq!(refused.pointers(), ["/priceBookId"]);

    let empty = Quote(world.rep().post("/quote/v1/quotes", &new_quote(&[])).send().await.expect(201).value());
    let refused = empty.send(&world.rep(), "price").await;
    refused.expect_problem(422, "invalid-request");
    assert_eq!(refused.pointers(), ["/items"]);
}

#[tokio::test]
async fn a_price_that_does_not_add_up_is_not_stored() {
    let world = World::new().await;
    let body = new_quote(&[json!({ "offeringId": LYING_OFFERING, "quantity": "1" })]);
    let quote = Quote(world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value());
    let before = world.digest().await;
    quote.send(&world.rep(), "price").await.expect_problem(502, "upstream-failed");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn a_quote_edited_while_it_is_being_priced_keeps_its_stale_price() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let rep = world.rep();
    let path = format!("{}/items", quote.revision_path());
    let (added, line_two) = (rep.post(&path, &line(2, "1")).if_match(1), quote.send(&rep, "price"));
    let (added, priced) = tokio::join!(added.send(), line_two);
    // Whoever came first, the other one was based on a version that no longer is.
    let statuses = [added.status.as_u16(), priced.status.as_u16()];
    assert!(statuses == [200, 412] || statuses == [412, 200], "{statuses:?}");
    let now = quote.again(&rep).await;
    assert_eq!(now.revision()["priceStale"], added.status.is_success());
}

#[tokio::test]
async fn a_repetition_by_key_gives_the_first_answer_though_the_version_is_old() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let path = format!("{}/price", quote.revision_path());
    let price = || world.rep().request("POST".parse().unwrap(), &path).if_match(1).key("p1").send();
    let first = price().await.expect(200);
    let again = price().await.expect(200);
    assert_eq!((first.value(), again.header("idempotency-replayed")), (again.value(), "true"));
}
