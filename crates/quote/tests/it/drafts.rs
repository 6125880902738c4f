//! Creating quotes and editing their lines.

use serde_json::json;
use service_runtime::Role;

use crate::{
    neighbours::UNKNOWN_OFFERING,
    world::{Quote, World, line, new_quote},
};

#[tokio::test]
async fn a_new_quote_is_a_draft_with_its_lines_one_event_and_its_history() {
    let world = World::new().await;
    let mut body = new_quote(&[line(1, "2"), line(2, "1.5")]);
    body["externalId"] = json!("Q-1");
    let reply = world.rep().post("/quote/v1/quotes", &body).send().await.expect(201);
    let quote = Quote(reply.value());
    assert_eq!(reply.header("location"), quote.path());
    assert_eq!((reply.version(), quote.state(), &quote.0["state"]), (1, "draft", &json!("open")));
    assert_eq!(quote.revision()["priceStale"], true);
    assert_eq!(quote.revision()["items"][1]["quantity"], "1.5");
    assert_eq!(quote.again(&world.rep()).await.0, quote.0);
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'QuoteChanged'").await, 1);
    let history = world.rep().get(&format!("{}/history", quote.path())).send().await.expect(200).value();
    assert_eq!(history["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn drafts_are_lenient_about_offerings_nobody_knows() {
    let world = World::new().await;
    let body = new_quote(&[json!({ "offeringId": UNKNOWN_OFFERING, "quantity": "1" })]);
    world.rep().post("/quote/v1/quotes", &body).send().await.expect(201);
    world.rep().post("/quote/v1/quotes", &new_quote(&[])).send().await.expect(201);
}

#[tokio::test]
async fn an_external_id_is_given_once_and_the_second_learns_the_first() {
    let world = World::new().await;
    let mut body = new_quote(&[]);
    body["externalId"] = json!("INV-1");
    let first = Quote(world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value());
    let before = world.digest().await;
    let second = world.rep().post("/quote/v1/quotes", &body).send().await;
    let problem = second.expect_problem(409, "duplicate-external-id");
    assert_eq!(problem["existingId"], first.id());
    assert_eq!(world.digest().await, before);
    let found = world.rep().get("/quote/v1/quotes?externalId=INV-1").send().await.expect(200).value();
    assert_eq!((&found["items"][0]["id"], found["items"].as_array().unwrap().len()), (&json!(first.id()), 1));
    let missed = world.rep().get("/quote/v1/quotes?externalId=inv-1").send().await.expect(200).value();
    assert!(missed["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_same_creation_by_key_is_made_once() {
    let world = World::new().await;
    let body = new_quote(&[line(1, "2")]);
    let create = || world.rep().post("/quote/v1/quotes", &body).key("k1").send();
    let first = create().await.expect(201);
    let again = create().await.expect(201);
    assert_eq!((first.value(), again.header("idempotency-replayed")), (again.value(), "true"));
    assert_eq!(world.count("select count(*) from quote.quote").await, 1);
    let other = world.rep().post("/quote/v1/quotes", &new_quote(&[])).key("k1").send().await;
    other.expect_problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn every_edit_makes_the_price_stale_and_is_one_version() {
    let world = World::new().await;
    let rep = world.rep();
    let quote = world.priced("2").await;
    assert_eq!((quote.version(), quote.revision()["priceStale"].as_bool()), (2, Some(false)));

    let added =
        rep.post(&format!("{}/items", quote.revision_path()), &line(2, "1")).if_match(2).send().await.expect(200);
    let added = Quote(added.value());
    assert_eq!((added.version(), added.revision()["priceStale"].as_bool()), (3, Some(true)));
    assert!(added.revision()["totals"].is_null(), "a stale total is no total");

    let path = format!("{}/items/{}", added.revision_path(), added.item(0));
    let change = json!({ "quantity": "5", "characteristics": { "colour": "red", "size": 4, "gift": true } });
    let changed = Quote(rep.patch(&path, &change).if_match(3).send().await.expect(200).value());
    let item = &changed.revision()["items"][0];
    assert_eq!((&item["quantity"], &item["characteristics"]["size"]), (&json!("5"), &json!(4)));
    assert!(item["amount"].is_null(), "the old amount was for another quantity");

    let path = format!("{}/items/{}", changed.revision_path(), changed.item(1));
    let removed = rep.request("DELETE".parse().unwrap(), &path).if_match(4).send().await.expect(200);
    let removed = Quote(removed.value());
    assert_eq!((removed.version(), removed.revision()["items"].as_array().unwrap().len()), (5, 1));
    assert_eq!(world.count("select count(*) from quote.outbox").await, 5);
}

#[tokio::test]
async fn an_adjustment_is_set_kept_and_removed_by_merge_patch() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let path = format!("{}/items/{}", quote.revision_path(), quote.item(0));
    let set = json!({ "adjustment": { "kind": "discountPercent", "value": "5", "reason": "loyal" } });
    let with = Quote(world.rep().patch(&path, &set).if_match(1).send().await.expect(200).value());
    assert_eq!(with.revision()["items"][0]["adjustment"]["value"], "5");
    let kept =
        Quote(world.rep().patch(&path, &json!({ "quantity": "2" })).if_match(2).send().await.expect(200).value());
    assert_eq!(kept.revision()["items"][0]["adjustment"]["value"], "5");
    let gone = world.rep().patch(&path, &json!({ "adjustment": null })).if_match(3).send().await.expect(200);
    assert!(Quote(gone.value()).again(&world.rep()).await.revision()["items"][0]["adjustment"].is_null());
}

#[tokio::test]
async fn a_buyer_cannot_change_prices_by_hand() {
    let world = World::new().await;
    let mut item = line(1, "1");
    item["adjustment"] = json!({ "kind": "overrideUnitPrice", "value": "0.01", "reason": "please" });
    let before = world.digest().await;
    world.buyer().post("/quote/v1/quotes", &new_quote(&[item.clone()])).send().await.expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
    let quote = world.draft("1").await;
    let before = world.digest().await;
    let path = format!("{}/items", quote.revision_path());
    world.buyer().post(&path, &item).if_match(1).send().await.expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn an_edit_needs_the_version_it_is_based_on() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let path = format!("{}/items", quote.revision_path());
    let before = world.digest().await;
    world.rep().post(&path, &line(2, "1")).send().await.expect_problem(428, "precondition-required");
    let stale = world.rep().post(&path, &line(2, "1")).if_match(9).send().await;
    assert_eq!(stale.expect_problem(412, "precondition-failed")["currentVersion"], 1);
    assert_eq!(stale.header("etag"), "\"1\"");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn pages_hold_every_quote_once_newest_first() {
    let world = World::new().await;
    for _ in 0..5 {
        world.draft("1").await;
    }
    let mut ids = Vec::new();
    let mut path = "/quote/v1/quotes?limit=2".to_owned();
    loop {
        let page = world.client(Role::Buyer).get(&path).send().await.expect(200).value();
        ids.extend(page["items"].as_array().unwrap().iter().map(|quote| quote["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/quote/v1/quotes?limit=2&cursor={cursor}");
    }
    let mut sorted = ids.clone();
    sorted.sort();
    sorted.dedup();
    sorted.reverse();
    assert_eq!((ids.len(), &ids), (5, &sorted));
}
