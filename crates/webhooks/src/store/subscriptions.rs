//! Subscriptions: who hears what, and how far he has got.

use chrono::{DateTime, Utc};
use kernel::{TenantId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::within;
use crate::{
    model::{NewSubscription, State, Subscription, SuspendedBecause},
    rules::secret::Secret,
};

/// The columns of [`Row`].
const COLUMNS: &str = "id, version, callback, query, position, suspended_at, suspended_because, previous_secret_until, \
                       created_by, created_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    callback: String,
    query: Option<String>,
    position: i64,
    suspended_at: Option<DateTime<Utc>>,
    suspended_because: Option<String>,
    previous_secret_until: Option<DateTime<Utc>>,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<Row> for Subscription {
    fn from(row: Row) -> Self {
        let because = row.suspended_because.as_deref().map(SuspendedBecause::from_word);
        Self {
            id: row.id,
            version: Version::from_i64(row.version),
            callback: row.callback,
            query: row.query,
            state: if row.suspended_at.is_some() { State::Suspended } else { State::Active },
            suspended_at: row.suspended_at,
            suspended_because: because,
            next_sequence: row.position + 1,
            previous_secret_until: row.previous_secret_until,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

/// A new subscription that begins after `position`.
pub async fn insert(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    new: &NewSubscription,
    position: i64,
) -> sqlx::Result<Subscription> {
    let statement = format!(
        "insert into hub.webhook_subscription (tenant_id, id, callback, query, event_types, aggregate_types, position, \
             secret, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning {COLUMNS}"
    );
    let row: Row = sqlx::query_as(within(schema, &statement))
        .bind(tenant.as_str())
        .bind(new.id)
        .bind(&new.callback)
        .bind(&new.query)
        .bind(&new.filter.event_types)
        .bind(&new.filter.aggregate_types)
        .bind(position)
        .bind(new.secret.bytes())
        .bind(&new.created_by)
        .fetch_one(conn)
        .await?;
    Ok(row.into())
}

/// One subscription.
pub async fn by_id(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
) -> sqlx::Result<Option<Subscription>> {
    let statement = format!("select {COLUMNS} from hub.webhook_subscription where tenant_id = $1 and id = $2");
    let row: Option<Row> =
        sqlx::query_as(within(schema, &statement)).bind(tenant.as_str()).bind(id).fetch_optional(conn).await?;
    Ok(row.map(Subscription::from))
}

/// One subscription, locked.
pub async fn lock(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
) -> sqlx::Result<Option<Subscription>> {
    let statement =
        format!("select {COLUMNS} from hub.webhook_subscription where tenant_id = $1 and id = $2 for update");
    let row: Option<Row> =
        sqlx::query_as(within(schema, &statement)).bind(tenant.as_str()).bind(id).fetch_optional(conn).await?;
    Ok(row.map(Subscription::from))
}

/// Subscriptions in the order they were made, after one of them.
pub async fn page(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    after: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Subscription>> {
    let statement = format!(
        "select {COLUMNS} from hub.webhook_subscription where tenant_id = $1 and ($2::uuid is null or id > $2)
         order by id limit $3"
    );
    let rows: Vec<Row> = sqlx::query_as(within(schema, &statement))
        .bind(tenant.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(Subscription::from).collect())
}

/// Removes a subscription; nothing of it waits any more.
pub async fn delete(conn: &mut PgConnection, schema: &str, tenant: &TenantId, id: Uuid) -> sqlx::Result<()> {
    let statement = "delete from hub.webhook_subscription where tenant_id = $1 and id = $2";
    sqlx::query(within(schema, statement)).bind(tenant.as_str()).bind(id).execute(conn).await?;
    Ok(())
}

/// Makes a locked subscription active, after `position`.
pub async fn activate(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
    position: i64,
) -> sqlx::Result<Subscription> {
    let statement = format!(
        "update hub.webhook_subscription set version = version + 1, suspended_at = null, suspended_because = null, \
             position = $3
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let row: Row = sqlx::query_as(within(schema, &statement))
        .bind(tenant.as_str())
        .bind(id)
        .bind(position)
        .fetch_one(conn)
        .await?;
    Ok(row.into())
}

/// Gives a locked subscription another secret. The one it had signs beside it for a day.
pub async fn rotate(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
    secret: &Secret,
) -> sqlx::Result<Subscription> {
    let statement = format!(
        "update hub.webhook_subscription set version = version + 1, previous_secret = secret, secret = $3, \
             previous_secret_until = clock_timestamp() + interval '1 day'
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let row: Row = sqlx::query_as(within(schema, &statement))
        .bind(tenant.as_str())
        .bind(id)
        .bind(secret.bytes())
        .fetch_one(conn)
        .await?;
    Ok(row.into())
}

/// Sends nothing more until somebody resumes it. Says whether it was active.
pub async fn suspend(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    id: Uuid,
    because: SuspendedBecause,
) -> sqlx::Result<bool> {
    let statement = "update hub.webhook_subscription
                     set version = version + 1, suspended_at = clock_timestamp(), suspended_because = $3
                     where tenant_id = $1 and id = $2 and suspended_at is null";
    let done = sqlx::query(within(schema, statement))
        .bind(tenant.as_str())
        .bind(id)
        .bind(because.word())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many subscriptions are suspended, over all tenants.
pub async fn suspended(conn: &mut PgConnection, schema: &str) -> sqlx::Result<i64> {
    let statement = "select count(*) from hub.webhook_subscription where suspended_at is not null";
    sqlx::query_scalar(within(schema, statement)).fetch_one(conn).await
}

/// Every subscription with its tenant; seen only without a tenant set, by the work role.
pub async fn of_all_tenants(conn: &mut PgConnection, schema: &str) -> sqlx::Result<Vec<(String, Subscription)>> {
    #[derive(sqlx::FromRow)]
    struct Owned {
        tenant_id: String,
        #[sqlx(flatten)]
        row: Row,
    }
    let statement = format!("select tenant_id, {COLUMNS} from hub.webhook_subscription order by tenant_id, id");
    let rows: Vec<Owned> = sqlx::query_as(within(schema, &statement)).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|owned| (owned.tenant_id, owned.row.into())).collect())
}
