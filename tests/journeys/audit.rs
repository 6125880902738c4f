//! The auditor beside the running product: what is healthy is never blamed, and every planted lie is found and removed.

use std::{collections::BTreeSet, process::Output, time::Duration};

use anyhow::{Context, Result, ensure};
use cache_engine::frame::{self, Content, Life};
use cache_ports::{
    catalog::keyspaces as catalog, key::Key, keyspace::Keyspace, order::keyspaces as order,
    pricing::keyspaces as pricing, quote::keyspaces as quote,
};
use kernel::{OrderId, TenantId, Version};
use quoin::deployment::Role;
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    redis::Hands,
    shop::{command, get, post, put_book, text},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

/// A patrol that hurries, so that it meets everything while a test runs.
const HURRIED: [(&str, &str); 2] = [("QUOIN__AUDIT__INTERVAL_MS", "50"), ("QUOIN__AUDIT__SAMPLE", "50")];
/// No patrol and no sweeper: the commands do their work, when the test asks for it.
const BY_HAND: [(&str, &str); 6] = [
    ("QUOIN__AUDIT__ENABLED", "false"),
    ("QUOIN__AUDIT__GRACE_MS", "500"),
    ("QUOIN__SWEEP__ENABLED", "false"),
    ("QUOIN__SWEEP__MIN_AGE_MS", "0"),
    ("QUOIN__SWEEP__KEYS_PER_SEC", "100000"),
    // A process's own copies would hide what lies in Redis from the reads of the test.
    ("QUOIN__CACHE__L1", "false"),
];

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every cached read once.
async fn read_everything(shop: &Shop, quote: &Value, order: &Value) -> Result<()> {
    let lamp = text(&shop.ids, "/lamp");
    let offerings = format!("/catalog/v1/publications/{}/offerings", shop.publication);
    for path in [
        "/catalog/v1/publications/active".to_owned(),
        format!("{offerings}/{lamp}"),
        format!("{offerings}?q=lamp"),
        format!("/quote/v1/quotes/{}", text(quote, "/id")),
        format!("/pricing/v1/price-results/{}", text(quote, "/currentRevision/priceResultId")),
        format!("/order/v1/orders/{}", text(order, "/id")),
        format!("/order/v1/orders/{}/workflow", text(order, "/id")),
        format!("/inventory/v1/products/{lamp}/stock?consistency=bounded"),
        "/quote/v1/access-profile".to_owned(),
    ] {
        get(&shop.seller, &path).await.with_context(|| path)?;
    }
    let missing = format!("{offerings}/{}", Uuid::now_v7());
    ensure!(get(&shop.seller, &missing).await.is_err(), "nobody offers that");
    post(&shop.seller, "/pricing/v1/price-previews", &shop.price_request(&[("lamp", 1)])).await?;
    let who_may = json!({ "customerId": shop.customer, "offeringIds": [shop.ids["lamp"], shop.ids["set"]] });
    post(&shop.seller, "/quote/v1/eligibility-checks", &who_may).await?;
    Ok(())
}

