//! The whole log again, twice, and shuffled between keys: no table changes.
//!
//! Through the product's own consumers. Every table of every service is compared, except those that only say how far somebody
//! has read; a table that is made later is compared as well.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context, Result};
use events::{Envelope, Publisher, Record};
use events_kafka::KafkaPublisher;
use fastrand::Rng;
use quoin::deployment::Role;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use system_tests::{
    Shop, System, Weather,
    shop::{get, text},
    system::eventually,
    topics::{SCHEMAS, Topics},
};
use uuid::Uuid;

use crate::{PROGRAM, asked};

/// Who reads and how far, and who may, and since when a list holds everything: the only tables a repetition may change.
const BOOKKEEPING: [&str; 5] = ["consumer_position", "lease", "lease_member", "projection_progress", "relay_cursor"];
/// Sales of the short form.
const FEW: usize = 6;
/// How often the log is repeated.
const ROUNDS: usize = 2;
/// Events published at once.
const BATCH: usize = 500;

/// Rows as text, by table.
type Tables = BTreeMap<String, Vec<String>>;

async fn everything(conn: &mut PgConnection) -> Result<Tables> {
    let schemas: Vec<String> = SCHEMAS.iter().map(|schema| (*schema).to_owned()).collect();
    let names: Vec<(String,)> = sqlx::query_as(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any($1)
           and not c.relname = any($2) order by 1",
    )
    .bind(schemas)
    .bind(BOOKKEEPING.map(str::to_owned).to_vec())
    .fetch_all(&mut *conn)
    .await?;
    let mut tables = Tables::new();
    for (name,) in names {
        let rows = format!("select to_jsonb(t)::text from {name} t order by 1");
        let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(rows)).fetch_all(&mut *conn).await?;
        tables.insert(name, rows.into_iter().map(|(row,)| row).collect());
    }
    Ok(tables)
}

/// Tables that differ, with the rows only one side has.
fn differences(before: &Tables, after: &Tables) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let side = |tables: &Tables, name: &String| -> BTreeSet<String> {
        tables.get(name).into_iter().flatten().cloned().collect()
    };
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing
        .map(|name| {
            let (old, new) = (side(before, name), side(after, name));
            let (gone, came): (Vec<_>, Vec<_>) = (old.difference(&new).collect(), new.difference(&old).collect());
            format!("{name}: gone {gone:?}, new {came:?}")
        })
        .collect()
}

/// The same events in another order, each key's in its own.
fn shuffled(events: &[Envelope], rng: &mut Rng) -> Vec<Envelope> {
    let mut keys: BTreeMap<String, VecDeque<&Envelope>> = BTreeMap::new();
    for event in events {
        keys.entry(event.key()).or_default().push_back(event);
    }
    let mut queues: Vec<VecDeque<&Envelope>> = keys.into_values().collect();
    let mut order = Vec::with_capacity(events.len());
    while !queues.is_empty() {
        let chosen = rng.usize(..queues.len());
        match queues[chosen].pop_front() {
            Some(event) => order.push(event.clone()),
            None => drop(queues.swap_remove(chosen)),
        }
    }
    order
}

/// Sales in every state: completed, cancelled in part and as a whole, on offer, in preparation.
async fn trade(shop: &Shop, sales: usize) -> Result<Vec<Value>> {
    let mut orders = Vec::new();
    for number in 0..sales {
        let presented = shop.presented(&[shop.line("lamp", 2), shop.line("delivery", 1)]).await?;
        let accepted = shop.accept(&presented, &Uuid::now_v7().to_string()).await?.value;
        let order = shop.completed(&accepted).await?;
        let items = match number % 3 {
            0 => {
                json!({ "reason": "one is enough", "items": [{ "orderItemId": order["items"][0]["id"], "quantity": "1" }] })
            }
            1 => json!({ "reason": "none is needed" }),
            _ => Value::Null,
        };
        if !items.is_null() {
            let path = format!("/order/v1/orders/{}/cancellations", text(&order, "/id"));
            shop.seller.post(path).key(Uuid::now_v7().to_string()).json(&items).send::<Value>().await?;
        }
        orders.push(order);
    }
    shop.presented(&[shop.line("chair", 1)]).await?;
    shop.quote(&[shop.line("chair", 1)]).await?;
    Ok(orders)
}

/// Nothing is under way, and everything that was published is read.
async fn at_rest(system: &System, shop: &Shop, orders: &[Value]) -> Result<()> {
    for order in orders {
        eventually("its cancellation is done and its quote has heard", async || {
            let path = format!("/order/v1/orders/{}", text(order, "/id"));
            let asked = get(&shop.seller, &format!("{path}/cancellations")).await?;
            let done = asked["items"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] == "done"));
            let quote = get(&shop.seller, &format!("/quote/v1/quotes/{}", text(order, "/quoteId"))).await?;
            Ok((done && text(&quote, "/state") == "closed").then_some(()))
        })
        .await?;
    }
    read_to_the_end(system).await
}

async fn read_to_the_end(system: &System) -> Result<()> {
    let mut topics = Topics::open(&system.servers)?;
    eventually("every consumer is at the end of the log, and it stays there", async || {
        let output = system.deployment.tool(&["outbox", "status", "--json"]).await?;
        let found: Value = serde_json::from_slice(&output.stdout).context("no status")?;
        let published = found["services"].as_array().is_some_and(|all| all.iter().all(|one| one["unpublished"] == 0));
        Ok((published && topics.behind(&mut system.owner().await?).await? == 0).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_repeated_and_shuffled_has_no_effect() -> Result<()> {
    let seed = asked("QUOIN_REPLAY_SEED").unwrap_or_else(|| fastrand::u64(..));
    let sales = asked("QUOIN_REPLAY_SALES").unwrap_or(FEW);
    println!("QUOIN_REPLAY_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let orders = trade(&shop, sales).await?;
    at_rest(&system, &shop, &orders).await?;
    let before = everything(&mut system.owner().await?).await?;

    // Nobody reads while it is written, so that the consumers find all of it at once.
    system.deployment.kill(Role::Work).await?;
    let mut log: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
    Topics::open(&system.servers)?
        .each(|topic, record| {
            let Record::Event(event) = record else { anyhow::bail!("a record is no event") };
            log.entry(topic.to_string()).or_default().push(event);
            Ok(())
        })
        .await?;
    let prefix = format!("{}.", system.servers.prefix);
    let publisher = KafkaPublisher::new(&system.servers.kafka_brokers, &prefix)?;
    let mut repeated = 0;
    for _ in 0..ROUNDS {
        for (topic, events) in &log {
            let order = shuffled(events, &mut rng);
            for batch in order.chunks(BATCH) {
                publisher.publish(topic, batch).await?;
                repeated += batch.len();
            }
        }
    }
    system.deployment.launch(Role::Work).await?;
    read_to_the_end(&system).await?;

    let after = everything(&mut system.owner().await?).await?;
    let rows: usize = before.values().map(Vec::len).sum();
    assert!(rows > 100 && repeated > 50, "{rows} rows and {repeated} events are too few to prove anything");
    assert_eq!(differences(&before, &after), Vec::<String>::new());
    let told = format!(
        "{sales} sales in every state; {repeated} events published again in {ROUNDS} rounds, each in another order between keys \
         (`QUOIN_REPLAY_SEED={seed}`). {} tables with {rows} rows are compared: 0 differ.",
        before.len()
    );
    println!("{told}");
    if sales > FEW {
        system_tests::proofs::put("The whole log again", &told)?;
    }
    Ok(())
}
