//! Deliveries: from the feed into the queue of a subscription, to whoever sends them, and out again.
//!
//! Of each aggregate only the first that waits may be taken. It waits until it is acknowledged, so the next one is never on
//! its way beside it, in whichever process.

use std::time::Duration;

use chrono::{DateTime, Utc};
use events::Envelope;
use kernel::{TenantId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{feed::interval, within};
use crate::{
    model::WaitingDelivery,
    rules::{letter::Numbered, secret::Secret},
    sender::Failure,
};

/// Events of the feed that become deliveries at once.
const QUEUE_AT_ONCE: i64 = 500;
/// Most deliveries that wait for one subscription; what comes after them waits in the feed.
const MAX_WAITING: i64 = 10_000;
/// Subscriptions served in one round.
const SUBSCRIPTIONS_AT_ONCE: i64 = 100;

/// Subscriptions for which there may be something to do, over all tenants. At random, so that none is always the last.
pub async fn busy_subscriptions(conn: &mut PgConnection, schema: &str) -> sqlx::Result<Vec<(String, Uuid)>> {
    let statement = "
        select s.tenant_id, s.id from hub.webhook_subscription s join hub.webhook_feed f on f.tenant_id = s.tenant_id
        where s.suspended_at is null
          and (s.position < f.last_sequence
               or exists (select from hub.webhook_delivery d where d.tenant_id = s.tenant_id
                            and d.subscription_id = s.id and d.due_at <= clock_timestamp()))
        order by random() limit $1";
    sqlx::query_as(within(schema, statement)).bind(SUBSCRIPTIONS_AT_ONCE).fetch_all(conn).await
}

/// What sending for a subscription needs.
#[derive(Debug)]
pub struct Served {
    /// Where events are sent.
    pub callback: String,
    /// The secrets in force, the newest first.
    pub secrets: Vec<Secret>,
}

/// An active subscription, locked; `None` while another process has it.
pub async fn lock_active(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
) -> sqlx::Result<Option<Served>> {
    let statement = "select callback, secret,
                            case when previous_secret_until > clock_timestamp() then previous_secret end
                     from hub.webhook_subscription
                     where tenant_id = $1 and id = $2 and suspended_at is null for no key update skip locked";
    let row: Option<(String, Vec<u8>, Option<Vec<u8>>)> =
        sqlx::query_as(within(schema, statement)).bind(tenant.as_str()).bind(id).fetch_optional(conn).await?;
    Ok(row.map(|(callback, secret, previous)| {
        let secrets = std::iter::once(secret).chain(previous).map(Secret::from_bytes).collect();
        Served { callback, secrets }
    }))
}

/// Puts the next events of the feed into the queue of a locked subscription; says whether there were any.
pub async fn queue(conn: &mut PgConnection, schema: &str, tenant: &TenantId, id: Uuid) -> sqlx::Result<bool> {
    let statement = "
        with mine as (
            select position, event_types, aggregate_types from hub.webhook_subscription
            where tenant_id = $1 and id = $2
              and (select count(*) from hub.webhook_delivery where tenant_id = $1 and subscription_id = $2) < $4
        ), next as (
            select e.sequence, e.event_type, e.aggregate_type, e.aggregate_id, e.recorded_at
            from hub.webhook_event e, mine where e.tenant_id = $1 and e.sequence > mine.position
            order by e.sequence limit $3
        ), queued as (
            insert into hub.webhook_delivery
                (tenant_id, subscription_id, sequence, aggregate_type, aggregate_id, recorded_at)
            select $1, $2, next.sequence, next.aggregate_type, next.aggregate_id, next.recorded_at from next, mine
            where (mine.event_types is null or next.event_type = any (mine.event_types))
              and (mine.aggregate_types is null or next.aggregate_type = any (mine.aggregate_types))
        )
        update hub.webhook_subscription set position = (select max(sequence) from next)
        where tenant_id = $1 and id = $2 and exists (select from next)";
    let moved = sqlx::query(within(schema, statement))
        .bind(tenant.as_str())
        .bind(id)
        .bind(QUEUE_AT_ONCE)
        .bind(MAX_WAITING)
        .execute(conn)
        .await?;
    Ok(moved.rows_affected() == 1)
}

/// A delivery that is the caller's to send.
#[derive(Debug)]
pub struct Taken {
    /// The event.
    pub numbered: Numbered,
    /// How often it was sent, this time included.
    pub attempts: u32,
}

#[derive(sqlx::FromRow)]
struct TakenRow {
    sequence: i64,
    attempts: i32,
    event_id: Uuid,
    event_type: String,
    schema_version: i32,
    source: String,
    aggregate_type: String,
    aggregate_id: Uuid,
    aggregate_version: i64,
    occurred_at: DateTime<Utc>,
    correlation_id: Option<String>,
    causation_id: Option<Uuid>,
    traceparent: Option<String>,
    payload: Vec<u8>,
}

impl TakenRow {
    fn of(self, tenant: &TenantId) -> Taken {
        let event = Envelope {
            id: self.event_id.into(),
            source: self.source,
            event_type: self.event_type,
            schema_version: u16::try_from(self.schema_version).unwrap_or(u16::MAX),
            tenant: tenant.clone(),
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            aggregate_version: Version::from_i64(self.aggregate_version),
            occurred_at: self.occurred_at,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id.map(Into::into),
            traceparent: self.traceparent,
            data: self.payload.into(),
        };
        Taken { numbered: Numbered { sequence: self.sequence, event }, attempts: self.attempts.unsigned_abs() }
    }
}

/// How many deliveries may be taken, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Take {
    /// Most that are on their way for the subscription, in all processes.
    pub at_once: i64,
    /// Most that the caller has room for.
    pub room: i64,
    /// How long they are the caller's.
    pub term: Duration,
}

