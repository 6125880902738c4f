//! The relay many programs write: take what is not marked as published, with `for update skip locked`, publish it, mark it.
//!
//! It is here to be beaten. It publishes through the product's own publisher, in batches of the same size, and waits no
//! longer between two looks than the product's relay does, so that only the way of reading and marking differs.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use chrono::{DateTime, Utc};
use events::{Envelope, Publisher};
use kernel::Version;
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ground::TOPIC;

/// Pause after a look that found less than a batch: the product's shortest.
const PAUSE: Duration = Duration::from_millis(5);

/// The columns both outboxes have, in one order.
pub const COLUMNS: &str = "shard, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, event_type, \
     schema_version, traceparent, correlation_id, causation_id, occurred_at, enqueued_at, payload";

/// Its outbox: the product's columns without the transaction's id, and a mark.
pub const TABLE: &str = "
create schema rival
    create table outbox (
        seq               bigint      generated always as identity primary key,
        shard             smallint    not null,
        tenant_id         text        not null,
        aggregate_type    text        not null,
        aggregate_id      uuid        not null,
        aggregate_version bigint      not null,
        event_id          uuid        not null,
        event_type        text        not null,
        schema_version    integer     not null,
        traceparent       text,
        correlation_id    text,
        causation_id      uuid,
        occurred_at       timestamptz not null,
        enqueued_at       timestamptz not null default clock_timestamp(),
        payload           bytea       not null,
        published_at      timestamptz
    )";

/// Only what waits is in the index, so that history costs nothing.
pub const INDEX: &str = "create index outbox_waiting on rival.outbox (seq) where published_at is null";

/// Runs until `stop`.
pub async fn run(
    database: &mut PgConnection,
    publisher: Arc<dyn Publisher>,
    batch: u16,
    stop: CancellationToken,
) -> Result<()> {
    while !stop.is_cancelled() {
        if round(database, &*publisher, batch).await? < usize::from(batch) {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    Ok(())
}

/// Takes, publishes and marks once; answers how many.
async fn round(database: &mut PgConnection, publisher: &dyn Publisher, limit: u16) -> Result<usize> {
    let take = format!(
        "select seq, {COLUMNS} from rival.outbox where published_at is null order by seq limit {limit} for update skip locked"
    );
    let mut tx = database.begin().await?;
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(take)).fetch_all(&mut *tx).await?;
    if rows.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let taken: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let batch = rows.into_iter().map(Row::envelope).collect::<Result<Vec<_>>>()?;
    publisher.publish(TOPIC, &batch).await?;
    sqlx::query("update rival.outbox set published_at = clock_timestamp() where seq = any($1)")
        .bind(&taken)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(taken.len())
}

#[derive(FromRow)]
struct Row {
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
    payload: Vec<u8>,
}

impl Row {
    fn envelope(self) -> Result<Envelope> {
        Ok(Envelope {
            id: self.event_id.into(),
            source: "/quoin/rival".to_owned(),
            event_type: self.event_type,
            schema_version: u16::try_from(self.schema_version)?,
            tenant: self.tenant_id.parse()?,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            aggregate_version: Version::new(u64::try_from(self.aggregate_version)?),
            occurred_at: self.occurred_at,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id.map(Into::into),
            traceparent: self.traceparent,
            data: self.payload.into(),
        })
    }
}
