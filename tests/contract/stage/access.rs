//! Stages of access. A policy decides about every approval of its tenant: it is tried where nobody approves.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Needs;
use crate::{document::Operation, wire::Call, world::World};

const POLICY: &str = "/quote/v1/access-policy";

/// What an operation on access needs; `None` for others.
pub async fn needs(world: &World, operation: &Operation) -> Result<Option<Needs>> {
    let token = Some(world.people.publisher.clone());
    let subject = Uuid::now_v7().to_string();
    Ok(Some(match operation.name().as_str() {
        "GET /quote/v1/access-policy" | "GET /quote/v1/access-profile" => Needs { token, ..Needs::default() },
        "PUT /quote/v1/access-policy" => {
            let version = sent(world, Call::new(Method::GET, POLICY.to_owned())).await?["version"].as_u64();
            Needs { token, version, body: Some(policy()), ..Needs::default() }
        }
        "PUT /quote/v1/access-revocations/{subject}" => {
            Needs { token, path: vec![("subject", subject)], body: Some(revocation()), ..Needs::default() }
        }
        "DELETE /quote/v1/access-revocations/{subject}" => {
            let path = format!("/quote/v1/access-revocations/{subject}");
            sent(world, Call::new(Method::PUT, path).with_bytes(revocation().to_string())).await?;
            Needs { token, path: vec![("subject", subject)], ..Needs::default() }
        }
        _ => return Ok(None),
    }))
}

fn policy() -> Value {
    json!({
        "roles": [{ "role": "approver", "maxDiscountPercent": "25" }],
        "subjects": [{ "subject": "chief", "maxDiscountPercent": "62.5" }],
    })
}

fn revocation() -> Value {
    json!({ "reason": "left" })
}

async fn sent(world: &World, mut call: Call) -> Result<Value> {
    call.authorization = Some(world.people.publisher.clone());
    let reply = world.wire.send(&call).await?;
    ensure!(reply.status == 200, "{} {} was answered {}", call.method, call.path, reply.status);
    Ok(reply.json())
}
