//! Stages of callbacks. A tenant may have few of them, so each trial begins without any.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::Needs;
use crate::{
    document::Operation,
    wire::{Call, Reply},
    world::World,
};

/// What an operation on a service's callbacks needs; `None` for others.
pub async fn needs(world: &World, operation: &Operation) -> Result<Option<Needs>> {
    let Some((base, rest)) = operation.template.split_once("/hub") else { return Ok(None) };
    let hub = format!("{base}/hub");
    if operation.method == Method::POST {
        remove_all(world, &hub).await?;
    }
    Ok(Some(match (operation.method.as_str(), rest) {
        ("POST", "") => Needs { body: Some(listener()), ..Needs::default() },
        ("GET", "") => Needs::default(),
        (_, rest) => {
            let made = sent(world, Call::new(Method::POST, hub).with_bytes(listener().to_string())).await?;
            ensure!(made.status == 201, "no callback was registered: {}", made.status);
            let id = made.json()["id"].as_str().context("a subscription has an id")?.to_owned();
            let body = (rest == "/{id}/resume").then(|| json!({ "fromSequence": 1 }));
            Needs { path: vec![("id", id)], version: Some(1), body, ..Needs::default() }
        }
    }))
}

fn listener() -> Value {
    // An address that is spelled out is not looked up, and nothing is sent: this product does not work, it only answers.
    json!({ "callback": "https://1.1.1.1/hook", "query": "" })
}

async fn remove_all(world: &World, hub: &str) -> Result<()> {
    let page = sent(world, Call::new(Method::GET, hub.to_owned())).await?.json();
    for one in page["items"].as_array().into_iter().flatten() {
        let (id, version) = (one["id"].as_str().unwrap_or_default(), &one["version"]);
        let call = Call::new(Method::DELETE, format!("{hub}/{id}")).with_header("if-match", format!("\"{version}\""));
        ensure!(sent(world, call).await?.status == 204, "a callback cannot be removed");
    }
    Ok(())
}

async fn sent(world: &World, mut call: Call) -> Result<Reply> {
    call.authorization = Some(world.people.admin.clone());
    world.wire.send(&call).await
}
