//! What is known about right and a little late: what people look at, what users are told, what is loaded ahead of its readers.
//! Without Redis all of it is missing without being missed.

use anyhow::{Context, Result};
use quoin::{api::Api, deployment::Role};
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    shop::{get, post, text},
    system::eventually,
};

use crate::PROGRAM;

/// The value of a counter, named with its labels, in a process's metrics; `None` while it is not there.
async fn counter(system: &System, role: Role, name: &str) -> Result<Option<u64>> {
    let url = system.deployment.internal_url(role).context("the process runs")?;
    let page = reqwest::get(format!("{url}/metrics")).await?.error_for_status()?.text().await?;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().context("not a count")).transpose()
}

fn offering(shop: &Shop, name: &str) -> String {
    format!("/catalog/v1/publications/{}/offerings/{}", shop.publication, text(&shop.ids, &format!("/{name}")))
}

fn most_viewed(shop: &Shop) -> String {
    format!("/catalog/v1/publications/{}/most-viewed?limit=2", shop.publication)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_look_at_is_counted_and_moved_into_the_metrics() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    // The services read these offerings to price them, which is not looking.
    shop.presented(&[shop.line("lamp", 1), shop.line("delivery", 1)]).await?;
    for name in ["chair", "lamp", "chair"] {
        get(&shop.seller, &offering(&shop, name)).await?;
    }
    let seen = eventually("the views are counted", async || {
        let seen = get(&shop.seller, &most_viewed(&shop)).await?;
        let whole = text(&seen, "/items/0/views") == "2" && seen["items"].as_array().is_some_and(|all| all.len() == 2);
        Ok(whole.then_some(seen))
    })
    .await?;
    let listed = ["/items/0/name", "/items/1/name", "/items/1/views"].map(|pointer| text(&seen, pointer));
    assert_eq!(listed, ["The chair", "The lamp", "1"]);
    assert_eq!((&seen["approximate"], &seen["available"]), (&json!(true), &json!(true)));
    let counted = counter(&system, Role::Serve, "catalog_offering_views_total").await?;
    assert_eq!(counted, Some(3), "the list is made of what was moved");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_in_force_is_loaded_ahead_of_its_readers() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let mut shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let loaded = async || counter(&system, Role::Work, r#"catalog_warmed_offerings_total{outcome="loaded"}"#).await;
    let mut before = 0;
    // Warming is help: what Redis did not take in time is not there, and a busy machine leaves some out. So publications are
    // put in force until a first reader of one of them finds what he asks for.
    eventually("somebody's first read is a hit", async || {
        before = eventually("something is loaded", async || Ok(loaded().await?.filter(|now| *now > before))).await?;
        for name in ["lamp", "chair", "delivery", "set"] {
            let first = shop.seller.get(offering(&shop, name)).send::<Value>().await?;
            if first.header("cache-status").starts_with("quoin; hit") {
                return Ok(Some(()));
            }
        }
        before = loaded().await?.unwrap_or_default();
        let item = json!({ "externalId": "lamp", "name": format!("The lamp {before}"), "category": "things", "kind": "simple", "stocked": true });
        post(&shop.admin, "/catalog/v1/imports", &json!({ "items": [item] })).await?;
        let publish = json!({ "name": format!("after {before}"), "activate": true });
        shop.publication = text(&post(&shop.admin, "/catalog/v1/publications", &publish).await?, "/id");
        Ok(None)
    })
    .await
}

/// What somebody is told from `cursor` on.
async fn told_next(who: &Api, cursor: &mut String) -> Result<Vec<Value>> {
    let seen = get(who, &format!("/quote/v1/notifications?waitSecs=5{cursor}")).await?;
    if let Some(next) = seen["nextCursor"].as_str() {
        *cursor = format!("&cursor={next}");
    }
    Ok(seen["items"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seller_is_told_what_happens_to_the_quote_and_its_order() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let (mut cursor, mut sold) = (String::new(), Vec::new());
    // A notice is a convenience: one that Redis did not take in time is lost, and a busy machine loses some. So it is sold
    // until everything is told of one sale.
    let (accepted, told) = eventually("everything is told of one sale", async || {
        let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
        let accepted = shop.accept(&presented, &uuid::Uuid::now_v7().to_string()).await?.value;
        shop.completed(&accepted).await?;
        sold.push(accepted["id"].clone());
        let mut told = Vec::new();
        loop {
            let more = told_next(&shop.seller, &mut cursor).await?;
            assert!(more.iter().all(|notice| sold.contains(&notice["quoteId"])), "{more:?}");
            let nothing_more = more.is_empty();
            told.extend(more.into_iter().filter(|notice| notice["quoteId"] == accepted["id"]));
            let is = |kind, state| told.iter().any(|notice| notice["kind"] == kind && notice["state"] == state);
            if is("quoteAccepted", "accepted") && is("orderMoved", "completed") {
                return Ok(Some((accepted, told)));
            }
            if nothing_more {
                return Ok(None);
            }
        }
    })
    .await?;
    let accepting: Vec<&Value> = told.iter().filter(|notice| notice["kind"] == "quoteAccepted").collect();
    assert_eq!(accepting.len(), 1, "{told:?}");
    assert_eq!(accepting[0]["version"], accepted["version"]);
    // One slow answer of Redis is enough for "not available": a busy machine gives some.
    let others = eventually("the approver's list can be read", async || {
        let seen = get(&shop.approver, "/quote/v1/notifications").await?;
        Ok((seen["available"] == true).then_some(seen))
    })
    .await?;
    assert_eq!(others["items"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_sale_completes_and_says_what_is_not_known() -> Result<()> {
    let system = System::start(PROGRAM, Weather::NoRedis).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    get(&shop.seller, &offering(&shop, "lamp")).await?;
    let seen = get(&shop.seller, &most_viewed(&shop)).await?;
    assert_eq!((&seen["available"], &seen["items"]), (&json!(false), &json!([])));
    let told = get(&shop.seller, "/quote/v1/notifications?waitSecs=10").await?;
    assert_eq!((&told["available"], &told["items"], &told["pollAfterSecs"]), (&json!(false), &json!([]), &json!(15)));

    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    let accepted = shop.accept(&presented, &uuid::Uuid::now_v7().to_string()).await?.value;
    shop.completed(&accepted).await?;
    system.deployment.stop().await
}
