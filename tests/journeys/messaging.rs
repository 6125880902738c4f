//! What operators ask of outboxes and consumers, against a running deployment.

use anyhow::{Context, Result, ensure};
use quoin::deployment::Role;
use serde_json::{Value, json};
use system_tests::{
    Shop, System, Weather,
    shop::{get, text},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

/// A command's result for machines, and its exit code.
async fn asked(system: &System, arguments: &[&str]) -> Result<(Value, i32)> {
    let output = system.deployment.tool(&[arguments, &["--json"]].concat()).await?;
    let code = output.status.code().context("it was killed")?;
    let found = serde_json::from_slice(&output.stdout);
    Ok((found.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?, code))
}

async fn unpublished(system: &System, service: &str) -> Result<u64> {
    let (found, code) = asked(system, &["outbox", "status", service]).await?;
    ensure!(code == 0, "{found}");
    found.pointer("/services/0/unpublished").and_then(Value::as_u64).context("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_an_outbox_is_counted_and_what_was_published_can_be_published_again() -> Result<()> {
    let mut system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    let order = shop.settled(&presented).await?;
    eventually("everything is published", async || Ok((unpublished(&system, "quote").await? == 0).then_some(())))
        .await?;

    system.deployment.kill(Role::Work).await?;
    shop.quote(&[shop.line("chair", 1)]).await?;
    assert_eq!(unpublished(&system, "quote").await?, 1, "nobody publishes it");
    let (all, _) = asked(&system, &["outbox", "status"]).await?;
    assert_eq!(all["services"].as_array().map(Vec::len), Some(5));
    system.deployment.launch(Role::Work).await?;
    eventually("it is published", async || Ok((unpublished(&system, "quote").await? == 0).then_some(()))).await?;

    let of_tenant = ["outbox", "replay", "quote", "--tenant", &system.tenant];
    let (counted, _) = asked(&system, &[&of_tenant[..], &["--dry-run"]].concat()).await?;
    assert!(counted["matching"].as_u64() > Some(5) && counted["published"] == 0, "{counted}");
    let (replayed, code) = asked(&system, &of_tenant).await?;
    assert_eq!((&replayed["published"], code), (&counted["matching"], 0), "{replayed}");
    // Consumers recognise what they have: the sale is made once.
    let another = shop.presented(&[shop.line("lamp", 1)]).await?;
    shop.accept(&another, &Uuid::now_v7().to_string()).await?;
    shop.completed(&another).await?;
    let orders = get(&shop.seller, &format!("/order/v1/orders?quoteId={}", text(&presented, "/id"))).await?;
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders}");
    let still = get(&shop.seller, &format!("/order/v1/orders/{}", text(&order, "/id"))).await?;
    assert_eq!((&still["version"], &still["state"]), (&order["version"], &order["state"]), "nothing happened to it");
    Ok(())
}

/// The consumer that is held up.
const CONSUMER: &str = "quote.orders";

/// An event of an order that nobody can read, as a broken program would write it: its key, and what is said of it once it is
/// parked.
async fn poisoned(system: &System) -> Result<(String, Value)> {
    let order = Uuid::now_v7();
    sqlx::query(
        r#"insert into "order".outbox (shard, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id,
               event_type, schema_version, occurred_at, payload)
           values (0, $1, 'order', $2, 1, $3, 'OrderStateChanged', 1, now(), '{}')"#,
    )
    .bind(&system.tenant)
    .bind(order)
    .bind(Uuid::now_v7())
    .execute(&mut system.owner().await?)
    .await?;
    let key = format!("{}:order:{order}", system.tenant);
    let parked = ["events", "parked", "quote", "--consumer", CONSUMER, "--key", &key];
    let shown = eventually("it is parked", async || {
        let (found, code) = asked(system, &parked).await?;
        Ok((code == 3).then(|| found["keys"][0].clone()))
    })
    .await?;
    Ok((key, shown))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_applied_is_parked_named_tried_again_and_thrown_away_while_others_flow() -> Result<()> {
    let system = System::start(PROGRAM, Weather::OwnRedis).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let (nothing, code) = asked(&system, &["events", "parked"]).await?;
    assert_eq!((&nothing["keys"], code), (&json!([]), 0));

    let (key, shown) = poisoned(&system).await?;
    assert_eq!((text(&shown, "/eventKey"), text(&shown, "/reason")), (key.clone(), "poison".to_owned()));

    // Others flow.
    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    shop.completed(&presented).await?;

    let redrive = ["events", "redrive", "quote", "--consumer", CONSUMER, "--key", &key];
    let (dry, code) = asked(&system, &[&redrive[..], &["--dry-run"]].concat()).await?;
    assert_eq!((&dry["keys"][0]["left"], code), (&json!(1), 0), "{dry}");
    let (again, code) = asked(&system, &redrive).await?;
    assert_eq!((&again["keys"][0]["free"], code), (&json!(false), 3), "nothing was mended: {again}");

    // No operator has to wait for Redis.
    system.redis.as_ref().context("a Redis of our own")?.stop().await?;
    // The cause is mended: it says now what a real event of the finished order says.
    let mended = r#"update quote.parked_event set payload = (select payload from "order".outbox
        where tenant_id = $1 and event_type = 'OrderStateChanged' order by seq desc limit 1) where event_key = $2"#;
    sqlx::query(mended).bind(&system.tenant).bind(&key).execute(&mut system.owner().await?).await?;
    let (redriven, code) = asked(&system, &redrive).await?;
    assert_eq!(
        (&redriven["keys"][0]["free"], &redriven["keys"][0]["released"], code),
        (&json!(true), &json!(1), 0),
        "{redriven}"
    );

    // Another one nobody can mend.
    let (key, shown) = poisoned(&system).await?;
    let id = text(&shown, "/queue/0/id");
    let discard = ["events", "discard", "quote", "--consumer", CONSUMER, "--key", &key, "--id", &id];
    let (discarded, code) = asked(&system, &discard).await?;
    assert_eq!((&discarded["left"], code), (&json!(0), 0), "{discarded}");
    assert_eq!(asked(&system, &["events", "parked", "quote", "--consumer", CONSUMER]).await?.1, 0, "it is gone");
    let unknown = system.deployment.tool(&discard).await?;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("has no parked event"), "{unknown:?}");
    Ok(())
}
