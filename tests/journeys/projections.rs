//! Lists made from events, and made again by command, against a running deployment.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use system_tests::{
    Shop, System, Weather,
    shop::{get, text},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

/// A rebuild's summary, and its exit code.
async fn rebuild(system: &System, of: [&str; 2], dry_run: bool) -> Result<(Value, i32)> {
    let mut arguments = vec!["events", "rebuild", of[0], "--projection", of[1], "--json"];
    arguments.extend(dry_run.then_some("--dry-run"));
    let output = system.deployment.tool(&arguments).await?;
    let code = output.status.code().context("it was killed")?;
    let summary = serde_json::from_slice(&output.stdout);
    Ok((summary.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?, code))
}

async fn listed(shop: &Shop, path: &str) -> Result<Vec<Value>> {
    let page = get(&shop.seller, path).await?;
    Ok(page["items"].as_array().context("items")?.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_follow_a_sale_and_a_rebuild_finds_and_mends_what_was_changed_by_hand() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    let order = shop.settled(&presented).await?;
    let orders = eventually("the order is in the list with its customer", async || {
        let orders = listed(&shop, "/order/v1/order-list?state=completed").await?;
        let whole = |line: &Value| line["version"] == order["version"] && line["customerName"].is_string();
        Ok(orders.iter().any(|line| line["id"] == order["id"] && whole(line)).then_some(orders))
    })
    .await?;
    let quotes = eventually("the quote is in the list with its order", async || {
        let quotes = listed(&shop, "/quote/v1/quote-list").await?;
        Ok(quotes.iter().any(|line| line["orderState"] == "completed" && line["state"] == "closed").then_some(quotes))
    })
    .await?;
    for of in [["order", "order-list"], ["quote", "quote-list"]] {
        let (compared, code) = rebuild(&system, of, true).await?;
        assert_eq!((&compared["wrongRows"], &compared["switched"], code), (&json!(0), &json!(false), 0), "{compared}");
        assert!(compared["rows"].as_u64() >= Some(2), "{compared}");
    }

    let tamper = format!("update \"order\".order_list set state = 'failed' where order_id = '{}'", text(&order, "/id"));
    sqlx::query(AssertSqlSafe(tamper)).execute(&mut system.owner().await?).await?;
    assert!(listed(&shop, "/order/v1/order-list?state=completed").await?.is_empty(), "it was changed by hand");
    let (compared, code) = rebuild(&system, ["order", "order-list"], true).await?;
    assert_eq!((&compared["wrongRows"], code), (&json!(1), 3), "{compared}");
    assert_eq!(compared["differences"][0]["kind"], "content", "{compared}");
    let (rebuilt, code) = rebuild(&system, ["order", "order-list"], false).await?;
    assert_eq!((&rebuilt["wrongRows"], &rebuilt["switched"], code), (&json!(1), &json!(true), 0), "{rebuilt}");
    assert_eq!(listed(&shop, "/order/v1/order-list?state=completed").await?, orders);
    let (rebuilt, code) = rebuild(&system, ["quote", "quote-list"], false).await?;
    assert_eq!((&rebuilt["wrongRows"], code), (&json!(0), 0), "{rebuilt}");
    assert_eq!(listed(&shop, "/quote/v1/quote-list").await?, quotes);

    // The consumers go on where they were, in the new builds.
    let another = shop.presented(&[shop.line("lamp", 1)]).await?;
    shop.accept(&another, &Uuid::now_v7().to_string()).await?;
    shop.completed(&another).await?;
    eventually("the next order is in the list", async || {
        Ok((listed(&shop, "/order/v1/order-list?state=completed").await?.len() == 2).then_some(()))
    })
    .await?;

    let unknown = system.deployment.tool(&["events", "rebuild", "order", "--projection", "orders"]).await?;
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    ensure!(unknown.status.code() == Some(1) && said.contains("There is: order-list"), "{said}");
    Ok(())
}

/// The summary of a reconciliation, and its exit code.
async fn reconcile(system: &System) -> Result<(Value, i32)> {
    let output = system.deployment.tool(&["events", "reconcile", "--json"]).await?;
    let code = output.status.code().context("it was killed")?;
    let summary = serde_json::from_slice(&output.stdout);
    Ok((summary.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?, code))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_diverges_by_nothing_and_what_was_changed_behind_its_back_is_named() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    let order = shop.settled(&presented).await?;
    eventually("nothing diverges", async || {
        let (summary, code) = reconcile(&system).await?;
        Ok((summary["divergence"] == 0 && code == 0).then_some(()))
    })
    .await?;

    let id = text(&order, "/id");
    for tamper in [
        format!("update \"order\".outbox set payload = '{{}}' where aggregate_id = '{id}' and aggregate_version = 1"),
        format!("update \"order\".order_list set total = 0 where order_id = '{id}'"),
    ] {
        let changed = sqlx::query(AssertSqlSafe(tamper)).execute(&mut system.owner().await?).await?;
        ensure!(changed.rows_affected() == 1, "nothing was changed");
    }
    let (summary, code) = reconcile(&system).await?;
    assert_eq!((&summary["divergence"], code), (&json!(2), 3), "{summary}");
    let services = summary["services"].as_array().context("services")?;
    let of_order = services.iter().find(|service| service["service"] == "order").context("order")?;
    let found = (&of_order["found"][0]["kind"], &of_order["found"][0]["events"]);
    assert_eq!(found, (&json!("content"), &json!(1)), "{of_order}");
    ensure!(text(of_order, "/found/0/examples/0").contains(&id), "it is named: {of_order}");
    assert_eq!(of_order["projections"][0]["wrongRows"], 1, "{of_order}");
    Ok(())
}
