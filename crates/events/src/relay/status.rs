//! How far an outbox is published, as an operator sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow, PgPool};

use super::replay::published;

/// The outbox of one service. The relay notes how far it is four times a second, so the last few events may still count as
/// unpublished.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxStatus {
    /// Events that wait for the relay.
    pub unpublished: i64,
    /// When the oldest of them was written.
    pub oldest_unpublished_at: Option<DateTime<Utc>>,
    /// Events that are kept, published or not: so many can be published again.
    pub retained: i64,
    /// When the oldest of them was written.
    pub oldest_retained_at: Option<DateTime<Utc>>,
}

impl OutboxStatus {
    /// Reads the whole outbox of `schema`: for a person who asks, not for a loop. `pool` connects as the work role.
    pub async fn of(pool: &PgPool, schema: &str) -> Result<Self, sqlx::Error> {
        let sql = format!(
            "select count(*) filter (where not published) as unpublished, \
               min(enqueued_at) filter (where not published) as oldest_unpublished_at, \
               count(*) as retained, min(enqueued_at) as oldest_retained_at \
             from (select enqueued_at, {} as published from \"{schema}\".outbox) as event",
            published(schema)
        );
        sqlx::query_as(AssertSqlSafe(sql)).fetch_one(pool).await
    }
}
