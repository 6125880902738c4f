//! Every endpoint refuses bad input with a problem and a pointer, and nothing is changed.

use serde_json::{Value, json};
use service_runtime::testing::TestReply;

use crate::support::{Catalog, id, import, simple};

const NOWHERE: &str = "0190a5b2-aaaa-7bbb-8ccc-000000000000";

fn offering() -> Value {
    json!({"name": "Router", "kind": "simple", "stocked": true})
}

fn with(mut base: Value, member: &str, value: Value) -> Value {
    base[member] = value;
    base
}

async fn refused(catalog: &Catalog, reply: TestReply, pointer: &str, before: &[i64]) {
    reply.expect_problem(422, "invalid-request");
    assert_eq!(reply.pointers(), [pointer], "{}", reply.text());
    assert_eq!(catalog.everything().await, before, "{pointer} changed something");
}

#[tokio::test]
async fn a_broken_draft_is_refused_at_its_place() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let characteristic = |facet: &str, value: Value| json!({"name": "s", "characteristics": [with(json!({"name": "c", "valueType": "integer"}), facet, value)]});
    let price =
        |member: &str, value: Value| with(json!({"offeringId": NOWHERE, "priceType": "oneTime"}), member, value);
    let before = catalog.everything().await;
    for (path, body, pointer) in [
        ("offerings", with(offering(), "name", json!("")), "/name"),
        ("offerings", with(offering(), "name", json!(7)), "/name"),
        ("offerings", with(offering(), "kind", json!("odd")), "/kind"),
        ("offerings", with(offering(), "colour", json!("red")), "/colour"),
        ("offerings", with(offering(), "lifecycleStatus", json!("retired")), "/lifecycleStatus"),
        (
            "offerings",
            with(offering(), "components", json!([{"offeringId": "x", "min": 0, "max": 1, "default": 0}])),
            "/components/0/offeringId",
        ),
        ("offerings", json!({"kind": "simple", "stocked": true}), "/name"),
        ("specifications", characteristic("regex", json!("x")), "/characteristics/0/regex"),
        ("specifications", characteristic("valueType", json!("colour")), "/characteristics/0/valueType"),
        ("specifications", characteristic("minimum", json!(1)), "/characteristics/0/minimum"),
        ("specifications", characteristic("allowedValues", json!([{}])), "/characteristics/0/allowedValues/0"),
        ("prices", price("priceType", json!("oneTime")), "/offeringId"),
        ("prices", price("amount", json!({"amount": 5, "currency": "EUR"})), "/amount/amount"),
    ] {
        let reply = editor.post(&format!("/catalog/v1/{path}"), &body).send().await;
        refused(&catalog, reply, pointer, &before).await;
    }
}

#[tokio::test]
async fn a_broken_patch_is_refused_at_its_place() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let path = format!("/catalog/v1/offerings/{}", id(&editor.post("/catalog/v1/offerings", &offering()).send().await));
    let before = catalog.everything().await;
    for (patch, pointer) in [
        (json!({"name": null}), "/name"),
        (json!({"name": " "}), "/name"),
        (json!({"version": 7}), "/version"),
        (json!({"components": [{"min": 1}]}), "/components/0/offeringId"),
    ] {
        refused(&catalog, editor.patch(&path, &patch).if_match(1).send().await, pointer, &before).await;
    }
    let malformed = editor.request(http_method("PATCH"), &path).if_match(1).body("application/json", "{\"name\":");
    malformed.send().await.expect_problem(400, "malformed-json");
    let text = editor.request(http_method("PATCH"), &path).if_match(1).body("text/plain", "name=x");
    text.send().await.expect_problem(415, "unsupported-media-type");
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn one_broken_item_refuses_the_whole_import() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "old name")])).await;
    let before = catalog.everything().await;
    let kit = json!({"externalId": "K", "name": "kit", "kind": "bundle", "stocked": false, "components": [{"externalId": "Z", "min": 0, "max": 1, "default": 0}]});
    for (bad, pointer) in [
        (with(simple("B", "b"), "name", json!("")), "/items/1/name"),
        (simple("A", "twice"), "/items/1/externalId"),
        (with(simple("B", "b"), "stocked", json!("yes")), "/items/1/stocked"),
        (
            with(simple("B", "b"), "prices", json!([{"priceType": "recurring", "amount": {"amount": "1"}}])),
            "/items/1/prices/0/period",
        ),
        (kit, "/items/1/components/0/externalId"),
    ] {
        let body = json!({"items": [simple("A", "new name"), bad]});
        refused(&catalog, editor.post("/catalog/v1/imports", &body).send().await, pointer, &before).await;
    }
    refused(&catalog, editor.post("/catalog/v1/imports", &json!({"items": []})).send().await, "/items", &before).await;
}

