//! Streams in this process's memory, with the semantics of the shared store.
//!
//! Owns entries, groups and what a group has taken, and their bound. Must never know what an entry says.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    store::StoreError,
    streams::{Reader, StreamBounds, StreamEntry, StreamId, StreamStore},
};

/// Most streams; beyond it nothing is appended to a new one.
const MOST_STREAMS: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MemoryStreams(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    streams: HashMap<String, Stream>,
    /// Places never go back, whatever is forgotten.
    last: u64,
}

#[derive(Debug)]
struct Stream {
    entries: BTreeMap<StreamId, Bytes>,
    groups: HashMap<String, Group>,
    ends: Instant,
}

#[derive(Debug, Default)]
struct Group {
    /// The newest entry that was given to anybody.
    given: StreamId,
    /// What was given and not acknowledged, and since when.
    pending: BTreeMap<StreamId, Instant>,
}

impl MemoryStreams {
    /// Forgets everything.
    pub(crate) fn flush(&self) {
        self.lock().streams.clear();
    }

    /// What is left of the life of a stream.
    pub(crate) fn life(&self, stream: &str) -> Option<Duration> {
        let now = Instant::now();
        self.lock().streams.get(stream).filter(|stream| stream.ends > now).map(|stream| stream.ends - now)
    }

    /// A panic while the table was locked leaves at worst one entry less.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The stream, if it has not ended.
    fn living(&mut self, stream: &str) -> Option<&mut Stream> {
        let now = Instant::now();
        self.streams.get_mut(stream).filter(|stream| stream.ends > now)
    }

    fn living_or_new(&mut self, stream: &str, ends: Instant) -> Option<&mut Stream> {
        let now = Instant::now();
        if self.living(stream).is_none() {
            self.streams.remove(stream);
            if self.streams.len() >= MOST_STREAMS {
                self.streams.retain(|_, stream| stream.ends > now);
            }
            if self.streams.len() >= MOST_STREAMS {
                return None;
            }
        }
        let empty = || Stream { entries: BTreeMap::new(), groups: HashMap::new(), ends };
        Some(self.streams.entry(stream.to_owned()).or_insert_with(empty))
    }
}

fn entry((id, payload): (&StreamId, &Bytes)) -> StreamEntry {
    StreamEntry { id: *id, payload: payload.clone() }
}

/// The entries after a place.
fn after(entries: &BTreeMap<StreamId, Bytes>, place: StreamId) -> impl Iterator<Item = (&StreamId, &Bytes)> {
    use std::ops::Bound::{Excluded, Unbounded};
    entries.range((Excluded(place), Unbounded))
}

#[async_trait]
impl StreamStore for MemoryStreams {
    async fn append(&self, stream: &str, payloads: &[Bytes], bounds: StreamBounds) -> Result<(), StoreError> {
        let (ends, mut table) = (Instant::now() + bounds.life, self.lock());
        let first = table.last + 1;
        table.last += payloads.len() as u64;
        let stream = table.living_or_new(stream, ends).ok_or(StoreError::Refused)?;
        stream.ends = ends;
        let ids = (first..).map(|sequence| StreamId { millis: 1, sequence });
        stream.entries.extend(ids.zip(payloads.iter().cloned()));
        while stream.entries.len() > bounds.entries as usize {
            stream.entries.pop_first();
        }
        Ok(())
    }

    async fn read_after(&self, stream: &str, place: StreamId, limit: u16) -> Result<Vec<StreamEntry>, StoreError> {
        let mut table = self.lock();
        let Some(stream) = table.living(stream) else { return Ok(Vec::new()) };
        Ok(after(&stream.entries, place).take(usize::from(limit)).map(entry).collect())
    }

    async fn take(
        &self,
        stream: &str,
        reader: Reader<'_>,
        abandoned_after: Duration,
        limit: u16,
    ) -> Result<Vec<StreamEntry>, StoreError> {
        let (now, mut table) = (Instant::now(), self.lock());
        let Some(Stream { entries, groups, .. }) = table.living(stream) else { return Ok(Vec::new()) };
        let group = groups.entry(reader.group.to_owned()).or_default();
        // What was trimmed meanwhile is nobody's any more.
        group.pending.retain(|id, _| entries.contains_key(id));
        let abandoned = group.pending.iter().filter(|(_, since)| now - **since >= abandoned_after).map(|(id, _)| *id);
        let new = after(entries, group.given).map(|(id, _)| *id);
        let ids: Vec<StreamId> = abandoned.chain(new).take(usize::from(limit)).collect();
        for id in &ids {
            group.pending.insert(*id, now);
            group.given = group.given.max(*id);
        }
        Ok(ids.iter().filter_map(|id| entries.get_key_value(id)).map(entry).collect())
    }

    async fn acknowledge(&self, stream: &str, group: &str, ids: &[StreamId]) -> Result<(), StoreError> {
        let mut table = self.lock();
        if let Some(group) = table.living(stream).and_then(|stream| stream.groups.get_mut(group)) {
            group.pending.retain(|id, _| !ids.contains(id));
        }
        Ok(())
    }
}
