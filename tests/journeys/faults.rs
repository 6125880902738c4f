//! Redis killed, flushed, absent: the same answers. The relay killed: nothing lost.

use anyhow::{Context, Result};
use quoin::{
    api::Api,
    deployment::{Role, Servers},
};
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    shop::{get, post, put_book, text},
    system::{api, eventually},
};
use uuid::Uuid;

use crate::PROGRAM;

/// Everything a reader can ask about one sale, without what only says when it was asked.
async fn answers(who: &Api, shop: &Shop, quote: &Value, order: &Value) -> Result<Vec<Value>> {
    let publication = &shop.publication;
    let mut found = Vec::new();
    for path in [
        "/catalog/v1/publications/active".to_owned(),
        format!("/catalog/v1/publications/{publication}/offerings/{}", text(&shop.ids, "/set")),
        format!("/catalog/v1/publications/{publication}/offerings?q=lamp"),
        "/pricing/v1/price-books/list".to_owned(),
        format!("/quote/v1/quotes/{}", text(quote, "/id")),
        format!("/order/v1/orders/{}", text(order, "/id")),
        format!("/inventory/v1/products/{}/stock?consistency=bounded", text(&shop.ids, "/lamp")),
    ] {
        found.push(get(who, &path).await.with_context(|| path)?);
    }
    let request = shop.price_request(&[("lamp", 10), ("set", 1)]);
    found.push(post(who, "/pricing/v1/price-previews", &request).await?);
    found.iter_mut().for_each(forget_times);
    Ok(found)
}

fn forget_times(answer: &mut Value) {
    for name in ["generatedAt", "calculatedAt", "expiresAt"] {
        answer.as_object_mut().map(|object| object.remove(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_flushed_and_absent_gives_the_same_answers() -> Result<()> {
    let system = System::start(PROGRAM, Weather::OwnRedis).await?;
    let redis = system.redis.as_ref().context("a Redis of our own")?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let sale = async || {
        let presented = shop.presented(&[shop.line("lamp", 2)]).await?;
        let accepted = shop.accept(&presented, &Uuid::now_v7().to_string()).await?.value;
        let order = shop.settled(&accepted).await?;
        anyhow::Ok((accepted, order))
    };
    let (quote, order) = sale().await?;
    let warm = answers(&shop.seller, &shop, &quote, &order).await?;
    assert_eq!(answers(&shop.seller, &shop, &quote, &order).await?, warm);

    redis.stop().await?;
    assert_eq!(answers(&shop.seller, &shop, &quote, &order).await?, warm, "Redis is dead");
    let (_, second) = sale().await?;
    assert_eq!(text(&second, "/state"), "completed");

    redis.start().await?;
    let refilled = answers(&shop.seller, &shop, &quote, &order).await?;
    assert_eq!(refilled[..6], warm[..6], "Redis is back, empty");
    system.cache_agrees(async || answers(&shop.seller, &shop, &quote, &order).await.map(drop)).await?;

    let without = Servers { redis_url: None, ..system.servers.clone() };
    let beside = system.beside(PROGRAM, &without, &[]).await?;
    let reader = api(&beside.url(), &system.tenant, "seller", &["salesRep", "buyer", "orderAgent"])?;
    let cold = answers(&reader, &shop, &quote, &order).await?;
    assert_eq!(cold, answers(&shop.seller, &shop, &quote, &order).await?, "Redis is absent");
    beside.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_price_is_seen_after_redis_was_away_while_it_changed() -> Result<()> {
    let system = System::start(PROGRAM, Weather::OwnRedis).await?;
    let redis = system.redis.as_ref().context("a Redis of our own")?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let request = shop.price_request(&[("lamp", 1)]);
    let price = async || {
        Ok::<_, anyhow::Error>(text(
            &post(&shop.seller, "/pricing/v1/price-previews", &request).await?,
            "/totals/net/amount",
        ))
    };
    assert_eq!(price().await?, "10.00");
    redis.freeze().await?;
    put_book(&shop.admin, &shop.ids, "11.00").await?;
    redis.thaw().await?;
    eventually("the new price is shown", async || Ok((price().await? == "11.00").then_some(()))).await?;
    system.cache_agrees(async || price().await.map(drop)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_relay_loses_nothing() -> Result<()> {
    let mut system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let mut accepted = Vec::new();
    for round in 0..12 {
        // Once in the middle of its work, and once while it is away altogether.
        match round {
            3 => system.deployment.kill(Role::Work).await?,
            6 => system.deployment.launch(Role::Work).await?,
            9 => {
                system.deployment.kill(Role::Work).await?;
                system.deployment.launch(Role::Work).await?;
            }
            _ => {}
        }
        let presented = shop.presented(&[shop.line("chair", 1)]).await?;
        accepted.push(shop.accept(&presented, &Uuid::now_v7().to_string()).await?.value);
    }
    for quote in &accepted {
        shop.completed(quote).await?;
    }
    assert_eq!(shop.on_hand("chair").await?, system_tests::shop::OPENING - 12);
    assert_eq!(get(&shop.admin, "/inventory/v1/reconciliation").await?["mismatches"], json!([]));
    system.cache_agrees(async || shop.orders(&accepted[0]).await.map(drop)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_ends_when_it_is_asked_to() -> Result<()> {
    let mut system = System::start(PROGRAM, Weather::Calm).await?;
    assert!(system.deployment.terminate(Role::Serve).await?);
    assert!(system.deployment.terminate(Role::Work).await?);
    Ok(())
}
