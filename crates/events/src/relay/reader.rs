//! Reads from the outbox what was committed between two snapshots.
//!
//! The only one of three polling readers that lost nothing and kept each aggregate's order under savepoints, rollbacks
//! and long-running writers (`tests/it/order.rs` keeps the naive one as a negative control): `seq > last` loses rows of
//! transactions that commit late, and `(xid, seq)` inverts the order because a transaction takes its id before its locks.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::{EventId, TenantId, Version};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Row};
use uuid::Uuid;

use super::{cursor::Page, snapshot::Snapshot};
use crate::{Envelope, outbox::SHARDS};

/// Payload bytes after which a page ends, whatever its number of rows: a thousand of the largest payloads would be most
/// of a gigabyte.
pub(crate) const MAX_PAGE_BYTES: i64 = 8 * 1024 * 1024;

/// The outbox of one schema, as a relay reads it.
pub(crate) struct Reader {
    source: String,
    first_page: String,
    next_page: String,
}

/// Rows in the order of their sequence numbers.
#[derive(Debug)]
pub(crate) struct Rows {
    pub rows: Vec<OutboxRow>,
    /// A limit ended the page; more rows may follow.
    pub cut: bool,
}

impl Rows {
    fn new(rows: Vec<OutboxRow>, limit: u16) -> Self {
        let bytes: usize = rows.iter().map(|row| row.envelope.data.len()).sum();
        let full = rows.len() >= usize::from(limit) || i64::try_from(bytes).is_ok_and(|bytes| bytes >= MAX_PAGE_BYTES);
        Self { rows, cut: full }
    }
}

/// One outbox row.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    pub seq: i64,
    pub enqueued_at: DateTime<Utc>,
    pub envelope: Envelope,
}

/// The beginning of the difference between a snapshot and now.
pub(crate) struct Difference {
    pub upto: Snapshot,
    pub page: Rows,
}

pub(crate) const COLUMNS: &str = "seq, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, event_type, \
     schema_version, traceparent, correlation_id, causation_id, occurred_at, enqueued_at, payload";

/// The payload bytes of the rows before; measured without reading them.
const BYTES_BEFORE: &str = "coalesce(sum(octet_length(payload)) over (by_seq rows between unbounded preceding and 1 preceding), 0) as bytes_before";