#[tokio::test]
async fn publishing_needs_a_name_and_something_to_publish() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let before = catalog.everything().await;
    let nameless = editor.post("/catalog/v1/publications", &json!({"name": ""})).send().await;
    refused(&catalog, nameless, "/name", &before).await;
    let empty = editor.post("/catalog/v1/publications", &json!({"name": "spring"})).send().await;
    refused(&catalog, empty, "/offerings", &before).await;
}

#[tokio::test]
async fn ids_that_name_nothing_are_404_whatever_their_form() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let before = catalog.everything().await;
    for unknown in [NOWHERE, "3z06z842-not-a-uuid", "%00", "..%2f..%2fetc"] {
        for path in [
            format!("/catalog/v1/specifications/{unknown}"),
            format!("/catalog/v1/offerings/{unknown}"),
            format!("/catalog/v1/prices/{unknown}"),
            format!("/catalog/v1/publications/{unknown}"),
            format!("/catalog/v1/publications/{unknown}/offerings"),
            format!("/catalog/v1/publications/{unknown}/offerings/{NOWHERE}"),
            format!("/catalog/v1/publications/{NOWHERE}/offerings/{unknown}"),
        ] {
            editor.get(&path).send().await.expect_problem(404, "not-found");
        }
        let activate = format!("/catalog/v1/publications/{unknown}/activate");
        editor.post(&activate, &json!({})).send().await.expect_problem(404, "not-found");
        let patch = editor.patch(&format!("/catalog/v1/prices/{unknown}"), &json!({})).if_match(1);
        patch.send().await.expect_problem(404, "not-found");
        let validate = format!("/catalog/v1/publications/{unknown}/configurations/validate");
        editor.post(&validate, &json!({"offeringId": NOWHERE})).send().await.expect_problem(404, "not-found");
    }
    editor.get("/catalog/v1/publications/active").send().await.expect_problem(404, "no-active-publication");
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn only_those_who_keep_the_catalog_may_change_it() {
    let catalog = Catalog::start().await;
    let created = catalog.editor().post("/catalog/v1/offerings", &offering()).send().await.expect(201);
    let before = catalog.everything().await;
    let buyer = catalog.buyer();
    for (path, body) in [
        ("offerings", offering()),
        ("specifications", json!({"name": "s"})),
        ("prices", json!({"offeringId": id(&created), "priceType": "oneTime"})),
        ("imports", json!({"items": [simple("A", "a")]})),
        ("publications", json!({"name": "p"})),
    ] {
        buyer.post(&format!("/catalog/v1/{path}"), &body).send().await.expect_problem(403, "forbidden");
    }
    let patch = buyer.patch(&format!("/catalog/v1/offerings/{}", id(&created)), &json!({"name": "x"})).if_match(1);
    patch.send().await.expect_problem(403, "forbidden");
    let anonymous = catalog.service.client_with_token(None);
    anonymous.get("/catalog/v1/offerings").send().await.expect_problem(401, "missing-token");
    assert_eq!(catalog.everything().await, before);
}

fn http_method(name: &str) -> axum::http::Method {
    name.parse().expect("a method")
}
