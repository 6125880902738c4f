//! Streams over Redis Streams.
//!
//! Owns how operations become commands: an entry has one field. Must never know what an entry says.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_engine::{
    StoreError,
    store::Workload,
    streams::{Reader, StreamBounds, StreamEntry, StreamId, StreamStore},
};
use fred::{
    clients::{Client, WithOptions},
    interfaces::StreamsInterface,
    types::Value,
};

use crate::{
    connections::Urgency,
    meters::Operation,
    store::{RedisStore, millis},
};

/// Values in a flat answer for one entry: its place and its payload.
const ENTRY_FIELDS: usize = 2;

#[async_trait]
impl StreamStore for RedisStore {
    async fn append(&self, stream: &str, payloads: &[Bytes], bounds: StreamBounds) -> Result<(), StoreError> {
        let mut arguments = vec![Value::Integer(bounds.entries.into()), millis(bounds.life)];
        arguments.extend(payloads.iter().cloned().map(Value::Bytes));
        let (script, keys) = (&self.scripts.stream_append, vec![self.key(stream)]);
        self.pool(Workload::Stream).script(Operation::StreamAppend, Urgency::Help, script, keys, arguments).await
    }

    async fn read_after(&self, stream: &str, after: StreamId, limit: u16) -> Result<Vec<StreamEntry>, StoreError> {
        let arguments = vec![Value::from(after.to_string()), Value::Integer(limit.into())];
        let (script, keys) = (&self.scripts.stream_read, vec![self.key(stream)]);
        let pool = self.pool(Workload::Stream);
        entries(pool.script(Operation::StreamRead, Urgency::Help, script, keys, arguments).await?)
    }

    async fn take(
        &self,
        stream: &str,
        reader: Reader<'_>,
        abandoned_after: Duration,
        limit: u16,
    ) -> Result<Vec<StreamEntry>, StoreError> {
        let idle = Value::Integer(i64::try_from(abandoned_after.as_millis()).unwrap_or(i64::MAX));
        let arguments = vec![reader.group.into(), reader.name.into(), idle, Value::Integer(limit.into())];
        let (script, keys) = (&self.scripts.stream_take, vec![self.key(stream)]);
        let pool = self.pool(Workload::Stream);
        entries(pool.script(Operation::StreamTake, Urgency::Help, script, keys, arguments).await?)
    }

    async fn acknowledge(&self, stream: &str, group: &str, ids: &[StreamId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let (key, ids): (String, Vec<String>) = (self.key(stream), ids.iter().map(ToString::to_string).collect());
        let acknowledge = async |client: &WithOptions<Client>| client.xack::<i64, _, _, _>(key, group, ids).await;
        self.pool(Workload::Stream).run(Operation::StreamAcknowledge, Urgency::Help, acknowledge).await?;
        Ok(())
    }
}

fn entries(flat: Vec<Bytes>) -> Result<Vec<StreamEntry>, StoreError> {
    let entry = |fields: &[Bytes]| {
        let [id, payload] = fields else { return Err(StoreError::Refused) };
        let id = str::from_utf8(id).ok().and_then(|id| id.parse().ok()).ok_or(StoreError::Refused)?;
        Ok(StreamEntry { id, payload: payload.clone() })
    };
    flat.chunks(ENTRY_FIELDS).map(entry).collect()
}