impl Reader {
    pub fn new(schema: &str) -> Self {
        // One statement, so one snapshot: pg_current_snapshot() is the very one the rows are read with, in one round
        // trip and without a transaction. It stands in the first row only, because every row would carry its list of
        // running transactions. `seq + 0` keeps the planner from walking the primary key over the whole history: what
        // is new lies at the end of the index on xid. The filter by shard must not become an index condition.
        let first_page = format!(
            "select case when coalesce(fresh.place, 1) = 1 then pg_current_snapshot()::text end as upto, fresh.* \
             from (select 1) as always left join lateral ( \
               select * from ( \
                 select {COLUMNS}, row_number() over by_seq as place, {BYTES_BEFORE} from ( \
                   select {COLUMNS} from \"{schema}\".outbox \
                   where (xid >= $1::text::xid8 or xid = any($2::text[]::xid8[])) and ($3::smallint[] is null or shard = any($3)) \
                   order by seq + 0 limit $4) as new \
                 window by_seq as (order by seq)) as measured \
               where bytes_before < {MAX_PAGE_BYTES}) as fresh on true \
             order by fresh.seq"
        );
        // Later pages go by seq, from where the first one ended; functions instead of comparisons, so that the index on
        // xid (which would sort the whole difference again for every page) is no choice.
        let next_page = format!(
            "select * from ( \
               select {COLUMNS}, {BYTES_BEFORE} from ( \
                 select {COLUMNS} from \"{schema}\".outbox \
                 where seq > $3 and ($4::smallint[] is null or shard = any($4)) and pg_visible_in_snapshot(xid, $2::text::pg_snapshot) \
                   and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
                 order by seq limit $5) as next \
               window by_seq as (order by seq)) as measured \
             where bytes_before < {MAX_PAGE_BYTES} order by seq"
        );
        Self { source: format!("/quoin/{schema}"), first_page, next_page }
    }

    /// Prepares the relay's own connection. Index or nothing: without statistics, or with a plan for any parameters,
    /// PostgreSQL expects a third of the table and reads all of it, twenty thousand times too much, in parallel and
    /// compiled. Planning the dozen partitions anew for every poll would cost more than the poll.
    pub async fn tune(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "select set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false), \
               set_config('max_parallel_workers_per_gather', '0', false), \
               set_config('plan_cache_mode', 'force_generic_plan', false)",
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// The first `limit` rows committed since `from`, and the snapshot they were read in.
    pub async fn difference(
        &self,
        conn: &mut PgConnection,
        from: &Snapshot,
        shards: &[i16],
        limit: u16,
    ) -> Result<Difference, sqlx::Error> {
        let rows = sqlx::query(AssertSqlSafe(self.first_page.as_str()))
            .bind(from.xmax())
            .bind(from.in_progress())
            .bind(all_or(shards))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
        let mut upto = None;
        let mut fresh = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(text) = row.try_get::<Option<&str>, _>("upto")? {
                upto = Some(text.parse::<Snapshot>().map_err(|error| sqlx::Error::Decode(error.into()))?);
            }
            if row.try_get::<Option<i64>, _>("seq")?.is_some() {
                fresh.push(self.outbox_row(StoredRow::from_row(row)?)?);
            }
        }
        let upto = upto.ok_or(sqlx::Error::RowNotFound)?;
        Ok(Difference { upto, page: Rows::new(fresh, limit) })
    }

    /// The next `limit` rows of the difference between `from` and the page's snapshot.
    pub async fn page(
        &self,
        conn: &mut PgConnection,
        (from, page): (&Snapshot, &Page),
        shards: &[i16],
        limit: u16,
    ) -> Result<Rows, sqlx::Error> {
        let rows: Vec<StoredRow> = sqlx::query_as(AssertSqlSafe(self.next_page.as_str()))
            .bind(from.as_str())
            .bind(page.upto.as_str())
            .bind(page.after_seq)
            .bind(all_or(shards))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
        let rows = rows.into_iter().map(|row| self.outbox_row(row)).collect::<Result<_, _>>()?;
        Ok(Rows::new(rows, limit))
    }

    /// A stored row as it will be published.
    pub fn outbox_row(&self, stored: StoredRow) -> Result<OutboxRow, sqlx::Error> {
        let tenant: TenantId = stored.tenant_id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(OutboxRow {
            seq: stored.seq,
            enqueued_at: stored.enqueued_at,
            envelope: Envelope {
                id: stored.event_id.into(),
                source: self.source.clone(),
                event_type: stored.event_type,
                schema_version: u16::try_from(stored.schema_version).unwrap_or(u16::MAX),
                tenant,
                aggregate_type: stored.aggregate_type,
                aggregate_id: stored.aggregate_id,
                aggregate_version: Version::from_i64(stored.aggregate_version),
                occurred_at: stored.occurred_at,
                correlation_id: stored.correlation_id,
                causation_id: stored.causation_id.map(EventId::from),
                traceparent: stored.traceparent,
                data: Bytes::from(stored.payload),
            },
        })
    }
}

/// `None` for a relay that owns every shard: nothing to filter.
fn all_or(shards: &[i16]) -> Option<&[i16]> {
    (shards.len() < usize::from(SHARDS)).then_some(shards)
}

/// The columns as they are stored.
#[derive(FromRow)]
pub(crate) struct StoredRow {
    seq: i64,
    tenant_id: String,
    aggregate_type: String,
    aggregate_id: Uuid,
    aggregate_version: i64,
    event_id: Uuid,
    event_type: String,
    schema_version: i32,
    traceparent: Option<String>,
    correlation_id: Option<String>,
    causation_id: Option<Uuid>,
    occurred_at: DateTime<Utc>,
    enqueued_at: DateTime<Utc>,
    payload: Vec<u8>,
}
