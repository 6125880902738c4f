//! From an outbox in one schema over a real broker to effects in a table, with everything killed on the way.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use async_trait::async_trait;
use dev_stack::test::unique_name;
use events::{
    Consumer, ConsumerConfig, Envelope, Guard, LeaseTimes, NewEvent, Outbox, Reaction, ReactionError, Relay,
    RelayConfig,
};
use events_kafka::{KafkaPublisher, KafkaSource, create_topics};
use kernel::{Clock, SystemClock, TenantId, Version};
use sqlx::{PgConnection, PgPool};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const TOPIC: &str = "quoin.order.v1";
const LEASE: LeaseTimes = LeaseTimes { ttl: Duration::from_millis(1_500), renew_every: Duration::from_millis(300) };

struct Counting;

#[async_trait]
impl Reaction for Counting {
    fn consumer(&self) -> &'static str {
        "order.counting"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, _event_type: &str) -> Guard {
        Guard::Delta
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        sqlx::query(
            r#"insert into "order".effect (tenant_id, aggregate_id, version)
               values (current_setting('quoin.tenant'), $1, $2)"#,
        )
        .bind(event.aggregate_id)
        .bind(event.aggregate_version.to_i64())
        .execute(tx)
        .await?;
        Ok(())
    }
}

async fn prepare(admin: &PgPool) -> Result<()> {
    for statement in [
        r#"create schema "order""#,
        r#"create table "order".effect (
               id bigint generated always as identity, tenant_id text not null, aggregate_id uuid not null,
               version bigint not null)"#,
        "select platform.isolate_tenant('\"order\".effect')",
        "select platform.create_messaging('order')",
        "select platform.grant_service('order')",
    ] {
        sqlx::query(statement).execute(admin).await?;
    }
    Ok(())
}

async fn append(serve: &PgPool, tenant: &TenantId, ids: &[Uuid], version: u64) -> Result<()> {
    let mut tx = serve.begin().await?;
    sqlx::query("select set_config('quoin.tenant', $1, true)").bind(tenant.as_str()).execute(&mut *tx).await?;
    let payload = serde_json::json!({ "version": version });
    let of = |id: &Uuid| {
        NewEvent::new(tenant, "widget", *id, Version::new(version), "WidgetChanged", &payload, SystemClock.now())
    };
    let events = ids.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    Outbox::of("order").append(&mut tx, &events).await?;
    Ok(tx.commit().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_has_its_effect_once_though_relay_and_consumer_are_killed() -> Result<()> {
    let brokers = dev_stack::test::kafka().await?;
    let prefix = format!("{}.", unique_name("journey"));
    create_topics(brokers, &prefix, &[TOPIC], crate::shape(6)).await?;
    let database = dev_stack::test::database(&["platform"]).await?;
    let admin = PgPool::connect(&database.admin_url()).await?;
    prepare(&admin).await?;
    let serve = PgPool::connect(&database.service_url("order_serve")).await?;
    let work = PgPool::connect(&database.service_url("order_work")).await?;

    let start = |stop: &CancellationToken| -> Result<(JoinHandle<()>, JoinHandle<()>)> {
        let publisher = Arc::new(KafkaPublisher::new(brokers, &prefix)?);
        let pace = RelayConfig { batch: 50, lease: LEASE, ..RelayConfig::default() };
        let relay = Relay::new(work.clone(), "order", TOPIC, publisher, Arc::new(Notify::new()), pace);
        let source = Box::new(KafkaSource::new(brokers, &prefix, "order.counting")?);
        let pace = ConsumerConfig { batch: 40, lease: LEASE, ..ConsumerConfig::default() };
        let consumer = Consumer::new(work.clone(), "order", source, Arc::new(Counting)).with_config(pace);
        Ok((tokio::spawn(relay.run(stop.clone())), tokio::spawn(consumer.run(stop.clone()))))
    };
    let tenant: TenantId = "acme".parse()?;
    let ids: Vec<Uuid> = (0..25).map(|_| Uuid::now_v7()).collect();
    let mut version = 0;
    for _ in 0..4 {
        let (relay, consumer) = start(&CancellationToken::new())?;
        for _ in 0..10 {
            version += 1;
            append(&serve, &tenant, &ids, version).await?;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..120))).await;
        }
        relay.abort();
        consumer.abort();
    }
    let dead: Vec<Uuid> = sqlx::query_scalar(r#"select distinct holder from "order".lease where holder is not null"#)
        .fetch_all(&admin)
        .await?;
    let stop = CancellationToken::new();
    let (relay, consumer) = start(&stop)?;
    let expected = i64::try_from(ids.len())? * i64::try_from(version)?;
    let began = tokio::time::Instant::now();
    loop {
        let (effects,): (i64,) = sqlx::query_as(r#"select count(*) from "order".effect"#).fetch_one(&admin).await?;
        // Also what nothing is written to is taken over from the dead.
        let (left,): (i64,) = sqlx::query_as(r#"select count(*) from "order".lease where holder = any($1)"#)
            .bind(&dead)
            .fetch_one(&admin)
            .await?;
        if effects >= expected && left == 0 {
            break;
        }
        if began.elapsed() > Duration::from_mins(3) {
            bail!("{effects} of {expected} effects, {left} leases of the dead");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    relay.await?;
    consumer.await?;
    let wrong: Vec<(Uuid, i64)> = sqlx::query_as(
        r#"select aggregate_id, count(*) from "order".effect group by aggregate_id
           having array_agg(version order by id) <> (select array_agg(v) from generate_series(1, $1::bigint) v)"#,
    )
    .bind(i64::try_from(version)?)
    .fetch_all(&admin)
    .await?;
    assert_eq!(wrong, [], "each aggregate's versions were applied once, in order");
    let (held,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".lease where holder is not null"#).fetch_one(&admin).await?;
    assert_eq!(held, 0, "a stopped relay and consumer give their leases back");
    Ok(())
}
