//! Stand-ins for catalog and pricing: every offering costs 10.00 a piece and is stocked, except where its id says otherwise.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use uuid::Uuid;

/// The active publication.
pub const PUBLICATION: Uuid = Uuid::from_u128(0x11);
/// The one price book.
pub const PRICE_BOOK: Uuid = Uuid::from_u128(0x22);
/// An offering the catalog does not have.
pub const UNKNOWN_OFFERING: Uuid = Uuid::from_u128(0xdead);
/// An offering pricing has no price for.
pub const UNPRICED_OFFERING: Uuid = Uuid::from_u128(0xbeef);
/// An offering whose price does not sum up.
pub const LYING_OFFERING: Uuid = Uuid::from_u128(0xf001);

/// What the stand-ins were asked.
#[derive(Default)]
pub struct Asked {
    pub offerings: AtomicU32,
    pub prices: AtomicU32,
}

/// Both neighbours on one socket; answers their address.
pub async fn start(asked: Arc<Asked>) -> String {
    let router = Router::new()
        .route("/catalog/v1/publications/active", get(active))
        .route("/catalog/v1/publications/{publication}/offerings/{offering}", get(offering))
        .route("/pricing/v1/final-prices", post(final_price))
        .with_state(asked);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn problem(status: StatusCode, code: &str, pointer: &str) -> Response {
    let body = json!({
        "type": format!("https://quoin.dev/problems/{code}"), "title": code, "status": status.as_u16(), "code": code,
        "retryable": false, "errors": [{ "pointer": pointer, "code": code, "detail": code }],
    });
    (status, [("content-type", "application/problem+json")], Json(body)).into_response()
}

async fn active() -> Json<Value> {
    Json(json!({ "publicationId": PUBLICATION, "name": "now", "activatedAt": "2026-01-01T00:00:00Z" }))
}

async fn offering(State(asked): State<Arc<Asked>>, Path((publication, id)): Path<(Uuid, Uuid)>) -> Response {
    asked.offerings.fetch_add(1, Ordering::Relaxed);
    if id == UNKNOWN_OFFERING || publication != PUBLICATION {
        return problem(StatusCode::NOT_FOUND, "not-found", "");
    }
    let body = json!({
        "publicationId": publication, "id": id, "externalId": format!("SKU-{}", id.as_u128()), "name": "Lamp",
        "kind": "simple", "stocked": true, "lifecycleStatus": "active", "characteristics": [], "components": [],
        "prices": [], "version": 1,
    });
    Json(body).into_response()
}

async fn final_price(State(asked): State<Arc<Asked>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    asked.prices.fetch_add(1, Ordering::Relaxed);
    assert!(headers.contains_key("authorization"), "the caller's token goes along");
    assert!(headers.contains_key("idempotency-key"), "a repetition must find the sealed result");
    let request = &body["request"];
    if request["priceBookId"] != json!(PRICE_BOOK) {
        return problem(StatusCode::NOT_FOUND, "unknown-price-book", "/priceBookId");
    }
    let items = request["items"].as_array().unwrap();
    if let Some(n) = items.iter().position(|item| item["offeringId"] == json!(UNPRICED_OFFERING)) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unpriced", &format!("/items/{n}"));
    }
    let lines: Vec<Value> = items.iter().map(priced).collect();
    let sum = |field: &str| -> Decimal { lines.iter().map(|line| decimal(&line[field]["amount"])).sum() };
    let (list, net) = (sum("listAmount"), sum("amount"));
    let percent = if list.is_zero() { Decimal::ZERO } else { (list - net) / list * Decimal::ONE_HUNDRED };
    let deepest = lines.iter().map(|line| decimal(&line["discountPercent"])).max().unwrap_or_default();
    let lie =
        if items.iter().any(|item| item["offeringId"] == json!(LYING_OFFERING)) { Decimal::ONE } else { Decimal::ZERO };
    let answer = json!({
        "priceResultId": Uuid::new_v5(&Uuid::nil(), body.to_string().as_bytes()),
        "resultHash": "ab".repeat(32),
        "totals": {
            "list": money(list), "net": money(net + lie), "oneTime": money(net), "recurring": [],
            "discountPercent": percent.max(Decimal::ZERO).round_dp(4).to_string(),
        },
        "items": lines,
        "approvalInputs": {
            "maxLineDiscountPercent": deepest.max(Decimal::ZERO).to_string(),
            "totalDiscountPercent": percent.max(Decimal::ZERO).round_dp(4).to_string(), "overrides": 0,
        },
    });
    (StatusCode::CREATED, Json(answer)).into_response()
}

fn priced(item: &Value) -> Value {
    let quantity = decimal(&item["quantity"]);
    let list = Decimal::TEN;
    let adjustment = &item["adjustment"];
    let value = decimal(&adjustment["value"]);
    let unit = match adjustment["kind"].as_str() {
        Some("overrideUnitPrice") => value,
        Some("discountPercent") => list * (Decimal::ONE_HUNDRED - value) / Decimal::ONE_HUNDRED,
        _ => list,
    };
    json!({
        "itemId": item["itemId"], "offeringId": item["offeringId"], "quantity": item["quantity"],
        "priceType": "oneTime", "listUnit": list.to_string(), "unit": unit.to_string(), "unitRounded": false,
        "listAmount": money(list * quantity), "documentDiscount": money(Decimal::ZERO),
        "amount": money(unit * quantity), "discountPercent": ((list - unit) / list * Decimal::ONE_HUNDRED).to_string(),
        "overridden": adjustment["kind"] == "overrideUnitPrice", "custom": false,
    })
}

fn money(amount: Decimal) -> Value {
    let mut amount = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    amount.rescale(2);
    json!({ "amount": amount.to_string(), "currency": "EUR" })
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}
