//! Publishes retained outbox rows again: for a consumer that misses some, or a log that lost its tail.
//!
//! Events keep their ids and versions, so consumers recognise what they have. Only rows the relay has published are
//! repeated: an event must not overtake one the relay still has to send.

use chrono::{DateTime, Utc};
use kernel::{TenantId, Version};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::reader::{COLUMNS, Reader};
use crate::{Envelope, PublishError, Publisher};

/// Events published again at once.
const PAGE: i64 = 500;

/// Which events to publish again; everything left out matches.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// One tenant's.
    pub tenant: Option<TenantId>,
    /// One kind of aggregate.
    pub aggregate_type: Option<String>,
    /// One aggregate.
    pub aggregate_id: Option<Uuid>,
    /// From this version of the aggregate on.
    pub from_version: Option<Version>,
    /// One type of event.
    pub event_type: Option<String>,
    /// Written at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Written before this time.
    pub before: Option<DateTime<Utc>>,
}

/// The replay stopped half-way; repeating it is harmless.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The outbox could not be read.
    #[error("the outbox cannot be read")]
    Database(#[from] sqlx::Error),
    /// The log did not acknowledge.
    #[error("the log did not acknowledge")]
    Publish(#[from] PublishError),
}

impl Replay {
    /// How many events would be published again.
    pub async fn count(&self, pool: &PgPool, schema: &str) -> Result<u64, ReplayError> {
        let sql = format!("select count(*) {}", matching(schema));
        let (count,): (i64,) = self.bound(sqlx::query_as(AssertSqlSafe(sql)), 0).fetch_one(pool).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The lowest aggregate version among them.
    pub(crate) async fn first_version(&self, pool: &PgPool, schema: &str) -> Result<Option<Version>, ReplayError> {
        let sql = format!("select min(aggregate_version) {}", matching(schema));
        let (first,): (Option<i64>,) = self.bound(sqlx::query_as(AssertSqlSafe(sql)), 0).fetch_one(pool).await?;
        Ok(first.map(Version::from_i64))
    }

    /// Publishes them again in their order; `progress` hears how many so far. `pool` connects as the work role.
    pub async fn publish(
        &self,
        pool: &PgPool,
        schema: &str,
        topic: &str,
        publisher: &dyn Publisher,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<u64, ReplayError> {
        let reader = Reader::new(schema);
        let sql = format!("select {COLUMNS} {} order by seq limit {PAGE}", matching(schema));
        let (mut after, mut total) = (0, 0);
        loop {
            let rows = self.bound(sqlx::query_as(AssertSqlSafe(sql.as_str())), after).fetch_all(pool).await?;
            let rows = rows.into_iter().map(|row| reader.outbox_row(row)).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = rows.last() else { return Ok(total) };
            after = last.seq;
            let batch: Vec<Envelope> = rows.into_iter().map(|row| row.envelope).collect();
            publisher.publish(topic, &batch).await?;
            total += batch.len() as u64;
            progress(total);
        }
    }

    fn bound<'q, O>(
        &'q self,
        query: sqlx::query::QueryAs<'q, sqlx::Postgres, O, sqlx::postgres::PgArguments>,
        after: i64,
    ) -> sqlx::query::QueryAs<'q, sqlx::Postgres, O, sqlx::postgres::PgArguments> {
        query
            .bind(after)
            .bind(self.tenant.as_ref().map(TenantId::as_str))
            .bind(self.aggregate_type.as_deref())
            .bind(self.aggregate_id)
            .bind(self.from_version.map(Version::to_i64))
            .bind(self.event_type.as_deref())
            .bind(self.since)
            .bind(self.before)
    }
}

/// The rows a replay matches.
fn matching(schema: &str) -> String {
    format!(
        "from \"{schema}\".outbox where seq > $1 \
           and ($2::text is null or tenant_id = $2) and ($3::text is null or aggregate_type = $3) \
           and ($4::uuid is null or aggregate_id = $4) and ($5::bigint is null or aggregate_version >= $5) \
           and ($6::text is null or event_type = $6) \
           and ($7::timestamptz is null or enqueued_at >= $7) and ($8::timestamptz is null or enqueued_at < $8) \
           and {}",
        published(schema)
    )
}

/// That the relay has published a row. A shard's group is the shard divided by eight.
pub(crate) fn published(schema: &str) -> String {
    format!(
        "exists (select from \"{schema}\".relay_cursor c where c.shard_group = outbox.shard / 8 \
           and (pg_visible_in_snapshot(outbox.xid, c.snapshot) \
             or (outbox.seq <= c.page_seq and pg_visible_in_snapshot(outbox.xid, c.page_snapshot))))"
    )
}