/// A sale from the first draft to the end, with every cached read in each of its states.
async fn sale(shop: &Shop) -> Result<(Value, Value)> {
    let presented = shop.presented(&[shop.line("lamp", 1), shop.line("chair", 1)]).await?;
    get(&shop.seller, &format!("/quote/v1/quotes/{}", text(&presented, "/id"))).await?;
    let accepted = shop.accept(&presented, &Uuid::now_v7().to_string()).await?.value;
    let order = shop.completed(&accepted).await?;
    read_everything(shop, &accepted, &order).await?;
    Ok((accepted, order))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_shop_is_audited_and_nothing_is_wrong() -> Result<()> {
    let system = System::start_with(PROGRAM, Weather::OwnRedis, &HURRIED).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    // A consent and a refusal to be cached.
    shop.restrict_to_businesses("set").await?;
    let sales = async {
        let mut last = sale(&shop).await?;
        for round in 2..=4 {
            put_book(&shop.admin, &shop.ids, &format!("{}.00", 10 + round)).await?;
            last = sale(&shop).await?;
        }
        anyhow::Ok(last)
    };
    let audits = async {
        let mut checked = 0;
        for _ in 0..2 {
            let (found, code) = system.audit(&[]).await?;
            assert_eq!((&found["mismatches"], code), (&json!(0), 0), "{found:#}");
            checked += found["checked"].as_u64().unwrap_or_default();
        }
        anyhow::Ok(checked)
    };
    let (last, meanwhile) = tokio::try_join!(sales, audits)?;
    // On a busy machine a fill may be left out, or be superseded before it is met; what lives two seconds may be gone by then.
    let mut judged = BTreeSet::from(["inventory version pointer".to_owned()]);
    eventually("every keyspace was judged", async || {
        read_everything(&shop, &last.0, &last.1).await?;
        let (found, code) = system.audit(&[]).await?;
        assert_eq!((&found["mismatches"], code), (&json!(0), 0), "{found:#}");
        let keyspaces = found["keyspaces"].as_array().context("no keyspaces")?;
        judged.extend(keyspaces.iter().filter(|row| row["checked"] != 0).map(|row| text(row, "/keyspace")));
        Ok(keyspaces.iter().all(|row| judged.contains(&text(row, "/keyspace"))).then_some(()))
    })
    .await?;
    eventually("the patrol has been everywhere", async || {
        let checked = system.work_metric("cache_audit_checked_total", "").await?;
        Ok((checked > 50.0).then_some(()))
    })
    .await?;
    let wrong = system.work_metric("cache_audit_mismatch_total", "").await?;
    assert!(wrong < 1.0, "{wrong} wrong, while {meanwhile} were judged");
    Ok(())
}

/// A frame as the product writes it, with this version and payload.
fn entry(keyspace: &'static Keyspace, key: &str, version: u64, payload: &[u8]) -> Result<Vec<u8>> {
    let life = Life::drawn(keyspace);
    let version = Version::new(version);
    let content = Content { keyspace, key, version, life, generated_at_ms: 0, payload: Some(payload) };
    frame::write(&content).ok().context("it is small")
}

/// Five lies in the Redis of a shop: an old version, another content, another tenant's bytes, no end of life, and an entry
/// for what does not exist. Gives their kinds.
async fn plant_lies(system: &System, shop: &Shop, quote: &Value) -> Result<Vec<&'static str>> {
    let mut hands = Hands::on(system.redis.as_ref().context("a Redis of our own")?.url()).await?;
    let tenant: TenantId = system.tenant.parse()?;
    let stored = |key: &str| format!("{}:{key}", system.servers.prefix);
    let life_ms = |keyspace: &Keyspace| u64::try_from(keyspace.ttl.hard.as_millis()).unwrap_or(u64::MAX);

    let old = pricing::price_book_version_key(&tenant, shop.book.parse()?).text();
    let lie = entry(&pricing::PRICE_BOOK_VERSION, &old, 1, b"1")?;
    hands.put(&stored(&old), &lie, life_ms(&pricing::PRICE_BOOK_VERSION)).await?;

    let other = pricing::price_book_key(&tenant, shop.book.parse()?, Version::new(2)).text();
    let lie = entry(&pricing::PRICE_BOOK, &other, 2, br#"{"name":"a secret list"}"#)?;
    hands.put(&stored(&other), &lie, life_ms(&pricing::PRICE_BOOK)).await?;

    let foreign_tenant: TenantId = "somebody-else".parse()?;
    let summary = |tenant| quote::quote_summary_key(tenant, text(quote, "/id").parse().expect("an id"), 0).text();
    let lie = entry(&quote::QUOTE_SUMMARY, &summary(&foreign_tenant), 3, b"{}")?;
    hands.put(&stored(&summary(&tenant)), &lie, life_ms(&quote::QUOTE_SUMMARY)).await?;

    let endless: Key<'_> = catalog::active_publication_key(&tenant);
    get(&shop.seller, "/catalog/v1/publications/active").await?;
    ensure!(hands.persist(&stored(&endless.text())).await?, "it had an end before");

    let nobodys = order::order_summary_key(&tenant, OrderId::generate(), Version::FIRST).text();
    let lie = entry(&order::ORDER_SUMMARY, &nobodys, 1, b"{}")?;
    hands.put(&stored(&nobodys), &lie, life_ms(&order::ORDER_SUMMARY)).await?;
    Ok(vec!["no_end_of_life", "other_content", "other_tenant", "should_not_exist", "stale_version"])
}

fn kinds(found: &Value) -> Vec<&str> {
    let findings = found["findings"].as_array().into_iter().flatten();
    let mut kinds: Vec<&str> = findings.filter_map(|finding| finding["kind"].as_str()).collect();
    kinds.sort_unstable();
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_lies_are_found_told_without_their_values_and_removed() -> Result<()> {
    let system = System::start_with(PROGRAM, Weather::OwnRedis, &BY_HAND).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let (quote, order) = sale(&shop).await?;
    put_book(&shop.admin, &shop.ids, "11.00").await?;
    // The last events of the sale have arrived: what differs from now on is a lie.
    eventually("the quote is closed and the cache is right", async || {
        read_everything(&shop, &quote, &order).await?;
        let closed = text(&get(&shop.seller, &format!("/quote/v1/quotes/{}", text(&quote, "/id"))).await?, "/state");
        Ok((closed == "closed" && system.audit(&[]).await?.0["mismatches"] == 0).then_some(()))
    })
    .await?;

    let planted = plant_lies(&system, &shop, &quote).await?;
    let (found, code) = system.audit(&[]).await?;
    assert_eq!((kinds(&found), code), (planted.clone(), 3), "{found:#}");
    assert!(!found.to_string().contains("a secret list"), "{found:#}");
    let (found, code) = system.audit(&["--keyspace", "order-summary"]).await?;
    assert_eq!((kinds(&found), code), (vec!["should_not_exist"], 3), "{found:#}");

    let (found, code) = system.audit(&["--repair"]).await?;
    assert_eq!((kinds(&found), &found["remaining"], code), (planted, &json!(0), 0), "{found:#}");
    read_everything(&shop, &quote, &order).await?;
    let preview = post(&shop.seller, "/pricing/v1/price-previews", &shop.price_request(&[("lamp", 2)])).await?;
    assert_eq!(text(&preview, "/totals/net/amount"), "22.00", "the next read is right");
    let (found, code) = system.audit(&[]).await?;
    assert_eq!((&found["mismatches"], code), (&json!(0), 0), "{found:#}");
    let table = system.deployment.tool(&["cache", "audit", "--sample", "5"]).await?;
    let shown = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.status.success() && shown.contains("none is wrong") && shown.contains("quote summary"), "{shown}");
    Ok(())
}

/// The control at full size: where consumers stand still and the fast path is lost nothing is invalidated, and the auditor
/// says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_whose_events_are_not_consumed_is_found_out() -> Result<()> {
    let mut system = System::start_with(PROGRAM, Weather::OwnRedis, &BY_HAND).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let draft = shop.quote(&[shop.line("lamp", 1)]).await?;
    let read = async || get(&shop.seller, &format!("/quote/v1/quotes/{}", text(&draft, "/id"))).await;
    eventually("its first event is consumed", async || {
        read().await?;
        Ok((system.audit(&[]).await?.1 == 0).then_some(()))
    })
    .await?;
    system.deployment.kill(Role::Work).await?;
    // A summary that was filled before the change, and lives for a minute after it.
    read().await?;
    // The service that prices would drop the summary itself, best effort: its word does not arrive.
    let mut hands = Hands::on(system.redis.as_ref().context("a Redis of our own")?.url()).await?;
    hands.take_writes(false).await?;
    let priced = command(&shop.seller, &draft, "price", &json!({})).await?;
    assert_eq!(read().await?["version"], draft["version"], "until the event comes");
    let (found, code) = system.audit(&["--keyspace", "quote-summary"]).await?;
    assert_eq!((kinds(&found), code), (vec!["stale_version"], 3), "{found:#}");
    hands.take_writes(true).await?;
    system.deployment.launch(Role::Work).await?;
    eventually("the event is consumed", async || Ok((system.audit(&[]).await?.1 == 0).then_some(()))).await?;
    assert_eq!(read().await?["version"], priced["version"]);
    Ok(())
}

