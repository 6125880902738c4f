//! Edits that wait to be saved: kept for their user, bound to a version, lost by no refusal.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, NoStore};
use serde_json::{Value, json};
use service_runtime::{
    Role,
    testing::{TestClient, TestReply},
};

use crate::world::{Quote, World, line};

fn draft_path(quote: &Quote) -> String {
    format!("{}/draft", quote.path())
}

async fn keep(client: &TestClient, quote: &Quote, version: u64, edits: &Value) -> TestReply {
    client.put(&draft_path(quote), edits).if_match(version).send().await
}

async fn save(client: &TestClient, quote: &Quote, version: u64) -> TestReply {
    let path = format!("{}/save", draft_path(quote));
    client.request("POST".parse().unwrap(), &path).if_match(version).send().await
}

async fn waiting(client: &TestClient, quote: &Quote) -> Value {
    client.get(&draft_path(quote)).send().await.expect(200).value()
}

fn quantity(item: &str, quantity: &str) -> Value {
    json!({ "change": [{ "itemId": item, "patch": { "quantity": quantity } }] })
}

#[tokio::test]
async fn kept_edits_are_not_saved_until_they_are_and_then_they_are_one_version() {
    let world = World::new().await;
    let (rep, quote) = (world.rep(), world.draft("1").await);
    let edits = json!({ "change": [{ "itemId": quote.item(0), "patch": { "quantity": "5" } }], "add": [line(2, "3")] });
    let before = world.digest().await;
    let kept = keep(&rep, &quote, 1, &edits).await.expect(200).value();
    assert_eq!((&kept["saved"], &kept["buffer"], &kept["baseVersion"]), (&json!(false), &json!("holding"), &json!(1)));
    let shown = waiting(&rep, &quote).await;
    assert_eq!((&shown["saved"], &shown["edits"]["change"]), (&json!(false), &edits["change"]));
    assert_eq!(world.digest().await, before, "nothing is written while edits wait");
    assert_eq!(quote.again(&rep).await.revision()["items"][0]["quantity"], "1");

    let saved = save(&rep, &quote, 1).await.expect(200);
    assert_eq!(saved.version(), 2);
    let report = saved.value();
    assert_eq!((&report["saved"], &report["buffer"]), (&json!(true), &json!("empty")));
    let items = &report["quote"]["currentRevision"]["items"];
    assert_eq!((&items[0]["quantity"], &items[1]["quantity"]), (&json!("5"), &json!("3")));
    let shown = waiting(&rep, &quote).await;
    assert_eq!((&shown["saved"], &shown["buffer"]), (&Value::Null, &json!("empty")));
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'QuoteChanged'").await, 2);
    save(&rep, &quote, 2).await.expect_problem(409, "no-unsaved-edits");
}

#[tokio::test]
async fn edits_of_an_older_version_are_refused_and_go_on_waiting() {
    let world = World::new().await;
    let (rep, quote) = (world.rep(), world.draft("1").await);
    let edits = quantity(quote.item(0), "5");
    keep(&rep, &quote, 1, &edits).await.expect(200);
    let desk = world.client(Role::DealDesk);
    desk.post(&format!("{}/items", quote.revision_path()), &line(2, "1")).if_match(1).send().await.expect(200);
    let before = world.digest().await;
    save(&rep, &quote, 1).await.expect_problem(412, "precondition-failed");
    let outdated = save(&rep, &quote, 2).await;
    let problem = outdated.expect_problem(409, "edits-outdated");
    assert_eq!((&problem["baseVersion"], &problem["currentVersion"]), (&json!(1), &json!(2)));
    assert_eq!(world.digest().await, before);
    let shown = waiting(&rep, &quote).await;
    assert_eq!((&shown["baseVersion"], &shown["quoteVersion"]), (&json!(1), &json!(2)));
    assert_eq!(shown["edits"]["change"], edits["change"], "they are not lost");
    // Sent again over what is there now, they are saved.
    keep(&rep, &quote, 2, &edits).await.expect(200);
    assert_eq!(save(&rep, &quote, 2).await.expect(200).version(), 3);
}

