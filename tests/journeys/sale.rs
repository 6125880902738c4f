//! From the first search to a fulfilled order and a return.

use anyhow::Result;
use futures::future::join_all;
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    shop::{OPENING, command, content_hash, get, path, post, text},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

/// Where to run: a deployment named in the environment, or one of our own.
async fn shop() -> Result<(Option<System>, Shop)> {
    if let Ok(url) = std::env::var("QUOIN_JOURNEY_URL") {
        let shop = Shop::open(&url, &dev_stack::test::unique_name("journey")).await?;
        return Ok((None, shop));
    }
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    Ok((Some(system), shop))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_becomes_one_fulfilled_order_and_part_of_it_comes_back() -> Result<()> {
    let (system, shop) = shop().await?;
    let found = get(&shop.seller, &format!("/catalog/v1/publications/{}/offerings?q=lamp", shop.publication)).await?;
    assert_eq!(text(&found, "/items/0/externalId"), "lamp");

    let request = shop.price_request(&[("lamp", 12), ("delivery", 1)]);
    let preview = post(&shop.seller, "/pricing/v1/price-previews", &request).await?;
    // 12 × 8.00 (the tier from 10 on) + 12.50 once, 3.00 a month.
    assert_eq!(text(&preview, "/totals/oneTime/amount"), "108.50");
    assert_eq!(text(&preview, "/totals/recurring/0/amount/amount"), "3.00");

    let presented = shop.presented(&[shop.line("lamp", 12), shop.line("delivery", 1)]).await?;
    assert_eq!(presented["currentRevision"]["totals"]["oneTime"], preview["totals"]["oneTime"]);
    let accepted = shop.accept(&presented, &Uuid::now_v7().to_string()).await?.value;
    let order = shop.settled(&accepted).await?;
    assert_eq!(text(&order, "/total/amount"), text(&preview, "/totals/net/amount"));
    assert_eq!(order["tasks"].as_array().map(Vec::len), Some(3), "{order}");
    assert_eq!(shop.on_hand("lamp").await?, OPENING - 12);

    let lamps = order["items"].as_array().into_iter().flatten().find(|item| item["externalId"] == "lamp");
    let item = text(lamps.expect("the order has the lamps"), "/id");
    let cancel = json!({ "reason": "two are broken", "items": [{ "orderItemId": item, "quantity": "2" }] });
    let order_path = format!("/order/v1/orders/{}", text(&order, "/id"));
    let call = shop.seller.post(format!("{order_path}/cancellations")).key(Uuid::now_v7().to_string()).json(&cancel);
    let cancelled = call.send::<Value>().await?.value;
    assert_eq!(text(&cancelled, "/creditAmount/amount"), "-16.00");
    eventually("the lamps are back", async || Ok((shop.on_hand("lamp").await? == OPENING - 10).then_some(()))).await?;
    let books = get(&shop.admin, "/inventory/v1/reconciliation").await?;
    assert_eq!(books["mismatches"], json!([]));

    if let Some(system) = system {
        system.deployment.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_discount_needs_somebody_else_and_the_content_he_saw() -> Result<()> {
    let (_system, shop) = shop().await?;
    let quote = shop.quote(&[shop.discounted("chair", 2, "35")]).await?;
    let priced = command(&shop.seller, &quote, "price", &json!({})).await?;
    assert_eq!(text(&priced, "/currentRevision/totals/net/amount"), "64.94");
    let submitted = command(&shop.seller, &priced, "submit", &json!({})).await?;
    assert_eq!(text(&submitted, "/currentRevision/state"), "inApproval");

    let own = command(&shop.admin, &submitted, "approve", &content_hash(&submitted)).await;
    let approved = command(&shop.approver, &submitted, "approve", &content_hash(&submitted)).await;
    // The administrator did not edit this quote, so whichever comes first decides; the seller never may.
    assert!(own.is_ok() != approved.is_ok(), "{own:?} {approved:?}");
    let seller = command(&shop.seller, &submitted, "approve", &content_hash(&submitted)).await;
    assert_eq!(seller.expect_err("the seller may not approve").status().map(|status| status.as_u16()), Some(403));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_acceptances_and_orders_at_once_make_one_order() -> Result<()> {
    let (_system, shop) = shop().await?;
    let presented = shop.presented(&[shop.line("lamp", 3)]).await?;
    let keys: Vec<String> = (0..50).map(|_| Uuid::now_v7().to_string()).collect();
    let acceptances = join_all(keys.iter().map(|key| shop.accept(&presented, key))).await;
    assert!(acceptances.iter().any(Result::is_ok));
    for refused in acceptances.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.status().map(|status| status.as_u16()), Some(409), "{refused}");
    }
    let order = json!({ "quoteId": presented["id"], "revisionNo": presented["currentRevision"]["revisionNo"] });
    let orders =
        join_all(keys.iter().map(|key| shop.seller.post("/order/v1/orders").key(key).json(&order).send::<Value>()))
            .await;
    let ids: std::collections::BTreeSet<String> =
        orders.into_iter().map(|answer| answer.map(|answer| text(&answer.value, "/id"))).collect::<Result<_, _>>()?;
    assert_eq!(ids.len(), 1);
    shop.completed(&presented).await?;
    assert_eq!(shop.on_hand("lamp").await?, OPENING - 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_the_same_key_is_the_same_answer() -> Result<()> {
    let (_system, shop) = shop().await?;
    let presented = shop.presented(&[shop.line("chair", 1)]).await?;
    let key = Uuid::now_v7().to_string();
    let (once, twice) = (shop.accept(&presented, &key).await?, shop.accept(&presented, &key).await?);
    assert_eq!(once.value, twice.value);
    assert_eq!((once.header("idempotency-replayed"), twice.header("idempotency-replayed")), ("", "true"));
    let other = shop.seller.post(path(&presented, "accept")).key(&key).json(&json!({ "contentHash": "0".repeat(64) }));
    assert_eq!(other.send::<Value>().await.expect_err("another body").status().map(|s| s.as_u16()), Some(422));
    Ok(())
}