/// Takes deliveries of a locked subscription that are due, each the first of its aggregate, under the name `claim`.
pub async fn take(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
    claim: Uuid,
    take: Take,
) -> sqlx::Result<Vec<Taken>> {
    let statement = "
        with first as (
            select w.sequence from hub.webhook_delivery w
            where w.tenant_id = $1 and w.subscription_id = $2 and w.due_at <= clock_timestamp()
              and (w.claimed_until is null or w.claimed_until < clock_timestamp())
              and not exists (select from hub.webhook_delivery b
                              where b.tenant_id = w.tenant_id and b.subscription_id = w.subscription_id
                                and b.aggregate_type = w.aggregate_type and b.aggregate_id = w.aggregate_id
                                and b.sequence < w.sequence)
            order by w.sequence
            limit least($5, greatest($4 - (select count(*) from hub.webhook_delivery c
                                           where c.tenant_id = $1 and c.subscription_id = $2
                                             and c.claimed_until >= clock_timestamp()), 0))
            for update of w skip locked
        ), taken as (
            update hub.webhook_delivery d
            set claim = $3, claimed_until = clock_timestamp() + $6, attempts = d.attempts + 1
            from first where d.tenant_id = $1 and d.subscription_id = $2 and d.sequence = first.sequence
            returning d.sequence, d.attempts
        )
        select taken.sequence, taken.attempts, e.event_id, e.event_type, e.schema_version, e.source, e.aggregate_type,
               e.aggregate_id, e.aggregate_version, e.occurred_at, e.correlation_id, e.causation_id, e.traceparent,
               e.payload
        from taken join hub.webhook_event e on e.tenant_id = $1 and e.sequence = taken.sequence";
    let rows: Vec<TakenRow> = sqlx::query_as(within(schema, statement))
        .bind(tenant.as_str())
        .bind(id)
        .bind(claim)
        .bind(take.at_once)
        .bind(take.room)
        .bind(interval(take.term)?)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.of(tenant)).collect())
}

/// Which delivery of whom, as it was taken.
#[derive(Debug, Clone)]
pub struct Slip {
    /// Whose.
    pub tenant: TenantId,
    /// The subscription.
    pub subscription: Uuid,
    /// The event's number.
    pub sequence: i64,
    /// The name under which it was taken. After a replay it is another delivery, and nobody else's to note.
    pub claim: Uuid,
}

/// The receiver has it.
pub async fn acknowledge(conn: &mut PgConnection, schema: &str, slip: &Slip) -> sqlx::Result<()> {
    let statement = "delete from hub.webhook_delivery
                     where tenant_id = $1 and subscription_id = $2 and sequence = $3 and claim = $4";
    sqlx::query(within(schema, statement))
        .bind(slip.tenant.as_str())
        .bind(slip.subscription)
        .bind(slip.sequence)
        .bind(slip.claim)
        .execute(conn)
        .await?;
    Ok(())
}

/// The receiver has not got it; it is due again after `pause`. Says whether it has failed for as long as `patience`.
pub async fn put_back(
    conn: &mut PgConnection,
    schema: &str,
    slip: &Slip,
    failure: &Failure,
    pause: Duration,
    patience: Duration,
) -> sqlx::Result<bool> {
    let statement = "update hub.webhook_delivery
                     set claim = null, claimed_until = null, due_at = clock_timestamp() + $5,
                         failing_since = coalesce(failing_since, clock_timestamp()),
                         last_attempt_at = clock_timestamp(), last_status = $6, last_error = $7
                     where tenant_id = $1 and subscription_id = $2 and sequence = $3 and claim = $4
                     returning failing_since <= clock_timestamp() - $8";
    let tired: Option<bool> = sqlx::query_scalar(within(schema, statement))
        .bind(slip.tenant.as_str())
        .bind(slip.subscription)
        .bind(slip.sequence)
        .bind(slip.claim)
        .bind(interval(pause)?)
        .bind(failure.status.map(u16::cast_signed))
        .bind(&failure.error)
        .bind(interval(patience)?)
        .fetch_optional(conn)
        .await?;
    Ok(tired.unwrap_or(false))
}

/// Whatever waits for a locked subscription is due now, as if it had never failed.
pub async fn make_due(conn: &mut PgConnection, schema: &str, tenant: &TenantId, id: Uuid) -> sqlx::Result<()> {
    let statement = "update hub.webhook_delivery set due_at = clock_timestamp(), attempts = 0, failing_since = null
                     where tenant_id = $1 and subscription_id = $2";
    sqlx::query(within(schema, statement)).bind(tenant.as_str()).bind(id).execute(conn).await?;
    Ok(())
}

/// Nothing waits any more for a locked subscription.
pub async fn clear(conn: &mut PgConnection, schema: &str, tenant: &TenantId, id: Uuid) -> sqlx::Result<()> {
    let statement = "delete from hub.webhook_delivery where tenant_id = $1 and subscription_id = $2";
    sqlx::query(within(schema, statement)).bind(tenant.as_str()).bind(id).execute(conn).await?;
    Ok(())
}

/// What waits for a subscription, after an event's number.
pub async fn waiting(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<WaitingDelivery>> {
    let statement = "
        select d.sequence, e.event_id, e.event_type, e.aggregate_type, e.aggregate_id, e.aggregate_version, d.attempts,
               d.due_at, d.failing_since, d.last_attempt_at, d.last_status, d.last_error
        from hub.webhook_delivery d join hub.webhook_event e on e.tenant_id = d.tenant_id and e.sequence = d.sequence
        where d.tenant_id = $1 and d.subscription_id = $2 and d.sequence > $3 order by d.sequence limit $4";
    sqlx::query_as(within(schema, statement))
        .bind(tenant.as_str())
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await
}
