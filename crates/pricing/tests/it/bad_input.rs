//! Bad input, endpoint by endpoint: a problem with the place of the fault, and not one row changed.

use serde_json::{Value, json};
use service_runtime::testing::{TestClient, TestReply};
use uuid::Uuid;

use crate::world::{World, adjusted, book, item, ladder, offering, put, request, seal, simple};

/// A body, and what must be said about it.
type Case = (Value, u16, &'static str, &'static [&'static str]);

async fn nothing_changes(world: &World, cases: Vec<Case>, send: impl AsyncFn(&Value) -> TestReply) {
    let before = world.row_counts().await;
    for (body, status, code, pointers) in cases {
        let reply = send(&body).await;
        reply.expect_problem(status, code);
        assert_eq!(reply.pointers(), pointers, "{body}: {}", reply.text());
    }
    assert_eq!(world.row_counts().await, before);
}

/// A document with one value put in at a pointer.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[field] = value;
    body
}

fn entry_with(field: &str, value: Value) -> Value {
    book(&[with(ladder(1, "volume"), field, value)])
}

fn odd_price_books() -> Vec<Case> {
    let mut closed = ladder(1, "volume");
    closed["tiers"][2]["upTo"] = json!("90");
    let mut gap = ladder(1, "volume");
    gap["tiers"][0].as_object_mut().unwrap().remove("upTo");
    let many: Vec<Value> = (0..20_001).map(|n| simple(n, "1")).collect();
    vec![
        (json!({}), 422, "invalid-request", &["/name"]),
        (json!({ "name": "", "currency": "EUR", "entries": [] }), 422, "invalid-request", &["/name"]),
        (with(book(&[]), "/currency", json!("XYZ")), 422, "invalid-request", &["/currency"]),
        (with(book(&[]), "/name", json!("a\u{0}b")), 422, "invalid-request", &["/name"]),
        (with(book(&[]), "/surprise", json!(1)), 422, "invalid-request", &["/surprise"]),
        (with(book(&[]), "/rounding", json!("down")), 422, "invalid-request", &["/rounding"]),
        (entry_with("/tiers", json!([])), 422, "invalid-request", &["/entries/0/tiers"]),
        (entry_with("/model", json!("slab")), 422, "invalid-request", &["/entries/0/model"]),
        (entry_with("/offeringId", json!("x")), 422, "invalid-request", &["/entries/0/offeringId"]),
        (entry_with("/tiers/0/unitPrice", json!(10)), 422, "invalid-request", &["/entries/0/tiers/0/unitPrice"]),
        (entry_with("/tiers/1/unitPrice", json!("-1")), 422, "invalid-request", &["/entries/0/tiers/1/unitPrice"]),
        (
            entry_with("/tiers/1/unitPrice", json!("0.0000001")),
            422,
            "invalid-request",
            &["/entries/0/tiers/1/unitPrice"],
        ),
        (entry_with("/tiers/1/upTo", json!("10")), 422, "invalid-request", &["/entries/0/tiers/1/upTo"]),
        (entry_with("/tiers/0/upTo", json!("0")), 422, "invalid-request", &["/entries/0/tiers/0/upTo"]),
        (book(&[closed]), 422, "invalid-request", &["/entries/0/tiers/2/upTo"]),
        (book(&[gap]), 422, "invalid-request", &["/entries/0/tiers/0/upTo"]),
        (entry_with("/packageSize", json!("5")), 422, "invalid-request", &["/entries/0/packageSize"]),
        (entry_with("/model", json!("package")), 422, "invalid-request", &["/entries/0/packageSize"]),
        (
            entry_with("/period", json!({ "unit": "month", "length": 1 })),
            422,
            "invalid-request",
            &["/entries/0/period"],
        ),
        (entry_with("/priceType", json!("recurring")), 422, "invalid-request", &["/entries/0/period"]),
        (book(&[simple(1, "1"), simple(2, "1"), simple(1, "2")]), 422, "invalid-request", &["/entries/2"]),
        (book(&many), 422, "invalid-request", &["/entries"]),
    ]
}

#[tokio::test]
async fn odd_price_books_are_refused() {
    let world = World::new().await;
    let keeper = world.keeper();
    nothing_changes(&world, odd_price_books(), async |body| put(&keeper, "list", body).await).await;
}

fn odd_requests(id: &str, base: &'static str) -> Vec<(Value, u16, &'static str, Vec<String>)> {
    let good = || request(id, &[item(1, "1")]);
    let line = |field: &str, value: Value| with(good(), &format!("/items/0/{field}"), value);
    let by_hand = |kind: &str, value: &str| request(id, &[adjusted(1, "1", kind, value)]);
    let many: Vec<Value> = (0..5_001).map(|_| item(1, "1")).collect();
    let mut unexplained = by_hand("discountPercent", "5");
    unexplained["items"][0]["adjustment"]["reason"] = json!("  ");
    let mut silent = by_hand("discountPercent", "5");
    silent["items"][0]["adjustment"]["reason"] = json!("a\u{0}b");
    let mut misplaced = by_hand("discountPercent", "5");
    misplaced["items"][0]["adjustment"]["priceType"] = json!("usage");
    let cases: Vec<(Value, &'static str, &str)> = vec![
        (with(good(), "/items", json!([])), "invalid-request", "/items"),
        (request(id, &many), "invalid-request", "/items"),
        (with(good(), "/surprise", json!(1)), "invalid-request", "/surprise"),
        (with(good(), "/termMonths", json!(0)), "invalid-request", "/termMonths"),
        (with(good(), "/termMonths", json!("12")), "invalid-request", "/termMonths"),
        (with(good(), "/currency", json!("USD")), "currency-mismatch", "/currency"),
        (with(good(), "/documentDiscountPercent", json!("101")), "invalid-request", "/documentDiscountPercent"),
        (with(good(), "/documentDiscountPercent", json!("1e1")), "invalid-request", "/documentDiscountPercent"),
        (line("quantity", json!("-1")), "invalid-request", "/items/0/quantity"),
        (line("quantity", json!(1)), "invalid-request", "/items/0/quantity"),
        (line("quantity", json!("1.0000001")), "invalid-request", "/items/0/quantity"),
        (line("quantity", json!("NaN")), "invalid-request", "/items/0/quantity"),
        (line("itemId", json!("")), "invalid-request", "/items/0/itemId"),
        (line("itemId", json!("a\u{0}b")), "invalid-request", "/items/0/itemId"),
        (silent, "invalid-request", "/items/0/adjustment/reason"),
        (line("offeringId", json!(offering(9))), "unpriced", "/items/0"),
        (request(id, &[item(1, "1"), item(1, "2")]), "invalid-request", "/items/1/itemId"),
        (unexplained, "invalid-request", "/items/0/adjustment/reason"),
        (misplaced, "invalid-request", "/items/0/adjustment/priceType"),
        (by_hand("discountPercent", "100.01"), "invalid-request", "/items/0/adjustment/value"),
        (by_hand("discountAmount", "-1"), "invalid-request", "/items/0/adjustment/value"),
        (by_hand("overrideUnitPrice", "ten"), "invalid-request", "/items/0/adjustment/value"),
        (by_hand("doubleIt", "1"), "invalid-request", "/items/0/adjustment/kind"),
        (by_hand("overrideUnitPrice", "0.0000001"), "invalid-request", "/items/0/adjustment/value"),
    ];
    cases.into_iter().map(|(body, code, pointer)| (body, 422, code, vec![format!("{base}{pointer}")])).collect()
}

async fn ask(client: &TestClient, path: &str, content_type: &str, body: &'static str) -> TestReply {
    client.request(http::Method::POST, path).body(content_type, body).send().await
}

#[tokio::test]
async fn odd_price_requests_are_refused() {
    let world = World::new().await;
    let id = world.price_book(&[ladder(1, "volume")]).await;
    let seller = world.seller();
    let before = world.row_counts().await;
    for (body, status, code, pointers) in odd_requests(&id, "") {
        let reply = crate::world::preview(&seller, &body).await;
        reply.expect_problem(status, code);
        assert_eq!(reply.pointers(), pointers, "{}", reply.text());
    }
    for (body, status, code, pointers) in odd_requests(&id, "/request") {
        let reply = seal(&seller, Uuid::from_u128(1), 1, &body).await;
        reply.expect_problem(status, code);
        assert_eq!(reply.pointers(), pointers, "{}", reply.text());
    }
    let zeroth = seal(&seller, Uuid::from_u128(1), 0, &request(&id, &[item(1, "1")])).await;
    zeroth.expect_problem(422, "invalid-request");
    assert_eq!(zeroth.pointers(), ["/revisionNo"]);
    let unknown = request(&Uuid::from_u128(77).to_string(), &[item(1, "1")]);
    crate::world::preview(&seller, &unknown).await.expect_problem(404, "unknown-price-book");
    seal(&seller, Uuid::from_u128(1), 1, &unknown).await.expect_problem(404, "unknown-price-book");
    for path in ["/pricing/v1/price-previews", "/pricing/v1/final-prices"] {
        ask(&seller, path, "application/json", "{").await.expect_problem(400, "malformed-json");
        ask(&seller, path, "text/plain", "{}").await.expect_problem(415, "unsupported-media-type");
        ask(&world.service.client_with_token(None), path, "application/json", "{}")
            .await
            .expect_problem(401, "missing-token");
    }
    assert_eq!(world.row_counts().await, before);
}

#[tokio::test]
async fn ids_that_are_no_ids_name_nothing() {
    let world = World::new().await;
    let seller = world.seller();
    for id in ["3z06z842", "0", "%00", "..%2f", &Uuid::from_u128(5).to_string()] {
        let path = format!("/pricing/v1/price-results/{id}");
        seller.get(&path).send().await.expect_problem(404, "not-found");
        seller.post(&format!("{path}/verify"), &json!({})).send().await.expect_problem(404, "not-found");
        seller.get(&format!("/pricing/v1/price-books/{id}")).send().await.expect_problem(404, "not-found");
        seller.get(&format!("/pricing/v1/price-books/{id}/entries")).send().await.expect_problem(404, "not-found");
    }
}
