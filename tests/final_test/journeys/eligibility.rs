//! A set is for businesses for a while, and this customer is none: what is shown, and what is refused.

use anyhow::Result;
use cache_ports::eligibility::keyspaces::ACTIVE_POLICY;
use serde_json::{Value, json};

use super::{Shop, on_quote};
use crate::visitor::{ADMIN, Request, SELLER, Scene};

const POLICY: &str = "/quote/v1/eligibility-policy";

pub(super) async fn restrict_and_allow(scene: Scene<'_>, shop: &Shop) -> Result<()> {
    let set = &shop.goods.ids["set"];
    let question = json!({ "customerId": shop.customer, "offeringIds": [shop.goods.ids["lamp"], set] });
    let ask = || Request::ask(SELLER, "/quote/v1/eligibility-checks", question.clone());
    let shown = || ask().may_be_old(&[&ACTIVE_POLICY]);
    let put = |before: &Value, rules: Value| {
        let policy = json!({ "otherwise": "eligible", "rules": rules });
        Request::put(ADMIN, POLICY, policy).if_match(before)
    };
    scene.send_all(vec![shown(), shown()]).await?;
    let lines = json!([{ "offeringId": set, "quantity": "1" }]);
    let quote = shop.quote(scene, "a set", lines).await?;
    let priced = scene.send(on_quote(SELLER, &quote, "price", json!({}))).await?;

    let rule = json!([{
        "code": "for-business", "text": "For businesses only", "effect": "allow",
        "customers": { "segments": ["business"] }, "offeringIds": [set],
    }]);
    let first = scene.send(put(&json!(0), rule.clone())).await?;
    scene.send(shown()).await?;
    scene.send(ask().at_least(&first["version"])).await?;
    // What was cached before decides nothing.
    scene.send(on_quote(SELLER, &priced, "submit", json!({})).key("not for this customer")).await?;

    scene.send(put(&json!(0), json!([]))).await?;
    let second = scene.send(put(&first["version"], json!([]))).await?;
    scene.send(shown()).await?;
    scene.send(ask().at_least(&second["version"])).await?;
    scene.send(Request::get(ADMIN, format!("{POLICY}/versions/{}", first["version"]))).await?;
    scene.send(on_quote(SELLER, &priced, "submit", json!({}))).await?;
    Ok(())
}
