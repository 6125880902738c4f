//! Stages of the operations that move something: quotes, orders and reservations in the state the operation is for.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::shop::{command, content_hash, get, post, text};
use uuid::Uuid;

use super::Needs;
use crate::{document::Operation, wire::Call, world::World};

/// What an operation on a quote, an order or a reservation needs; `None` for others.
pub async fn needs(world: &World, operation: &Operation) -> Result<Option<Needs>> {
    let shop = &world.shop;
    let template = operation.template.as_str();
    Ok(Some(match (operation.method.as_str(), template) {
        ("POST", "/quote/v1/imports/customers") => body(json!({ "items": [{
            "externalId": Uuid::now_v7(), "name": "A customer", "country": "NL", "segment": "small",
            "customerSince": "2024-02-29",
        }] })),
        ("POST", "/quote/v1/quotes") => body(json!({
            "externalId": Uuid::now_v7(), "customerId": shop.customer, "priceBookId": shop.book,
            "publicationId": shop.publication, "currency": "EUR", "level": "firm", "validForDays": 30, "items": [line(world)],
        })),
        ("GET", "/quote/v1/customers") => query("?externalId=c-1"),
        ("GET", "/quote/v1/quotes") => query("?state=open"),
        ("GET", "/order/v1/orders") => query("?state=acknowledged"),
        ("GET", "/quote/v1/customers/{id}") => path([("id", shop.customer.clone())]),
        ("POST", "/order/v1/orders") => {
            let quote = accepted(world).await?;
            body(json!({ "quoteId": quote["id"], "revisionNo": quote["currentRevision"]["revisionNo"] }))
        }
        (_, template) if template.starts_with("/quote/v1/quotes/{id}") => quote(world, operation).await?,
        (_, template) if template.starts_with("/order/v1/orders/{id}") => order(world, operation).await?,
        (_, template) if template.starts_with("/inventory/v1/reservations/{id}") => reservation(world).await?,
        (_, template) if template.starts_with("/pricing/v1/price-results/{id}") => {
            let priced = priced(world).await?;
            path([("id", text(&priced, "/currentRevision/priceResultId"))])
        }
        _ => return Ok(None),
    }))
}

fn body(body: Value) -> Needs {
    Needs { body: Some(body), ..Needs::default() }
}

fn query(query: &str) -> Needs {
    Needs { query: query.to_owned(), ..Needs::default() }
}

