//! The good bodies: every member a schema has, with a value that is let in.

use serde_json::{Map, Value, json};
use system_tests::Shop;
use uuid::Uuid;

/// The good body of an operation, as new as its ids and names must be.
pub fn of(operation: &str, shop: &Shop) -> Option<Value> {
    let (service, path) = operation.split_once(" /")?.1.split_once('/')?;
    let method = operation.split(' ').next()?;
    match service {
        "catalog" => catalog(method, path, shop),
        "pricing" => pricing(method, path, shop),
        "inventory" => inventory(method, path, shop),
        _ => None,
    }
}

/// Members of bodies whose values exist in the shop.
pub fn known(shop: &Shop) -> Map<String, Value> {
    let known = json!({
        "offeringId": shop.ids["lamp"], "productId": shop.ids["lamp"], "priceBookId": shop.book,
        "publicationId": shop.publication, "customerId": shop.customer, "currency": "EUR",
    });
    known.as_object().cloned().unwrap_or_default()
}

fn unique() -> String {
    Uuid::now_v7().to_string()
}

fn month() -> Value {
    json!({ "unit": "month", "length": 1 })
}

fn catalog(method: &str, path: &str, shop: &Shop) -> Option<Value> {
    let (lamp, set) = (&shop.ids["lamp"], &shop.ids["set"]);
    let amount = json!({ "amount": "12.50", "currency": "EUR" });
    let characteristics = json!([
        {
            "name": "colour", "valueType": "string", "configurable": true, "minCardinality": 0, "maxCardinality": 1,
            "allowedValues": ["red", "blue"], "defaultValues": ["red"], "regex": "[a-z]+",
        },
        {
            "name": "weight", "valueType": "decimal", "configurable": true, "minCardinality": 0, "maxCardinality": 1,
            "minimum": "0.5", "maximum": "9.5", "defaultValues": ["1.5"],
        },
    ]);
    Some(match (method, path) {
        ("POST", "v1/imports") => json!({ "dryRun": false, "items": [
            {
                "externalId": unique(), "name": "A desk", "description": "Of oak", "category": "things",
                "kind": "simple", "stocked": true, "characteristics": characteristics,
                "prices": [{ "priceType": "recurring", "period": month(), "amount": amount, "unitOfMeasure": "piece" }],
            },
            {
                "externalId": unique(), "name": "A set", "kind": "bundle", "stocked": false,
                "components": [{ "externalId": "lamp", "min": 1, "max": 2, "default": 1 }],
            },
        ] }),
        ("POST", "v1/specifications") => json!({
            "externalId": unique(), "name": "Furniture", "description": "To sit on", "characteristics": characteristics,
            "lifecycleStatus": "inStudy",
        }),
        ("PATCH", "v1/specifications/{id}") => {
            json!({ "name": "Furniture", "description": "To lie on", "characteristics": characteristics, "lifecycleStatus": "inDesign" })
        }
        ("POST", "v1/offerings") => json!({
            "externalId": unique(), "name": "A set", "description": "Two things", "category": "sets", "kind": "bundle",
            "stocked": false, "components": [{ "offeringId": lamp, "min": 0, "max": 2, "default": 1 }],
            "lifecycleStatus": "inStudy",
        }),
        ("PATCH", "v1/offerings/{id}") => json!({
            "name": "A bigger set", "description": "Three things", "category": "sets", "lifecycleStatus": "inDesign",
            "components": [{ "offeringId": lamp, "min": 0, "max": 3, "default": 1 }],
        }),
        ("POST", "v1/prices") => json!({
            "offeringId": lamp, "priceType": "recurring", "period": month(), "amount": amount, "unitOfMeasure": "piece",
            "lifecycleStatus": "inStudy",
        }),
        ("PATCH", "v1/prices/{id}") => {
            json!({ "amount": amount, "unitOfMeasure": "dozen", "lifecycleStatus": "inDesign" })
        }
        ("POST", "v1/publications") => json!({ "name": "spring", "activate": true }),
        ("POST", "v1/publications/{id}/configurations/validate") => json!({
            "offeringId": set, "quantity": "1", "characteristics": {},
            "components": [{ "offeringId": lamp, "quantity": "1", "characteristics": {} }],
        }),
        _ => return None,
    })
}

fn pricing(method: &str, path: &str, shop: &Shop) -> Option<Value> {
    let lamp = &shop.ids["lamp"];
    let adjustment =
        json!({ "kind": "discountPercent", "value": "5", "reason": "an old friend", "priceType": "oneTime" });
    let request = json!({
        "priceBookId": shop.book, "publicationId": shop.publication, "currency": "EUR", "customerId": shop.customer,
        "termMonths": 12, "documentDiscountPercent": "5",
        "items": [
            { "itemId": "a", "offeringId": lamp, "quantity": "2", "adjustment": adjustment },
            { "itemId": "b", "offeringId": shop.ids["delivery"], "quantity": "1", "usageQuantity": "10.5" },
        ],
    });
    Some(match (method, path) {
        ("POST", "v1/price-previews") => request,
        ("POST", "v1/final-prices") => json!({ "quoteId": unique(), "revisionNo": 1, "request": request }),
        ("PUT", "v1/price-books/{externalId}") => json!({
            "name": "summer", "currency": "EUR", "rounding": "halfUp",
            "entries": [
                {
                    "offeringId": lamp, "priceType": "recurring", "period": month(), "model": "package",
                    "packageSize": "10", "tiers": [{ "upTo": "9", "unitPrice": "10.25", "flat": "1.5" }, { "unitPrice": "8" }],
                    "validFrom": "2026-01-01T00:00:00Z", "validTo": "2096-01-01T00:00:00Z",
                },
                { "offeringId": shop.ids["chair"], "priceType": "oneTime", "model": "volume", "tiers": [{ "unitPrice": "8" }] },
            ],
        }),
        _ => return None,
    })
}

fn inventory(method: &str, path: &str, shop: &Shop) -> Option<Value> {
    let lamp = &shop.ids["lamp"];
    Some(match (method, path) {
        ("POST", "v1/imports/stock") => json!({ "items": [{
            "productId": lamp, "externalId": "lamp", "location": "attic", "quantity": "5", "reference": unique(),
        }] }),
        ("POST", "v1/movements") => {
            json!({ "kind": "adjustment", "productId": lamp, "location": "attic", "quantity": "2.5", "reference": unique() })
        }
        ("POST", "v1/reservations") => json!({
            "reference": unique(), "ttlSecs": 60,
            "items": [{ "itemId": "a", "productId": lamp, "location": "main", "quantity": "0.001" }],
        }),
        ("POST", "v1/installed-products") => json!({ "orderId": unique(), "items": [{
            "orderItemId": unique(), "offeringId": lamp, "name": "The lamp", "quantity": "1",
        }] }),
        _ => return None,
    })
}
