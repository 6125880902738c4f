//! Configurations over HTTP; the rules themselves are tested beside them.

use serde_json::{Value, json};

use crate::support::{Catalog, import, publish, simple, text};

struct Published {
    validate: String,
    kit: Value,
    router: Value,
}

async fn published(catalog: &Catalog) -> Published {
    let editor = catalog.editor();
    let router = json!({"externalId": "R", "name": "router", "kind": "simple", "stocked": true, "characteristics": [
        {"name": "colour", "valueType": "string", "minCardinality": 1, "allowedValues": ["red", "blue"]},
        {"name": "ports", "valueType": "integer", "minimum": "1", "maximum": "48", "defaultValues": [8]}]});
    let kit = json!({"externalId": "K", "name": "kit", "kind": "bundle", "stocked": false, "components": [
        {"externalId": "R", "min": 1, "max": 2, "default": 1}, {"externalId": "L", "min": 0, "max": 1, "default": 1}]});
    let report = import(&editor, json!([router, kit, simple("L", "line")])).await;
    let publication = publish(&editor, "one").await;
    Published {
        validate: format!("/catalog/v1/publications/{}/configurations/validate", text(&publication, "id")),
        kit: report["items"][1]["offeringId"].clone(),
        router: report["items"][0]["offeringId"].clone(),
    }
}

#[tokio::test]
async fn two_ways_of_saying_the_same_have_one_hash_with_and_without_a_cache() {
    let mut hashes = Vec::new();
    for catalog in [Catalog::start().await, Catalog::without_cache().await] {
        let published = published(&catalog).await;
        let short = json!({"offeringId": published.kit, "components": [
            {"offeringId": published.router, "characteristics": {"colour": "red"}}]});
        let long = json!({"offeringId": published.kit, "quantity": "1.0", "components": [
            {"offeringId": published.router, "quantity": "1", "characteristics": {"ports": 8, "colour": ["red"]}}]});
        for body in [short, long] {
            let verdict = catalog.buyer().post(&published.validate, &body).send().await.expect(200).value();
            assert_eq!((&verdict["valid"], &verdict["problems"]), (&json!(true), &json!([])));
            hashes.push(text(&verdict, "configurationHash").to_owned());
        }
    }
    assert_eq!(hashes[0].len(), 64);
    assert_eq!(hashes[0], hashes[1]);
    assert_eq!(hashes[2], hashes[3]);
}

#[tokio::test]
async fn everything_wrong_is_named_by_pointer_and_there_is_no_hash() {
    let catalog = Catalog::start().await;
    let published = published(&catalog).await;
    let body = json!({"offeringId": published.kit, "quantity": "0", "components": [
        {"offeringId": published.router, "quantity": "3", "characteristics": {"colour": "green", "ports": 49, "wings": 2}}]});
    let verdict = catalog.buyer().post(&published.validate, &body).send().await.expect(200).value();
    assert_eq!((&verdict["valid"], &verdict["configurationHash"]), (&json!(false), &Value::Null));
    let mut pointers: Vec<_> =
        verdict["problems"].as_array().unwrap().iter().map(|problem| text(problem, "pointer")).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/components/0/characteristics/colour",
            "/components/0/characteristics/ports",
            "/components/0/characteristics/wings",
            "/components/0/quantity",
            "/quantity"
        ]
    );
    let unknown = json!({"offeringId": "0190a5b2-aaaa-7bbb-8ccc-000000000000"});
    let verdict = catalog.buyer().post(&published.validate, &unknown).send().await.expect(200).value();
    assert_eq!(verdict["problems"][0]["code"], "unknown-offering");
    let malformed = json!({"offeringId": published.kit, "quantity": "many"});
    let refused = catalog.buyer().post(&published.validate, &malformed).send().await;
    refused.expect_problem(422, "invalid-request");
    assert_eq!(refused.pointers(), ["/quantity"]);
}