/// What no program writes.
const LIE: &[u8] = b"not a frame";

/// The patrol of a worker finds and removes a lie by itself, and counts it.
#[tokio::test(flavor = "multi_thread")]
async fn the_patrol_repairs_what_it_finds() -> Result<()> {
    let system = System::start_with(PROGRAM, Weather::OwnRedis, &HURRIED).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let mut hands = Hands::on(system.redis.as_ref().context("a Redis of our own")?.url()).await?;
    let key = catalog::active_publication_key(&system.tenant.parse()?).text();
    let stored = format!("{}:{key}", system.servers.prefix);
    // The event of the shop's opening may come as late as now, and its tombstone takes the lie's place.
    eventually("a lie is counted", async || {
        if hands.get(&stored).await?.as_deref() != Some(LIE) {
            hands.put(&stored, LIE, 60_000).await?;
        }
        let counted = system.work_metric("cache_audit_mismatch_total", "kind=\"undecodable\"").await?;
        Ok((counted > 0.0).then_some(()))
    })
    .await?;
    eventually("the last lie is removed", async || {
        Ok((hands.get(&stored).await?.as_deref() != Some(LIE)).then_some(()))
    })
    .await?;
    let shown = get(&shop.seller, "/catalog/v1/publications/active").await?;
    assert_eq!(text(&shown, "/publicationId"), shop.publication);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn superseded_versions_are_swept_and_the_newest_stay() -> Result<()> {
    let system = System::start_with(PROGRAM, Weather::OwnRedis, &BY_HAND).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    for price in ["10.00", "11.00", "12.00"] {
        put_book(&shop.admin, &shop.ids, price).await?;
        eventually("the new price is shown", async || {
            let shown = post(&shop.seller, "/pricing/v1/price-previews", &shop.price_request(&[("lamp", 1)])).await?;
            Ok((text(&shown, "/totals/net/amount") == price).then_some(()))
        })
        .await?;
    }
    let sweep = async |more: &[&str]| {
        let output = system.deployment.tool(&[&["cache", "sweep", "--json"], more].concat()).await?;
        ensure!(output.status.success(), "{}", said(&output));
        let swept: Value = serde_json::from_slice(&output.stdout)?;
        let rows = swept["keyspaces"].as_array().cloned().context("no keyspaces")?;
        rows.into_iter().find(|row| row["keyspace"] == "price book").context("price books are swept")
    };
    let dry = sweep(&["--dry-run"]).await?;
    let swept = sweep(&[]).await?;
    assert!(swept["removed"].as_u64() >= Some(1) && dry["removed"] == swept["removed"], "{dry} {swept}");
    // On a busy machine a fill may be left out: another question reads the book again.
    let mut lamps = 1;
    eventually("the newest stays", async || {
        lamps += 1;
        post(&shop.seller, "/pricing/v1/price-previews", &shop.price_request(&[("lamp", lamps)])).await?;
        let again = sweep(&[]).await?;
        ensure!(again["removed"] == 0, "{again}");
        Ok((again["seen"] == 1).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_without_redis_or_of_an_unknown_keyspace_says_what_is_wrong() -> Result<()> {
    let system = System::start_with(PROGRAM, Weather::OwnRedis, &BY_HAND).await?;
    let tool = async |arguments: &[&str]| {
        let output = system.deployment.tool(arguments).await?;
        anyhow::Ok((output.status.code(), said(&output)))
    };
    let (code, words) = tool(&["cache", "audit", "--keyspace", "stok"]).await?;
    assert!(code == Some(2) && words.contains("inventory item") && words.contains("price book"), "{words}");
    system.redis.as_ref().context("a Redis of our own")?.stop().await?;
    for arguments in [&["cache", "audit"][..], &["cache", "sweep"]] {
        let (code, words) = tokio::time::timeout(Duration::from_mins(1), tool(arguments)).await??;
        assert!(code == Some(1) && words.contains("Redis does not answer"), "{words}");
    }
    Ok(())
}
