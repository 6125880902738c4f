//! Who may have what, and edits that wait, through Redis and Kafka.

use anyhow::Result;
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    shop::{command, post, text},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

const CHECKS: &str = "/quote/v1/eligibility-checks";

fn verdicts(report: &Value) -> Vec<bool> {
    report["items"].as_array().into_iter().flatten().map(|item| item["eligible"] == true).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_may_have_more_once_the_fact_has_come_round_and_waiting_edits_are_sold() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    shop.restrict_to_businesses("lamp").await?;
    let question = json!({ "customerId": shop.customer, "offeringIds": [shop.ids["lamp"], shop.ids["chair"]] });
    let ask = async || shop.seller.post(CHECKS).json(&question).send::<Value>().await;
    eventually("the policy is known", async || Ok((verdicts(&ask().await?.value) == [false, true]).then_some(())))
        .await?;
    // On a busy machine a fill may be left out; the next question fills.
    eventually("the answer is kept", async || {
        Ok(ask().await?.header("cache-status").starts_with("quoin; hit").then_some(()))
    })
    .await?;

    let quote = shop.quote(&[shop.line("lamp", 1)]).await?;
    let priced = command(&shop.seller, &quote, "price", &json!({})).await?;
    let refused = command(&shop.seller, &priced, "submit", &json!({})).await.expect_err("not for this customer");
    assert_eq!(refused.code(), "not-eligible", "{refused}");

    let business =
        json!({ "items": [{ "externalId": "c-1", "name": "First Customer", "country": "NL", "segment": "business" }] });
    post(&shop.admin, "/quote/v1/imports/customers", &business).await?;
    eventually("the customer's fact is heard", async || {
        Ok((verdicts(&ask().await?.value) == [true, true]).then_some(()))
    })
    .await?;

    let draft = format!("/quote/v1/quotes/{}/draft", text(&quote, "/id"));
    let version = priced["version"].as_u64().unwrap_or_default();
    let edits = json!({ "add": [shop.line("chair", 2)] });
    let kept = shop.seller.put(draft.as_str()).if_match(version).json(&edits).send::<Value>().await?.value;
    assert_eq!((&kept["saved"], &kept["buffer"]), (&json!(false), &json!("holding")));
    let saved = shop.seller.post(format!("{draft}/save")).if_match(version).send::<Value>().await?.value;
    assert_eq!((&saved["saved"], &saved["quoteVersion"]), (&json!(true), &json!(version + 1)));

    let priced = command(&shop.seller, &saved["quote"], "price", &json!({})).await?;
    let submitted = command(&shop.seller, &priced, "submit", &json!({})).await?;
    let presented = command(&shop.seller, &submitted, "present", &json!({})).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    let order = shop.completed(&presented).await?;
    // 10.00 for the lamp and 2 × 49.95.
    assert_eq!(text(&order, "/total/amount"), "109.90");
    system.deployment.stop().await
}
