//! Who may approve how deep a discount, through Redis and Kafka: the decision at once, the display after the event.

use anyhow::{Context, Result};
use cache_ports::{UserKey, access::keyspaces::access_profile_key};
use kernel::{TenantId, Version};
use quoin::api::Api;
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    redis::Hands,
    shop::{command, content_hash, get, text},
    system::eventually,
};

use crate::PROGRAM;

const POLICY: &str = "/quote/v1/access-policy";
const PROFILE: &str = "/quote/v1/access-profile";

/// A quote whose discount asks for approval.
async fn asking(shop: &Shop, percent: &str) -> Result<Value> {
    let quote = shop.quote(&[shop.discounted("lamp", 1, percent)]).await?;
    let priced = command(&shop.seller, &quote, "price", &json!({})).await?;
    Ok(command(&shop.seller, &priced, "submit", &json!({})).await?)
}

async fn profile_is_kept(who: &Api) -> Result<Value> {
    // On a busy machine a fill may be left out; the next read fills.
    eventually("the profile is kept", async || {
        let answer = who.get(PROFILE).send::<Value>().await?;
        Ok(answer.header("cache-status").starts_with("quoin; hit").then_some(answer.value))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvers_have_their_limits_and_a_revoked_one_is_refused_at_once() -> Result<()> {
    let system = System::start(PROGRAM, Weather::OwnRedis).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let policy = json!({
        "roles": [{ "role": "approver", "maxDiscountPercent": "25" }],
        "subjects": [{ "subject": "chief", "maxDiscountPercent": "60" }],
    });
    shop.admin.put(POLICY).if_match(0).json(&policy).send::<Value>().await?;
    let (approver, chief) = (&shop.approver, system.api("chief", &["approver"])?);
    for (who, limit) in [(approver, "25"), (&chief, "60")] {
        eventually("the policy is known", async || {
            Ok((text(&get(who, PROFILE).await?, "/maxDiscountPercent") == limit).then_some(()))
        })
        .await?;
    }

    let quote = asking(&shop, "40").await?;
    let refused = command(approver, &quote, "approve", &content_hash(&quote)).await.expect_err("it is too deep");
    assert_eq!(refused.code(), "approval-limit-exceeded", "{refused}");
    command(&chief, &quote, "approve", &content_hash(&quote)).await?;
    let small = asking(&shop, "25").await?;
    command(approver, &small, "approve", &content_hash(&small)).await?;

    // His profile lies in Redis, under a hash, when he is revoked; the decision does not look at it.
    assert_eq!(profile_is_kept(&chief).await?["revoked"], false);
    let tenant: TenantId = system.tenant.parse()?;
    let key = access_profile_key(&tenant, &UserKey::of(&tenant, "chief"), Version::FIRST).text();
    let mut hands = Hands::on(system.redis.as_ref().context("a Redis of our own")?.url()).await?;
    let key = format!("{}:{key}", system.servers.prefix);
    let stored = hands.get(&key).await?.context("the profile is kept")?;
    assert!(!key.contains("chief") && !String::from_utf8_lossy(&stored).contains("chief"), "{key}");
    let next = asking(&shop, "40").await?;
    // No process's word reaches Redis while he is revoked: what it says there is old.
    hands.take_writes(false).await?;
    let kept = hands.get(&key).await?;
    let path = "/quote/v1/access-revocations/chief";
    shop.admin.put(path).json(&json!({ "reason": "left" })).send::<Value>().await?;
    // Not through the API: a process that waited too long for Redis reads the database, and is right.
    assert_eq!(hands.get(&key).await?, kept, "nobody could change it");
    let refused = command(&chief, &next, "approve", &content_hash(&next)).await.expect_err("he was revoked");
    assert_eq!(refused.code(), "access-revoked", "{refused}");
    hands.take_writes(true).await?;
    eventually("the revocation is heard", async || Ok((get(&chief, PROFILE).await?["revoked"] == true).then_some(())))
        .await?;
    system.deployment.stop().await
}
