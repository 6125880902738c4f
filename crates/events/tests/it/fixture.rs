//! A database with one service's messaging tables, and writers of events.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use dev_stack::test::TestDatabase;
pub use events::order_proof::{Verdict, judge};
use events::{
    Envelope, LeaseTimes, NewEvent, Outbox, Publisher, Relay, RelayConfig,
    order_proof::{self, Seen},
};
use kernel::{Clock, SystemClock, TenantId, Version};
use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::sync::Notify;
use uuid::Uuid;

/// The service under test; its name is a word of SQL, which must not matter.
pub const SCHEMA: &str = "order";
pub const TOPIC: &str = "quoin.order.v1";
pub const OUTBOX: Outbox = Outbox::of(SCHEMA);

/// Short, so that tests of take-over are quick.
pub const LEASE: LeaseTimes = LeaseTimes { ttl: Duration::from_millis(1_500), renew_every: Duration::from_millis(300) };

pub struct Fixture {
    pub admin: PgPool,
    pub serve: PgPool,
    pub work: PgPool,
    /// Dropped last, after the pools.
    _database: TestDatabase,
}

/// A migrated database with the messaging tables and two tables of a domain: `aggregate`, versioned, and `effect`, where
/// reactions leave their marks.
pub async fn fixture() -> Result<Fixture> {
    LazyLock::force(&crate::traced::TRACED);
    let database = dev_stack::test::database(&["platform"]).await?;
    let admin = pool(&database.admin_url(), 20).await?;
    for statement in [
        r#"create schema "order""#,
        r#"create table "order".aggregate (
               tenant_id text not null, id uuid not null, version bigint not null, primary key (tenant_id, id))"#,
        r#"create table "order".effect (
               id bigint generated always as identity, tenant_id text not null, consumer text not null,
               aggregate_id uuid not null, version bigint not null)"#,
        r#"create table "order".bystander (id bigint generated always as identity, note text)"#,
        "select platform.isolate_tenant('\"order\".aggregate')",
        "select platform.isolate_tenant('\"order\".effect')",
        "select platform.create_messaging('order')",
        "select platform.grant_service('order')",
    ] {
        sqlx::query(statement).execute(&admin).await?;
    }
    let serve = pool(&database.service_url("order_serve"), 20).await?;
    let work = pool(&database.service_url("order_work"), 20).await?;
    Ok(Fixture { admin, serve, work, _database: database })
}

async fn pool(url: &str, size: u32) -> Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(size).connect(url).await?)
}

pub fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

pub fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// Starts a transaction for `tenant`.
pub async fn begin(pool: &PgPool, tenant: &TenantId) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let mut tx = pool.begin().await?;
    sqlx::query("select set_config('quoin.tenant', $1, true)").bind(tenant.as_str()).execute(&mut *tx).await?;
    Ok(tx)
}

/// Changes an aggregate the way a command does: raise the version under the row lock, then append the event.
pub async fn change(tx: &mut PgConnection, tenant: &TenantId, id: Uuid) -> Result<NewEvent> {
    let (version,): (i64,) = sqlx::query_as(
        r#"insert into "order".aggregate (tenant_id, id, version) values ($1, $2, 1)
           on conflict (tenant_id, id) do update set version = aggregate.version + 1 returning version"#,
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_one(&mut *tx)
    .await?;
    let event = event(tenant, id, u64::try_from(version)?);
    OUTBOX.append(tx, std::slice::from_ref(&event)).await?;
    Ok(event)
}

/// Changes an aggregate `times` times, each in a transaction of its own.
pub async fn changes(fixture: &Fixture, tenant: &TenantId, id: Uuid, times: usize) -> Result<()> {
    for _ in 0..times {
        let mut tx = begin(&fixture.serve, tenant).await?;
        change(&mut tx, tenant, id).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// An event that carries its version in its payload.
pub fn event(tenant: &TenantId, id: Uuid, version: u64) -> NewEvent {
    let payload = serde_json::json!({ "version": version });
    NewEvent::new(tenant, "widget", id, Version::new(version), "WidgetChanged", &payload, now()).unwrap()
}

/// The same as a consumer sees it.
pub fn envelope(tenant: &TenantId, id: Uuid, version: u64) -> Envelope {
    let event = event(tenant, id, version);
    Envelope {
        id: event.id,
        source: "/quoin/test".to_owned(),
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version,
        tenant: event.tenant,
        aggregate_type: event.aggregate_type.to_owned(),
        aggregate_id: event.aggregate_id,
        aggregate_version: event.aggregate_version,
        occurred_at: event.occurred_at,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: event.payload.into(),
    }
}

/// A relay with a small batch and short leases.
pub fn relay(fixture: &Fixture, publisher: Arc<dyn Publisher>) -> Relay {
    let config = RelayConfig { batch: 100, lease: LEASE, ..RelayConfig::default() };
    Relay::new(fixture.work.clone(), SCHEMA, TOPIC, publisher, Arc::new(Notify::new()), config)
}

/// Waits until `condition` answers `true`.
pub async fn until<F>(what: &str, condition: F) -> Result<()>
where
    F: AsyncFn() -> Result<bool>,
{
    let patience = Duration::from_mins(2);
    let waited = tokio::time::Instant::now();
    while !condition().await? {
        if waited.elapsed() > patience {
            bail!("waited {patience:?} in vain until {what}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// The committed events, as the outbox holds them.
pub async fn committed(fixture: &Fixture) -> Result<Vec<Seen>> {
    Ok(order_proof::committed(&fixture.admin, SCHEMA).await?)
}

pub fn sequence(events: &[Envelope]) -> Vec<Seen> {
    events.iter().map(|event| (event.aggregate_id, event.aggregate_version.get())).collect()
}