#[tokio::test]
async fn edits_belong_to_whoever_made_them() {
    let world = World::new().await;
    let (rep, quote) = (world.rep(), world.draft("1").await);
    keep(&rep, &quote, 1, &quantity(quote.item(0), "5")).await.expect(200);
    let colleague = world.named("kim", Role::SalesRep);
    assert_eq!(waiting(&colleague, &quote).await["buffer"], "empty");
    save(&colleague, &quote, 1).await.expect_problem(409, "no-unsaved-edits");
    let discarded = colleague.request("DELETE".parse().unwrap(), &draft_path(&quote)).send().await.expect(200).value();
    assert_eq!(discarded["buffer"], "empty");
    assert_eq!(waiting(&rep, &quote).await["buffer"], "holding");
    let discarded = rep.request("DELETE".parse().unwrap(), &draft_path(&quote)).send().await.expect(200).value();
    assert_eq!((&discarded["buffer"], &discarded["saved"]), (&json!("empty"), &Value::Null));
    assert_eq!(quote.again(&rep).await.version(), 1);
}

#[tokio::test]
async fn a_refused_save_changes_nothing_and_loses_nothing() {
    let world = World::new().await;
    let (rep, buyer, quote) = (world.rep(), world.buyer(), world.draft("1").await);
    let stranger = uuid::Uuid::from_u128(9).to_string();
    let edits = json!({ "add": [line(2, "3")], "change": [{ "itemId": stranger, "patch": { "quantity": "2" } }] });
    keep(&rep, &quote, 1, &edits).await.expect(200);
    let before = world.digest().await;
    let refused = save(&rep, &quote, 1).await;
    refused.expect_problem(422, "invalid-request");
    assert_eq!(refused.pointers(), ["/change/0/itemId"]);
    // A price changed by hand is the seller's business, whenever it was asked for.
    let discount = json!({ "kind": "discountPercent", "value": "10", "reason": "a friend" });
    let patch = json!({ "change": [{ "itemId": quote.item(0), "patch": { "adjustment": discount } }] });
    keep(&buyer, &quote, 1, &patch).await.expect(200);
    save(&buyer, &quote, 1).await.expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
    assert_eq!(waiting(&rep, &quote).await["buffer"], "holding");
    assert_eq!(waiting(&buyer, &quote).await["edits"]["change"], patch["change"], "null and absence stay apart");

    let removal = json!({ "change": [{ "itemId": quote.item(0), "patch": { "adjustment": null } }] });
    keep(&rep, &quote, 1, &removal).await.expect(200);
    assert_eq!(waiting(&rep, &quote).await["edits"]["change"], removal["change"]);
}

#[tokio::test]
async fn bad_edits_are_not_even_kept() {
    let world = World::new().await;
    let (rep, quote) = (world.rep(), world.draft("1").await);
    let item = quote.item(0);
    let many: Vec<Value> = (0..201).map(|_| line(2, "1")).collect();
    let cases = [
        (json!({}), ""),
        (json!({ "add": many }), "/add"),
        (json!({ "add": [line(2, "0")] }), "/add/0/quantity"),
        (json!({ "remove": [item, item] }), "/remove/1"),
        (json!({ "remove": [item], "change": [{ "itemId": item, "patch": {} }] }), "/change/0/itemId"),
        (json!({ "change": [{ "itemId": item, "patch": { "color": "red" } }] }), "/change/0/patch/color"),
        (json!({ "rename": [] }), "/rename"),
    ];
    for (edits, pointer) in cases {
        let reply = keep(&rep, &quote, 1, &edits).await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer]);
    }
    let good = quantity(item, "2");
    keep(&rep, &quote, 7, &good).await.expect_problem(412, "precondition-failed");
    rep.put(&draft_path(&quote), &good).send().await.expect_problem(428, "precondition-required");
    keep(&world.client(Role::Approver), &quote, 1, &good).await.expect_problem(403, "forbidden");
    assert_eq!(waiting(&rep, &quote).await["buffer"], "empty");
    let approved = world.approved("1").await;
    let refused = keep(&rep, &approved, approved.version(), &quantity(approved.item(0), "2")).await;
    refused.expect_problem(409, "illegal-transition");
}

#[tokio::test]
async fn without_a_buffer_edits_are_saved_at_once_and_the_answer_says_so() {
    let nowhere = Engine::new(Arc::new(NoStore), EngineConfig::default()).caches();
    let world = World::over(nowhere).await;
    let (rep, quote) = (world.rep(), world.draft("1").await);
    let report = keep(&rep, &quote, 1, &quantity(quote.item(0), "5")).await.expect(200);
    assert_eq!(report.version(), 2);
    let report = report.value();
    assert_eq!((&report["saved"], &report["quoteVersion"]), (&json!(true), &json!(2)));
    assert_eq!(report["quote"]["currentRevision"]["items"][0]["quantity"], "5");
    assert_eq!(quote.again(&rep).await.revision()["items"][0]["quantity"], "5");
    save(&rep, &quote, 2).await.expect_problem(409, "no-unsaved-edits");
}
