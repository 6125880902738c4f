//! A small shop: two goods, a service, a bundle, prices with a break, stock and a customer; and the steps of a sale.

use anyhow::{Context, Result, ensure};
use quoin::api::{Answer, Api, ApiError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::{api, eventually};

/// What lies in the warehouse of each of the goods at the beginning.
pub const OPENING: i64 = 1_000;

/// A tenant with a catalog, prices, stock and people.
pub struct Shop {
    /// The tenant.
    pub tenant: String,
    /// May do everything except approve what he edited.
    pub admin: Api,
    /// Sells.
    pub seller: Api,
    /// Approves.
    pub approver: Api,
    /// Ids by external id.
    pub ids: Value,
    /// The active publication.
    pub publication: String,
    /// The price book.
    pub book: String,
    /// The customer.
    pub customer: String,
}

impl Shop {
    /// Sells one of its goods to businesses only from now on. Its customer is none.
    pub async fn restrict_to_businesses(&self, name: &str) -> Result<()> {
        let policy = json!({ "otherwise": "eligible", "rules": [{
            "code": "for-business", "text": "For businesses only", "effect": "allow",
            "customers": { "segments": ["business"] }, "offeringIds": [self.ids[name]],
        }] });
        self.admin.put("/quote/v1/eligibility-policy").if_match(0).json(&policy).send::<Value>().await?;
        Ok(())
    }

    /// Opens a shop in `tenant`.
    pub async fn open(url: &str, tenant: &str) -> Result<Self> {
        let admin = api(url, tenant, "admin", &["tenantAdmin"])?;
        let ids = import_catalog(&admin).await?;
        let publish = json!({ "name": "opening", "activate": true });
        let publication = post(&admin, "/catalog/v1/publications", &publish).await?;
        let book = put_book(&admin, &ids, "10.00").await?;
        let customers = json!({ "items": [{ "externalId": "c-1", "name": "First Customer", "country": "NL" }] });
        let customers = post(&admin, "/quote/v1/imports/customers", &customers).await?;
        let stock: Vec<Value> = ["lamp", "chair"]
            .iter()
            .map(|name| {
                json!({ "productId": ids[name], "externalId": name, "quantity": OPENING.to_string(), "reference": format!("opening {name}") })
            })
            .collect();
        post(&admin, "/inventory/v1/imports/stock", &json!({ "items": stock })).await?;
        Ok(Self {
            tenant: tenant.to_owned(),
            seller: api(url, tenant, "seller", &["salesRep", "buyer", "orderAgent"])?,
            approver: api(url, tenant, "approver", &["approver"])?,
            publication: text(&publication, "/id"),
            book: text(&book, "/id"),
            customer: text(&customers, "/items/0/customerId"),
            ids,
            admin,
        })
    }

    /// A line of a quote.
    pub fn line(&self, name: &str, quantity: u32) -> Value {
        json!({ "offeringId": self.ids[name], "quantity": quantity.to_string() })
    }

    /// A line with a discount.
    pub fn discounted(&self, name: &str, quantity: u32, percent: &str) -> Value {
        let adjustment = json!({ "kind": "discountPercent", "value": percent, "reason": "a test wants it" });
        json!({ "offeringId": self.ids[name], "quantity": quantity.to_string(), "adjustment": adjustment })
    }

    /// A price request of these lines.
    pub fn price_request(&self, lines: &[(&str, u32)]) -> Value {
        let items: Vec<Value> = lines
            .iter()
            .enumerate()
            .map(|(at, (name, quantity))| json!({ "itemId": format!("i{at}"), "offeringId": self.ids[name], "quantity": quantity.to_string() }))
            .collect();
        json!({ "priceBookId": self.book, "publicationId": self.publication, "currency": "EUR", "items": items })
    }

    /// A new quote.
    pub async fn quote(&self, lines: &[Value]) -> Result<Value> {
        let external_id = Uuid::now_v7().to_string();
        let body = json!({
            "externalId": external_id, "customerId": self.customer, "priceBookId": self.book,
            "publicationId": self.publication, "currency": "EUR", "level": "firm", "items": lines,
        });
        let call = self.seller.post("/quote/v1/quotes").key(external_id).json(&body);
        Ok(call.send::<Value>().await?.value)
    }

    /// A quote brought to where the customer may accept it; approved where that is needed.
    pub async fn presented(&self, lines: &[Value]) -> Result<Value> {
        let quote = self.quote(lines).await?;
        let priced = command(&self.seller, &quote, "price", &json!({})).await?;
        let mut submitted = command(&self.seller, &priced, "submit", &json!({})).await?;
        if text(&submitted, "/currentRevision/state") == "inApproval" {
            submitted = command(&self.approver, &submitted, "approve", &content_hash(&submitted)).await?;
        }
        command(&self.seller, &submitted, "present", &json!({})).await.map_err(Into::into)
    }

    /// Accepts a presented quote under an idempotency key.
    pub async fn accept(&self, quote: &Value, key: &str) -> Result<Answer<Value>, ApiError> {
        self.seller.post(path(quote, "accept")).key(key).json(&content_hash(quote)).send().await
    }

    /// The orders of a quote.
    pub async fn orders(&self, quote: &Value) -> Result<Vec<Value>> {
        let found = get(&self.seller, &format!("/order/v1/orders?quoteId={}", text(quote, "/id"))).await?;
        found["items"].as_array().cloned().context("no list of orders")
    }

    /// The one order of an accepted quote, when it is completed.
    pub async fn completed(&self, quote: &Value) -> Result<Value> {
        let id = eventually("the order is completed", async || {
            let orders = self.orders(quote).await?;
            ensure!(orders.len() <= 1, "one quote, {} orders", orders.len());
            let done = orders.first().filter(|order| order["state"] == "completed");
            Ok(done.map(|order| text(order, "/id")))
        })
        .await?;
        get(&self.seller, &format!("/order/v1/orders/{id}")).await
    }

    /// The same, when nothing happens by itself any more: after the completion come the hand-off to invoicing, a version
    /// more, and the end of the quote, which hears of it.
    pub async fn settled(&self, quote: &Value) -> Result<Value> {
        let order = format!("/order/v1/orders/{}", text(&self.completed(quote).await?, "/id"));
        eventually("the order and its quote have ended", async || {
            let order = get(&self.seller, &order).await?;
            let tasks = order["tasks"].as_array().context("no tasks")?;
            let done = !tasks.is_empty() && tasks.iter().all(|task| task["state"] == "completed");
            let closed =
                get(&self.seller, &format!("/quote/v1/quotes/{}", text(quote, "/id"))).await?["state"] == "closed";
            Ok((done && closed).then_some(order))
        })
        .await
    }

    /// What lies in the warehouse, as the authority says.
    pub async fn on_hand(&self, name: &str) -> Result<i64> {
        let product = text(&self.ids, &format!("/{name}"));
        let stock = get(&self.admin, &format!("/inventory/v1/products/{product}/stock?consistency=strict")).await?;
        Ok(text(&stock, "/onHand").parse()?)
    }
}

/// A command on a quote's current revision.
pub async fn command(who: &Api, quote: &Value, name: &str, body: &Value) -> Result<Value, ApiError> {
    let version = quote["version"].as_u64().unwrap_or_default();
    let call = who.post(path(quote, name)).if_match(version).key(Uuid::now_v7().to_string());
    Ok(call.json(body).send::<Value>().await?.value)
}

/// The path of a command on a quote's current revision.
pub fn path(quote: &Value, command: &str) -> String {
    let (id, revision) = (text(quote, "/id"), text(quote, "/currentRevision/revisionNo"));
    format!("/quote/v1/quotes/{id}/revisions/{revision}/{command}")
}

/// The hash a decision about a quote is bound to.
pub fn content_hash(quote: &Value) -> Value {
    json!({ "contentHash": quote["currentRevision"]["contentHash"] })
}

/// The text at a JSON pointer; numbers as text; empty when nothing is there.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Reads.
pub async fn get(api: &Api, path: &str) -> Result<Value> {
    Ok(api.get(path).send::<Value>().await?.value)
}

/// Sends a command.
pub async fn post(api: &Api, path: &str, body: &Value) -> Result<Value> {
    Ok(api.post(path).json(body).send::<Value>().await?.value)
}

async fn import_catalog(admin: &Api) -> Result<Value> {
    let simple = |name: &str, stocked: bool| json!({ "externalId": name, "name": format!("The {name}"), "category": "things", "kind": "simple", "stocked": stocked });
    let component = |name: &str, max: u32| json!({ "externalId": name, "min": 1, "max": max, "default": 1 });
    let set = json!({
        "externalId": "set", "name": "The set", "category": "bundles", "kind": "bundle", "stocked": false,
        "components": [component("lamp", 2), component("chair", 4)],
    });
    let items = json!({ "items": [simple("lamp", true), simple("chair", true), simple("delivery", false), set] });
    let imported = post(admin, "/catalog/v1/imports", &items).await?;
    let pairs = imported["items"].as_array().context("no items")?.iter();
    Ok(pairs
        .map(|item| (text(item, "/externalId"), item["offeringId"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into())
}

/// Stores the price book; the first lamp costs `lamp`.
pub async fn put_book(admin: &Api, ids: &Value, lamp: &str) -> Result<Value> {
    let once = |name: &str, tiers: Value| json!({ "offeringId": ids[name], "priceType": "oneTime", "model": "volume", "tiers": tiers });
    let month = json!({ "unit": "month", "length": 1 });
    let body = json!({
        "name": "list prices", "currency": "EUR",
        "entries": [
            once("lamp", json!([{ "upTo": "9", "unitPrice": lamp }, { "unitPrice": "8.00" }])),
            once("chair", json!([{ "unitPrice": "49.95" }])),
            once("delivery", json!([{ "unitPrice": "12.50" }])),
            once("set", json!([{ "unitPrice": "99.00" }])),
            { "offeringId": ids["delivery"], "priceType": "recurring", "period": month, "model": "volume", "tiers": [{ "unitPrice": "3.00" }] },
        ],
    });
    let path = "/pricing/v1/price-books/list";
    let call = admin.put(path).json(&body);
    let call = match admin.get(path).send::<Value>().await {
        Ok(known) => call.if_match(known.version().unwrap_or_default()),
        Err(_) => call.if_absent(),
    };
    Ok(call.send::<Value>().await?.value)
}
