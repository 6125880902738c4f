//! The data under measurement: a published catalog and a price book, made through the product's own API.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

/// Offerings in the catalog; every read cycles through all of them.
pub const OFFERINGS: usize = 1_000;
/// Lines of the measured preview and quote.
pub const LINES: usize = 10;
const TENANT: &str = "bench";
/// Makes an offering's document about 2 KiB, the size the floors were first measured with.
const DESCRIPTION_BYTES: usize = 1_500;
const IMPORT_BATCH: usize = 500;

/// What the measurements need to know of the data.
pub struct Seeded {
    /// Token of a sales representative.
    pub token: String,
    /// The active publication.
    pub publication: Uuid,
    /// Its offerings.
    pub offerings: Vec<Uuid>,
    /// The price book.
    pub price_book: Uuid,
}

/// A client of the product's API that expects success.
pub struct Api {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Api {
    /// A client that calls `base` as the bearer of `token`.
    pub fn new(base: &str, token: &str) -> Self {
        Self { base: base.to_owned(), token: token.to_owned(), http: reqwest::Client::new() }
    }

    /// Sends `body` and returns the answer's body.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Result<Value> {
        let mut call = self.http.request(method.parse()?, format!("{}{path}", self.base)).bearer_auth(&self.token);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {path} answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// The headers and roles the measurements use.
pub const fn token_arguments() -> [&'static str; 9] {
    ["token", "--tenant", TENANT, "--subject", "bench", "--role", "salesRep", "--role", "catalogAdmin"]
}

/// Fills an empty product.
pub async fn fill(base: &str, token: String) -> Result<Seeded> {
    let api = Api::new(base, &token);
    let mut offerings = Vec::with_capacity(OFFERINGS);
    let numbers: Vec<usize> = (0..OFFERINGS).collect();
    for batch in numbers.chunks(IMPORT_BATCH) {
        let items: Vec<Value> = batch.iter().map(|number| offering(*number)).collect();
        let answer = api.send("POST", "/catalog/v1/imports", &[], Some(json!({ "items": items }))).await?;
        for item in answer["items"].as_array().context("an import lists its items")? {
            offerings.push(id(&item["offeringId"])?);
        }
    }
    let publication =
        api.send("POST", "/catalog/v1/publications", &[], Some(json!({ "name": "bench", "activate": true }))).await?;
    let entries: Vec<Value> = offerings.iter().map(entry).collect();
    let book = api
        .send(
            "PUT",
            "/pricing/v1/price-books/bench",
            &[("If-None-Match", "*")],
            Some(json!({ "name": "Bench", "currency": "EUR", "entries": entries })),
        )
        .await?;
    Ok(Seeded { publication: id(&publication["id"])?, price_book: id(&book["id"])?, offerings, token })
}

/// An offering to import.
pub fn offering(number: usize) -> Value {
    json!({
        "externalId": format!("bench-{number:05}"),
        "name": format!("Offering {number}"),
        "description": "A product that is described at length. ".repeat(DESCRIPTION_BYTES / 39),
        "category": format!("category-{}", number % 20),
        "kind": "simple",
        "stocked": true,
        "prices": [{ "priceType": "oneTime", "amount": { "amount": "19.90", "currency": "EUR" } }],
    })
}

fn entry(offering: &Uuid) -> Value {
    json!({
        "offeringId": offering,
        "priceType": "oneTime",
        "model": "graduated",
        "tiers": [
            { "upTo": "10", "unitPrice": "19.90" },
            { "upTo": "100", "unitPrice": "17.50" },
            { "unitPrice": "14.25" },
        ],
    })
}

fn id(value: &Value) -> Result<Uuid> {
    Ok(value.as_str().context("an id is a string")?.parse()?)
}
