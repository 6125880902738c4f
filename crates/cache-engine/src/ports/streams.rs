//! Streams: what to load ahead of its readers, and what users are told.
//!
//! Owns how an entry is written: JSON that names its schema and its tenant, so that what is not ours is passed over. Must
//! never fail a caller: what cannot be appended or read is left out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ports::{
    UserKey,
    key::Key,
    keyspace::Keyspace,
    streams::{
        Notice, NoticeBoard, NoticePage, StreamId, TakenWarmTask, WarmQueue, WarmTask,
        keyspaces::{
            self, MAX_ENTRY_BYTES, NOTICE_ENTRIES, UI_NOTICES, WARM_ABANDONED_AFTER, WARM_ENTRIES, WARM_QUEUE,
        },
    },
};
use kernel::TenantId;
use metrics::counter;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    engine::Core,
    meters::word,
    store::StoreError,
    streams::{Reader, StreamBounds, StreamEntry},
};

/// Those who load ahead. One group: each task is for one of them.
const WARMERS: &str = "warmers";

/// One entry, as it is written.
#[derive(Serialize, Deserialize)]
struct Written<T> {
    schema: u16,
    tenant: TenantId,
    says: T,
}

/// See the module.
pub(super) struct Streams {
    core: Arc<Core>,
}

impl Streams {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core) }
    }

    async fn append<T: Serialize + Sync>(&self, key: Key<'_>, entries: u32, says: &[T]) -> bool {
        let keyspace = key.keyspace();
        let written: Option<Vec<Bytes>> = says.iter().map(|says| write(keyspace, key.tenant(), says)).collect();
        let Some(written) = written else {
            note(keyspace, "append", Err("oversize"));
            return false;
        };
        let bounds = StreamBounds { entries, life: keyspace.ttl.hard };
        let outcome = self.core.store.streams().append(&key.text(), &written, bounds).await;
        note(keyspace, "append", outcome.map_err(word));
        outcome.is_ok()
    }
}

#[async_trait]
impl WarmQueue for Streams {
    async fn enqueue(&self, tenant: &TenantId, tasks: &[WarmTask]) -> bool {
        self.append(keyspaces::warm_queue_key(tenant), WARM_ENTRIES, tasks).await
    }

    async fn take(&self, tenant: &TenantId, worker: &str, limit: u16) -> Option<Vec<TakenWarmTask>> {
        let key = keyspaces::warm_queue_key(tenant).text();
        let (streams, reader) = (self.core.store.streams(), Reader { group: WARMERS, name: worker });
        let taken = streams.take(&key, reader, WARM_ABANDONED_AFTER, limit).await;
        let entries = answered(&WARM_QUEUE, "take", taken)?;
        let (mut tasks, mut unreadable) = (Vec::new(), Vec::new());
        for entry in entries {
            match read::<WarmTask>(&WARM_QUEUE, tenant, &entry) {
                Some(task) => tasks.push(TakenWarmTask { receipt: entry.id, task }),
                None => unreadable.push(entry.id),
            }
        }
        if !unreadable.is_empty() {
            self.done(tenant, &unreadable).await;
        }
        Some(tasks)
    }

    async fn done(&self, tenant: &TenantId, receipts: &[StreamId]) {
        let key = keyspaces::warm_queue_key(tenant).text();
        let outcome = self.core.store.streams().acknowledge(&key, WARMERS, receipts).await;
        note(&WARM_QUEUE, "acknowledge", outcome.map_err(word));
    }
}

#[async_trait]
impl NoticeBoard for Streams {
    async fn tell(&self, tenant: &TenantId, user: &UserKey, notice: &Notice) -> bool {
        self.append(keyspaces::ui_notices_key(tenant, user), NOTICE_ENTRIES, std::slice::from_ref(notice)).await
    }

    async fn after(&self, tenant: &TenantId, user: &UserKey, place: StreamId, limit: u16) -> Option<NoticePage> {
        let key = keyspaces::ui_notices_key(tenant, user).text();
        let read_after = self.core.store.streams().read_after(&key, place, limit).await;
        let entries = answered(&UI_NOTICES, "read", read_after)?;
        let last = entries.last().map_or(place, |entry| entry.id);
        let notices = entries.iter().filter_map(|entry| read(&UI_NOTICES, tenant, entry)).collect();
        Some(NoticePage { notices, last })
    }
}

/// `None` for what is too long: it is refused, as a value would be.
fn write<T: Serialize>(keyspace: &Keyspace, tenant: &TenantId, says: &T) -> Option<Bytes> {
    let written = Written { schema: keyspace.schema.current, tenant: tenant.clone(), says };
    let json = serde_json::to_vec(&written).ok()?;
    (json.len() <= MAX_ENTRY_BYTES as usize).then(|| json.into())
}

fn read<T: DeserializeOwned>(keyspace: &Keyspace, tenant: &TenantId, entry: &StreamEntry) -> Option<T> {
    let too_long = entry.payload.len() > MAX_ENTRY_BYTES as usize;
    let readable = keyspace.schema.oldest_readable..=keyspace.schema.current;
    let reason = match serde_json::from_slice::<Written<T>>(&entry.payload) {
        _ if too_long => "oversize",
        Ok(written) if written.tenant != *tenant => "tenant",
        Ok(written) if !readable.contains(&written.schema) => "schema",
        Ok(written) => return Some(written.says),
        Err(_) => "corrupt",
    };
    note(keyspace, "entry", Err(reason));
    None
}

fn answered<T>(keyspace: &Keyspace, operation: &'static str, outcome: Result<T, StoreError>) -> Option<T> {
    note(keyspace, operation, outcome.as_ref().map(|_| ()).map_err(|why| word(*why)));
    outcome.ok()
}

fn note(keyspace: &Keyspace, operation: &'static str, outcome: Result<(), &'static str>) {
    let outcome = outcome.err().unwrap_or("ok");
    counter!("cache_stream_operations_total", "keyspace" => keyspace.name, "operation" => operation, "outcome" => outcome)
        .increment(1);
}
