//! Stages of eligibility. A policy decides about every quote of its tenant: it is tried where nobody quotes.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Needs;
use crate::{document::Operation, wire::Call, world::World};

const POLICY: &str = "/quote/v1/eligibility-policy";

/// What an operation on eligibility needs; `None` for others.
pub async fn needs(world: &World, operation: &Operation) -> Result<Option<Needs>> {
    let shop = &world.shop;
    let quiet = Some(world.people.publisher.clone());
    Ok(Some(match operation.name().as_str() {
        "POST /quote/v1/eligibility-checks" => {
            let body = json!({ "customerId": shop.customer, "offeringIds": [shop.ids["lamp"], shop.ids["chair"]] });
            Needs { body: Some(body), ..Needs::default() }
        }
        "GET /quote/v1/eligibility-policy" => Needs { token: quiet, ..Needs::default() },
        "PUT /quote/v1/eligibility-policy" => {
            let version = Some(version_in_force(world).await?);
            Needs { token: quiet, version, body: Some(policy()), ..Needs::default() }
        }
        "GET /quote/v1/eligibility-policy/versions/{version}" => {
            let version = put(world).await?;
            Needs { token: quiet, path: vec![("version", version.to_string())], ..Needs::default() }
        }
        _ => return Ok(None),
    }))
}

fn policy() -> Value {
    json!({ "otherwise": "eligible", "rules": [{
        "code": "business-only", "text": "For businesses only", "effect": "allow",
        "customers": { "segments": ["business"], "countries": ["NL"], "minMonths": 12 },
        "offeringIds": [Uuid::now_v7()],
        "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2030-01-01T00:00:00Z",
    }] })
}

async fn version_in_force(world: &World) -> Result<u64> {
    let mut call = Call::new(Method::GET, POLICY.to_owned());
    call.authorization = Some(world.people.publisher.clone());
    world.wire.send(&call).await?.json()["version"].as_u64().context("a policy has a version")
}

async fn put(world: &World) -> Result<u64> {
    let version = version_in_force(world).await?;
    let mut call = Call::new(Method::PUT, POLICY.to_owned()).with_bytes(policy().to_string());
    call.authorization = Some(world.people.publisher.clone());
    let reply = world.wire.send(&call.with_header("if-match", format!("\"{version}\""))).await?;
    ensure!(reply.status == 200, "no policy was put: {}", reply.status);
    Ok(version + 1)
}
