//! For every operation a call that succeeds, with the things it needs made afresh.
//!
//! A bad call proves something only if the good one beside it is let in: whatever is refused is refused for its one fault.

mod access;
pub mod bodies;
mod eligibility;
mod hub;
mod sales;

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::Value;
use system_tests::shop::{get, text};

use crate::{
    document::{Operation, Place},
    wire::{Call, Key},
    world::World,
};

/// A call that is let in.
pub struct Good {
    /// The call.
    pub call: Call,
    /// Its body as JSON.
    pub body: Option<Value>,
    /// What it is answered; `None` for any success.
    pub answer: Option<u16>,
}

/// What an operation needs beside its parameters' names.
#[derive(Default)]
struct Needs {
    /// Path parameters, by name.
    path: Vec<(&'static str, String)>,
    /// The query, with its `?`.
    query: String,
    /// The version the change is based on.
    version: Option<u64>,
    /// The body.
    body: Option<Value>,
    /// Who calls, if not the admin.
    token: Option<String>,
    /// The answer, if it is no success.
    answer: Option<u16>,
}

/// Sets the stage for an operation.
pub async fn set(world: &World, operation: &Operation) -> Result<Good> {
    let needs = needs(world, operation).await.with_context(|| format!("no stage for {}", operation.name()))?;
    let mut path = operation.template.clone();
    for (name, value) in &needs.path {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    if path.contains('{') {
        bail!("{path} lacks a value: give it one in tests/contract/stage.rs");
    }
    let mut call = Call::new(operation.method.clone(), path);
    call.query = needs.query;
    call.authorization = Some(needs.token.unwrap_or_else(|| world.people.admin.clone()));
    if let Some(version) = needs.version.filter(|_| operation.header("if-match").is_some()) {
        call = call.with_header("if-match", format!("\"{version}\""));
    }
    if operation.header("idempotency-key").is_some() {
        call.key = Key::Fresh;
    }
    if let (Some(shape), Some(body)) = (&operation.body, &needs.body) {
        call.body = Some((shape.media.clone(), body.to_string().into_bytes()));
    }
    Ok(Good { call, body: needs.body, answer: needs.answer })
}

async fn needs(world: &World, operation: &Operation) -> Result<Needs> {
    let name = operation.name();
    if let Some(needs) = sales::needs(world, operation).await? {
        return Ok(needs);
    }
    if let Some(needs) = access::needs(world, operation).await? {
        return Ok(needs);
    }
    if let Some(needs) = eligibility::needs(world, operation).await? {
        return Ok(needs);
    }
    if let Some(needs) = hub::needs(world, operation).await? {
        return Ok(needs);
    }
    let mut needs = Needs { body: bodies::of(&name, &world.shop), ..Needs::default() };
    match name.as_str() {
        "GET /catalog/v1/publications/{id}/offerings" => needs.query = "?q=lamp".to_owned(),
        "GET /inventory/v1/installed-products" => needs.query = format!("?orderId={}", uuid::Uuid::now_v7()),
        "PUT /pricing/v1/price-books/{externalId}" => {
            let book = uuid::Uuid::now_v7().to_string();
            let path = format!("/pricing/v1/price-books/{book}");
            let created = world.shop.admin.put(path).json(&needs.body).if_absent().send::<Value>().await?;
            needs.version = created.version();
            needs.path.push(("externalId", book));
        }
        // What the other trials do to the working copy cannot be published.
        "POST /catalog/v1/publications" => needs.token = Some(world.people.publisher.clone()),
        "POST /catalog/v1/publications/{id}/activate" => {
            needs.version = Some(version_at(world, "/catalog/v1/publications/active").await?);
        }
        _ => {}
    }
    if operation.parameters_in(Place::Path).count() > needs.path.len() {
        found_in_lists(world, operation, &mut needs).await?;
    }
    Ok(needs)
}

/// Path parameters of things that lists show: the newest of them, and its version.
async fn found_in_lists(world: &World, operation: &Operation, needs: &mut Needs) -> Result<()> {
    let shop = &world.shop;
    let template = operation.template.as_str();
    if template.starts_with("/inventory/v1/products/") {
        needs.path.push(("productId", text(&shop.ids, "/lamp")));
        return Ok(());
    }
    if template.starts_with("/catalog/v1/publications/") {
        needs.path.extend([("id", shop.publication.clone()), ("offeringId", text(&shop.ids, "/lamp"))]);
        return Ok(());
    }
    if template.starts_with("/pricing/v1/price-books/") {
        needs.path.push(("externalId", "list".to_owned()));
        return Ok(());
    }
    let (list, _) = template.split_once("/{").context("no parameter")?;
    let id = match bodies::of(&format!("POST {list}"), shop) {
        // A thing of its own, so that one trial does not change what another reads.
        Some(body) if operation.method == Method::PATCH => {
            text(&shop.admin.post(list).json(&body).send::<Value>().await?.value, "/id")
        }
        _ => text(&get(&shop.admin, list).await?, "/items/0/id"),
    };
    needs.version = version_at(world, &format!("{list}/{id}")).await.ok();
    needs.path.push(("id", id));
    Ok(())
}

async fn version_at(world: &World, path: &str) -> Result<u64> {
    let answer = world.shop.admin.get(path).send::<Value>().await?;
    answer.version().with_context(|| format!("{path} has no ETag"))
}
