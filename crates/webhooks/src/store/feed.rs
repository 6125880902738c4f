//! The feed of a tenant: its numbered events.

use std::time::Duration;

use chrono::{DateTime, Utc};
use events::Envelope;
use kernel::TenantId;
use sqlx::{PgConnection, postgres::types::PgInterval};

use super::within;

/// Events looked at in one round of forgetting.
const FORGET_AT_ONCE: i64 = 1_000;

/// How a tenant's feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Feed {
    /// The number of the newest event.
    pub last_sequence: i64,
    /// The number of the oldest event that is kept, or of the next one.
    pub oldest_sequence: i64,
    /// How many subscriptions there are.
    pub listeners: i32,
}

/// Makes the tenant's feed if there is none yet.
pub async fn create(conn: &mut PgConnection, schema: &str, tenant: &TenantId) -> sqlx::Result<()> {
    let statement = "insert into hub.webhook_feed (tenant_id) values ($1) on conflict do nothing";
    sqlx::query(within(schema, statement)).bind(tenant.as_str()).execute(conn).await?;
    Ok(())
}

/// The tenant's feed, locked: it gets no number and forgets none meanwhile.
pub async fn lock(conn: &mut PgConnection, schema: &str, tenant: &TenantId) -> sqlx::Result<Option<Feed>> {
    let statement = "select last_sequence, oldest_sequence, listeners from hub.webhook_feed where tenant_id = $1
                     for no key update";
    sqlx::query_as(within(schema, statement)).bind(tenant.as_str()).fetch_optional(conn).await
}

/// How many subscriptions there are now; the feed is locked.
pub async fn set_listeners(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    listeners: i32,
) -> sqlx::Result<()> {
    let statement = "update hub.webhook_feed set listeners = $2 where tenant_id = $1";
    sqlx::query(within(schema, statement)).bind(tenant.as_str()).bind(listeners).execute(conn).await?;
    Ok(())
}

/// Gives an event the next number and writes it down, if somebody listens. The same event again changes nothing. Says
/// whether it was written.
pub async fn record(conn: &mut PgConnection, schema: &str, event: &Envelope) -> sqlx::Result<bool> {
    let tenant = event.tenant.as_str();
    let lock = "select last_sequence from hub.webhook_feed where tenant_id = $1 and listeners > 0 for no key update";
    let last: Option<i64> = sqlx::query_scalar(within(schema, lock)).bind(tenant).fetch_optional(&mut *conn).await?;
    let Some(last) = last else { return Ok(false) };
    let insert = "insert into hub.webhook_event (tenant_id, sequence, event_id, event_type, schema_version, source,
                      aggregate_type, aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id,
                      traceparent, payload)
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
                  on conflict (tenant_id, event_id) do nothing";
    let written = sqlx::query(within(schema, insert))
        .bind(tenant)
        .bind(last + 1)
        .bind(event.id.uuid())
        .bind(&event.event_type)
        .bind(i32::from(event.schema_version))
        .bind(&event.source)
        .bind(&event.aggregate_type)
        .bind(event.aggregate_id)
        .bind(event.aggregate_version.to_i64())
        .bind(event.occurred_at)
        .bind(&event.correlation_id)
        .bind(event.causation_id.map(kernel::EventId::uuid))
        .bind(&event.traceparent)
        .bind(&event.data[..])
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if written == 0 {
        return Ok(false);
    }
    let count = "update hub.webhook_feed set last_sequence = $2 where tenant_id = $1";
    sqlx::query(within(schema, count)).bind(tenant).bind(last + 1).execute(conn).await?;
    Ok(true)
}

/// Tenants whose oldest kept event is older than `keep`.
pub async fn tenants_to_forget_for(conn: &mut PgConnection, schema: &str, keep: Duration) -> sqlx::Result<Vec<String>> {
    let statement = "select f.tenant_id from hub.webhook_feed f
                     join hub.webhook_event e on e.tenant_id = f.tenant_id and e.sequence = f.oldest_sequence
                     where e.recorded_at < clock_timestamp() - $1";
    sqlx::query_scalar(within(schema, statement)).bind(interval(keep)?).fetch_all(conn).await
}

/// Deletes the oldest events of a tenant that are older than `keep` and were acknowledged by everybody who asked for them;
/// says how many. What a suspended subscription has not got stays.
pub async fn forget(conn: &mut PgConnection, schema: &str, tenant: &TenantId, keep: Duration) -> sqlx::Result<u64> {
    // The lock keeps a replay from beginning at an event that is just being deleted.
    lock(&mut *conn, schema, tenant).await?;
    let statement = "
        with wanted (sequence) as (
            select min(position) + 1 from hub.webhook_subscription where tenant_id = $1
            union all
            select min(sequence) from hub.webhook_delivery where tenant_id = $1
        ), oldest as (
            select sequence, recorded_at from hub.webhook_event
            where tenant_id = $1 and sequence < coalesce((select min(sequence) from wanted), 9223372036854775807)
            order by sequence limit $3
        ), gone as (
            delete from hub.webhook_event e using oldest o
            where e.tenant_id = $1 and e.sequence = o.sequence
              and not exists (select from oldest y where y.sequence <= o.sequence
                                and y.recorded_at >= clock_timestamp() - $2)
            returning e.sequence
        )
        update hub.webhook_feed set oldest_sequence = greatest(oldest_sequence, (select max(sequence) + 1 from gone))
        where tenant_id = $1 returning (select count(*) from gone)";
    let gone: i64 = sqlx::query_scalar(within(schema, statement))
        .bind(tenant.as_str())
        .bind(interval(keep)?)
        .bind(FORGET_AT_ONCE)
        .fetch_one(conn)
        .await?;
    Ok(gone.unsigned_abs())
}

/// When the oldest event was recorded that an active subscription still waits for, over all tenants.
pub async fn oldest_waiting(conn: &mut PgConnection, schema: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let statement = "
        select min(at) from (
            select min(d.recorded_at) from hub.webhook_delivery d
            join hub.webhook_subscription s on s.tenant_id = d.tenant_id and s.id = d.subscription_id
            where s.suspended_at is null
            union all
            select min(e.recorded_at) from hub.webhook_subscription s
            join hub.webhook_event e on e.tenant_id = s.tenant_id and e.sequence = s.position + 1
            where s.suspended_at is null
        ) waiting (at)";
    sqlx::query_scalar(within(schema, statement)).fetch_one(conn).await
}

/// A duration as PostgreSQL takes it: in whole microseconds.
pub(super) fn interval(duration: Duration) -> sqlx::Result<PgInterval> {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    PgInterval::try_from(Duration::from_micros(micros)).map_err(sqlx::Error::Encode)
}
