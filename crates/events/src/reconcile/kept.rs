//! What the outbox has published and still retains.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kernel::{TenantId, Version};
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use uuid::Uuid;

use crate::{relay::published as is_published, republish::Wanted};

/// Rows read at once.
const PAGE: i64 = 5_000;

/// Ids looked for at once.
const ASKED: usize = 5_000;

/// One published event of the outbox.
pub(super) struct Kept {
    /// Which aggregate and version.
    pub wanted: Wanted,
    pub fingerprint: i64,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    event_id: Uuid,
    tenant_id: String,
    aggregate_type: String,
    aggregate_id: Uuid,
    aggregate_version: i64,
    fingerprint: i64,
}

/// When the oldest retained event was written.
pub(super) async fn oldest(pool: &PgPool, schema: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let sql = format!("select min(enqueued_at) from \"{schema}\".outbox");
    let (oldest,): (Option<DateTime<Utc>>,) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(pool).await?;
    Ok(oldest)
}

/// The published events written since then, by their ids.
pub(super) async fn published(
    pool: &PgPool,
    (schema, topic): (&str, &str),
    since: Option<DateTime<Utc>>,
) -> Result<HashMap<Uuid, Kept>, sqlx::Error> {
    let sql = format!(
        "select seq, event_id, tenant_id, aggregate_type, aggregate_id, aggregate_version, \
           ('x' || encode(substring(sha256(convert_to(event_id || ' ' || tenant_id || ':' || aggregate_type || ':' || \
             aggregate_id || ' ' || aggregate_version || ' ' || event_type || E'\\n', 'UTF8') || payload) from 1 for 8), \
             'hex'))::bit(64)::bigint as fingerprint \
         from \"{schema}\".outbox where seq > $1 and ($2::timestamptz is null or enqueued_at >= $2) and {} \
         order by seq limit {PAGE}",
        is_published(schema)
    );
    let (mut after, mut all) = (0, HashMap::new());
    loop {
        let rows: Vec<Row> =
            sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(after).bind(since).fetch_all(pool).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.seq;
        for row in rows {
            let tenant: TenantId = row.tenant_id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let wanted = Wanted {
                topic: topic.into(),
                tenant,
                aggregate_type: row.aggregate_type,
                aggregate_id: row.aggregate_id,
                version: Version::from_i64(row.aggregate_version),
            };
            all.insert(row.event_id, Kept { wanted, fingerprint: row.fingerprint });
        }
    }
}

/// Those of `events` the outbox has, published or not.
pub(super) async fn known(pool: &PgPool, schema: &str, events: Vec<Uuid>) -> Result<Vec<Uuid>, sqlx::Error> {
    let sql = format!("select event_id from \"{schema}\".outbox where event_id = any($1)");
    let mut known = Vec::new();
    for asked in events.chunks(ASKED) {
        let rows: Vec<(Uuid,)> = sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(asked).fetch_all(pool).await?;
        known.extend(rows.into_iter().map(|(id,)| id));
    }
    Ok(known)
}
