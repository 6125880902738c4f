//! Appends events to a service's outbox inside the business transaction.
//!
//! Must be called after the aggregate's row was locked and its version raised: then the order of `seq` is the order of
//! the locks is the order of the commits, per aggregate. Knows no broker and sends no notification: a NOTIFY would
//! serialise the commits of the whole cluster.

use fail_points::{Step, reached};
use kernel::EventId;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    NewEvent,
    envelope::{aggregate_key, stable_hash},
    trace_context::current_traceparent,
};

/// Virtual shards an outbox is divided into; the unit relays share their work by. Frozen: stored in every row.
pub const SHARDS: u8 = 64;

/// Largest payload, in bytes. Refused here, in the business transaction, so that the relay never meets a row the broker
/// (limit 1 MiB by default) will not take.
pub const MAX_PAYLOAD_BYTES: usize = 900 * 1024;

/// The outbox of one service.
#[derive(Debug, Clone, Copy)]
pub struct Outbox {
    schema: &'static str,
}

/// The events were not appended; the business transaction must not commit.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// A payload is over [`MAX_PAYLOAD_BYTES`].
    #[error("the payload of {event_type} has {bytes} bytes, the limit is {MAX_PAYLOAD_BYTES}")]
    PayloadTooLarge {
        /// The event's type.
        event_type: &'static str,
        /// The payload's size.
        bytes: usize,
    },
    /// The database refused or was lost.
    #[error("the outbox cannot be written")]
    Database(#[from] sqlx::Error),
}

impl Outbox {
    /// The outbox in `schema`, which `platform.create_messaging` made.
    pub const fn of(schema: &'static str) -> Self {
        Self { schema }
    }

    /// Appends `events` in order, in one round trip, with the current span's trace context.
    pub async fn append(&self, conn: &mut PgConnection, events: &[NewEvent]) -> Result<(), OutboxError> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(event) = events.iter().find(|event| event.payload.len() > MAX_PAYLOAD_BYTES) {
            let bytes = event.payload.len();
            return Err(OutboxError::PayloadTooLarge { event_type: event.event_type, bytes });
        }
        let of = |event: &NewEvent| event.id.uuid();
        sqlx::query(AssertSqlSafe(insert_sql(self.schema)))
            .bind(events.iter().map(shard_of).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.tenant.as_str()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.aggregate_type).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.aggregate_id).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.aggregate_version.to_i64()).collect::<Vec<_>>())
            .bind(events.iter().map(of).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.event_type).collect::<Vec<_>>())
            .bind(events.iter().map(schema_version_of).collect::<Vec<_>>())
            .bind(current_traceparent())
            .bind(events.iter().map(|event| event.correlation_id.as_deref()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.causation_id.map(EventId::uuid)).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.occurred_at).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.payload.as_slice()).collect::<Vec<_>>())
            .execute(conn)
            .await?;
        reached(Step::OutboxAppended);
        Ok(())
    }
}

/// `order by ord` makes the sequence numbers follow the order of the slice.
fn insert_sql(schema: &str) -> String {
    format!(
        "insert into \"{schema}\".outbox (shard, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, \
             event_type, schema_version, traceparent, correlation_id, causation_id, occurred_at, payload) \
         select shard, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, \
             event_type, schema_version, $9, correlation_id, causation_id, occurred_at, payload \
         from unnest($1::smallint[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[], \
             $8::integer[], $10::text[], $11::uuid[], $12::timestamptz[], $13::bytea[]) with ordinality \
           as event (shard, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, event_type, \
             schema_version, correlation_id, causation_id, occurred_at, payload, ord) \
         order by ord"
    )
}

/// The shard an event's aggregate belongs to.
fn shard_of(event: &NewEvent) -> i16 {
    let key = aggregate_key(&event.tenant, event.aggregate_type, event.aggregate_id);
    i16::try_from(stable_hash(&key) % u64::from(SHARDS)).unwrap_or_default()
}

fn schema_version_of(event: &NewEvent) -> i32 {
    i32::from(event.schema_version)
}