fn path<const N: usize>(path: [(&'static str, String); N]) -> Needs {
    Needs { path: path.into(), ..Needs::default() }
}

/// A line with everything a line can have.
fn line(world: &World) -> Value {
    let mut line = world.shop.discounted("lamp", 2, "5");
    line["characteristics"] = json!({});
    line
}

async fn draft(world: &World, percent: &str) -> Result<Value> {
    let shop = &world.shop;
    shop.quote(&[shop.discounted("lamp", 1, percent)]).await
}

async fn priced(world: &World) -> Result<Value> {
    Ok(command(&world.shop.seller, &draft(world, "5").await?, "price", &json!({})).await?)
}

async fn submitted(world: &World, percent: &str) -> Result<Value> {
    let seller = &world.shop.seller;
    let priced = command(seller, &draft(world, percent).await?, "price", &json!({})).await?;
    Ok(command(seller, &priced, "submit", &json!({})).await?)
}

async fn presented(world: &World) -> Result<Value> {
    Ok(command(&world.shop.seller, &submitted(world, "5").await?, "present", &json!({})).await?)
}

async fn accepted(world: &World) -> Result<Value> {
    let quote = presented(world).await?;
    Ok(world.shop.accept(&quote, &Uuid::now_v7().to_string()).await?.value)
}

async fn quote(world: &World, operation: &Operation) -> Result<Needs> {
    let last = operation.template.rsplit('/').next().unwrap_or_default();
    let quote = match last {
        "submit" => priced(world).await?,
        // A deeper discount than may be given without asking.
        "approve" | "reject" | "recall" => submitted(world, "40").await?,
        "present" => submitted(world, "5").await?,
        "accept" | "decline" | "request-changes" | "lose" | "history" => presented(world).await?,
        "revisions" => presented(world).await?,
        "acceptance" => accepted(world).await?,
        _ => draft(world, "5").await?,
    };
    let mut needs = path([
        ("id", text(&quote, "/id")),
        ("n", text(&quote, "/currentRevision/revisionNo")),
        ("itemId", text(&quote, "/currentRevision/items/0/id")),
    ]);
    needs.version = quote["version"].as_u64();
    needs.body = match last {
        "draft" => operation.body.as_ref().map(|_| edits(world, &quote)),
        "items" => Some(line(world)),
        "{itemId}" => Some(json!({ "quantity": "3", "characteristics": {}, "adjustment": line(world)["adjustment"] })),
        "approve" | "reject" => {
            Some(json!({ "comment": "as agreed", "contentHash": content_hash(&quote)["contentHash"] }))
        }
        "present" => Some(json!({ "validForDays": 14 })),
        "accept" => Some(content_hash(&quote)),
        _ => operation.body.as_ref().map(|_| json!({ "reason": "as agreed" })),
    };
    if last == "save" {
        let kept = waiting_edits(world, &quote).await?;
        needs.version = kept["quoteVersion"].as_u64();
    }
    if matches!(last, "approve" | "reject") {
        needs.token = Some(world.people.approver.clone());
    }
    Ok(needs)
}

/// Edits of every kind. Whether the removed line exists is asked when they are saved.
fn edits(world: &World, quote: &Value) -> Value {
    let patch = json!({ "quantity": "3", "characteristics": {}, "adjustment": line(world)["adjustment"] });
    let item = &quote["currentRevision"]["items"][0]["id"];
    json!({ "remove": [Uuid::now_v7()], "change": [{ "itemId": item, "patch": patch }], "add": [line(world)] })
}

/// Edits that wait to be saved, and can be.
async fn waiting_edits(world: &World, quote: &Value) -> Result<Value> {
    let path = format!("/quote/v1/quotes/{}/draft", text(quote, "/id"));
    let mut call = Call::new(Method::PUT, path).with_bytes(json!({ "add": [line(world)] }).to_string());
    call.authorization = Some(world.people.admin.clone());
    let reply = world.wire.send(&call.with_header("if-match", format!("\"{}\"", quote["version"]))).await?;
    anyhow::ensure!(reply.status == 200, "no edits wait: {}", reply.status);
    Ok(reply.json())
}

async fn order(world: &World, operation: &Operation) -> Result<Needs> {
    let shop = &world.shop;
    let quote = accepted(world).await?;
    let revision = json!({ "quoteId": quote["id"], "revisionNo": quote["currentRevision"]["revisionNo"] });
    let ordered = shop.admin.post("/order/v1/orders").key(Uuid::now_v7().to_string()).json(&revision);
    let order = ordered.send::<Value>().await?.value;
    let id = text(&order, "/id");
    let item = order["items"][0]["id"].clone();
    let cancellation = json!({
        "externalId": Uuid::now_v7(), "reason": "too late", "items": [{ "orderItemId": item, "quantity": "0.5" }],
    });
    let mut needs = path([("id", id.clone()), ("taskId", text(&order, "/tasks/0/id"))]);
    needs.version = order["version"].as_u64();
    match operation.template.rsplit('/').next() {
        Some("cancellations") => needs.body = Some(cancellation),
        Some("{cancellationId}") => {
            let asked = shop.admin.post(format!("/order/v1/orders/{id}/cancellations")).key(Uuid::now_v7().to_string());
            let asked = asked.json(&cancellation).send::<Value>().await?.value;
            needs.path.push(("cancellationId", text(&asked, "/id")));
        }
        // Nobody works here, so no task has fallen out.
        Some("retry") => needs.answer = Some(409),
        _ => {}
    }
    Ok(needs)
}

async fn reservation(world: &World) -> Result<Needs> {
    let admin = &world.shop.admin;
    let wanted = super::bodies::of("POST /inventory/v1/reservations", &world.shop).context("no body")?;
    let held = post(admin, "/inventory/v1/reservations", &wanted).await?;
    let id = text(&held, "/id");
    let version = get(admin, &format!("/inventory/v1/reservations/{id}")).await?["version"].as_u64();
    Ok(Needs { path: vec![("id", id)], version, ..Needs::default() })
}
