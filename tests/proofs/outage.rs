//! Kafka stops while sales go on: every command succeeds at once, the outboxes grow, and when Kafka is back everything
//! arrives, in order.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use dev_stack::{Component, test};
use futures::future::try_join_all;
use kernel::{Clock, SystemClock};
use quoin::{
    api::{Api, Credential, Endpoints, Person},
    deployment::{Deployment, Servers},
};
use serde::Deserialize;
use sqlx::{Connection, PgConnection};
use system_tests::{
    Shop,
    evidence::Evidence,
    system::{come_down, eventually},
    topics::{SCHEMAS, Topics},
};
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use crate::{PROGRAM, asked, delays::Delays};

/// Clients at a time.
const SELLERS: usize = 4;
/// From the beginning of a client's sale to that of its next: five a second in all. As many as the machine can make would pile up
/// in ten minutes what takes most of an hour to fulfil.
const SALE_EVERY: Duration = Duration::from_millis(800);
/// Sales before the outage, and at least so many in it.
const FEW: usize = 20;

/// What `outbox status` says.
#[derive(Deserialize)]
struct Outboxes {
    services: Vec<Waiting>,
}

/// What it says of one service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    unpublished: i64,
    oldest_unpublished_at: Option<DateTime<Utc>>,
}

struct Stage {
    deployment: Deployment,
    servers: Servers,
    shop: Shop,
}

impl Stage {
    /// A shop whose seller takes the first answer, whatever it is.
    async fn open(kafka: &str, database: &str, folder: &Path) -> Result<Self> {
        let servers = Servers {
            postgres_url: database.to_owned(),
            redis_url: Some(test::redis().await?.to_owned()),
            kafka_brokers: kafka.to_owned(),
            prefix: test::unique_name("outage"),
        };
        let deployment = Deployment::start(Path::new(PROGRAM), folder, &servers, &[]).await?;
        let tenant = test::unique_name("t");
        let shop = Shop::open(&deployment.url(), &tenant).await?;
        let seller = Credential::issued(Person::new(&tenant, "seller", &["salesRep", "buyer", "orderAgent"]));
        let seller = Api::new(Arc::new(Endpoints::single(&deployment.url())), seller, Duration::ZERO)?;
        Ok(Self { deployment, servers, shop: Shop { seller, ..shop } })
    }

    /// Sells until `enough`, several clients at a time; how long each acceptance took.
    async fn sell(&self, enough: impl Fn(usize) -> bool) -> Result<Delays> {
        let made = AtomicUsize::new(0);
        let client = async || {
            let (mut took, mut pace) = (Vec::new(), tokio::time::interval(SALE_EVERY));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !enough(made.load(Ordering::SeqCst)) {
                pace.tick().await;
                // A service: the shelves of this shop are small, and its outage may be long.
                let presented = self.shop.presented(&[self.shop.line("delivery", 1)]).await?;
                let began = Instant::now();
                self.shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
                took.push(began.elapsed());
                made.fetch_add(1, Ordering::SeqCst);
            }
            anyhow::Ok(took)
        };
        let took = try_join_all((0..SELLERS).map(|_| client())).await.context("a command did not succeed")?;
        Ok(Delays::of(took.into_iter().flatten().collect()))
    }

    /// Every outbox, as an operator is told.
    async fn status(&self) -> Result<Vec<Waiting>> {
        let output = self.deployment.tool(&["outbox", "status", "--json"]).await?;
        let found: Outboxes = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        ensure!(found.services.len() == SCHEMAS.len(), "{} outboxes", found.services.len());
        Ok(found.services)
    }

    /// Events that wait in all outboxes.
    async fn unpublished(&self) -> Result<i64> {
        Ok(self.status().await?.iter().map(|outbox| outbox.unpublished).sum())
    }

    /// Events that wait in outboxes where one of before this moment does: fulfilment goes on writing more.
    async fn unpublished_of_before(&self, moment: DateTime<Utc>) -> Result<i64> {
        let of_before = |outbox: &&Waiting| outbox.oldest_unpublished_at.is_some_and(|oldest| oldest <= moment);
        Ok(self.status().await?.iter().filter(of_before).map(|outbox| outbox.unpublished).sum())
    }

    async fn count(&self, statement: &'static str) -> Result<i64> {
        let mut conn = PgConnection::connect(&self.servers.postgres_url).await?;
        let (count,): (i64,) = sqlx::query_as(statement).fetch_one(&mut conn).await?;
        Ok(count)
    }
}

/// What the long form tells.
fn told(before: &Delays, during: &Delays, waited: i64, drained: Duration) -> String {
    format!(
        "| | sales | acceptance p50 (ms) | p99 | longest |\n|---|---:|---:|---:|---:|\n\
         | before | {} | {before} |\n| while Kafka was away | {} | {during} |\n\n\
         {waited} events waited in the outboxes when Kafka came back; {:.1} s later they were published, and then \
         every sale had its order. Commands that failed: 0. Lost: 0, invented: 0, order inversions: 0.",
        before.count(),
        during.count(),
        drained.as_secs_f64(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_away_under_load_costs_no_command_and_no_event() -> Result<()> {
    let long = asked::<u64>("QUOIN_OUTAGE_SECS").map(Duration::from_secs);
    let (kafka, database, evidence) =
        (test::own(Component::Kafka).await?, test::whole_database().await?, Evidence::of("outage")?);
    let stage = Stage::open(kafka.url(), &database.admin_url(), evidence.path()).await?;
    let few = |made: usize| made >= FEW;
    let before = stage.sell(few).await?;
    eventually("everything is published", async || Ok((stage.unpublished().await? == 0).then_some(()))).await?;

    kafka.stop().await?;
    let first = stage.sell(few).await?;
    let grown = stage.unpublished().await?;
    ensure!(grown >= i64::try_from(first.count() * 5)?, "{grown} events wait, of {} sales", first.count());
    let until = Instant::now() + long.unwrap_or_default();
    let during = stage.sell(move |made| made >= FEW && Instant::now() >= until).await?;
    let waited = stage.unpublished().await?;
    ensure!(waited > grown, "the outboxes grow: {grown}, then {waited}");

    kafka.start().await?;
    let (back, moment) = (Instant::now(), SystemClock.now());
    come_down("what waited is published", async || stage.unpublished_of_before(moment).await).await?;
    let drained = back.elapsed();
    // What is left to do: acceptances without an order, and tasks. It comes down with every step, orders only with their last.
    come_down("orders are made and their tasks done", async || {
        let open = r#"select (select count(*) from quote.revision r where r.state in ('accepted', 'ordered') and not exists (
                select from "order".product_order o where (o.tenant_id, o.quote_id, o.revision_no)
                    = (r.tenant_id, r.quote_id, r.revision_no)))
            + (select count(*) from "order".task where state not in ('completed', 'skipped', 'cancelled'))"#;
        stage.count(open).await
    })
    .await?;
    let sales = before.count() + first.count() + during.count();
    let completed = r#"select count(*) from "order".product_order where state = 'completed'"#;
    assert_eq!(stage.count(completed).await?, i64::try_from(sales)?);
    assert_eq!(stage.count(r#"select count(*) from "order".product_order"#).await?, i64::try_from(sales)?);
    judge(&stage).await?;
    evidence.give_up()?;
    let told = told(&before, &during, waited, drained);
    println!("{told}");
    if let Some(long) = long {
        let told = format!(
            "Kafka was away for {} s, with {SELLERS} clients that sell five times a second.\n\n{told}",
            long.as_secs()
        );
        system_tests::proofs::put("Kafka away under load", &told)?;
    }
    Ok(())
}

/// The topics hold what the outboxes hold, each aggregate's in order.
async fn judge(stage: &Stage) -> Result<()> {
    come_down("the last events are published", async || stage.unpublished().await).await?;
    // Quotes go on being closed after their orders: what is written meanwhile is neither lost nor invented.
    let before = outboxes(stage).await?;
    let seen = Topics::open(&stage.servers)?.read().await?;
    let after = outboxes(stage).await?;
    let verdict = (seen.lacking(&before), seen.beyond(&after), seen.inversions());
    assert_eq!(verdict, (0, 0, 0), "lost, invented, inverted");
    Ok(())
}

/// The ids of all events.
async fn outboxes(stage: &Stage) -> Result<HashSet<Uuid>> {
    let mut conn = PgConnection::connect(&stage.servers.postgres_url).await?;
    let mut events = HashSet::new();
    for schema in SCHEMAS {
        let ids = format!("select event_id from \"{schema}\".outbox");
        let ids: Vec<(Uuid,)> = sqlx::query_as(sqlx::AssertSqlSafe(ids)).fetch_all(&mut conn).await?;
        events.extend(ids.into_iter().map(|(id,)| id));
    }
    Ok(events)
}
