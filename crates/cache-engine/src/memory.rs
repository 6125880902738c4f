//! A store in this process's memory, with the same semantics as the shared one.
//!
//! Owns the table and its bound. It stands in for Redis in development without one, and in tests. Time is the runtime's own
//! clock, so a paused test clock moves it. Must never decide anything: the protocol and the arithmetic are elsewhere.

mod counters;
mod scan;
mod streams;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cache_ports::keyspace::Workload;
use kernel::Version;
use tokio::time::Instant;

use crate::{
    counters::CounterStore,
    counting::{Count, weigh},
    frame::{HEADER_BYTES, offset},
    guards::{Guard, Guards},
    protocol::{self, Change, Current},
    store::{
        ByteStore, CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest,
        LeaseToken, Place, StoreError, Stored,
    },
    streams::StreamStore,
};

/// How much is kept; beyond it entries are evicted, as a full Redis would.
#[derive(Debug, Clone, Copy)]
struct Bound {
    entries: usize,
    bytes: usize,
}

/// Enough for a development machine.
const DEVELOPMENT: Bound = Bound { entries: 200_000, bytes: 256 * 1024 * 1024 };

/// See the module.
#[derive(Debug)]
pub struct MemoryStore {
    table: Mutex<Table>,
    counters: counters::MemoryCounters,
    streams: streams::MemoryStreams,
    began: Instant,
    guards: Guards,
}

#[derive(Debug)]
struct Table {
    entries: HashMap<String, Entry>,
    counts: HashMap<String, Count>,
    bytes: usize,
    bound: Bound,
}

#[derive(Debug, Clone)]
struct Entry {
    bytes: Bytes,
    ends: Option<Instant>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::guarded_by(Guards::ALL)
    }

    /// An empty store with some guards switched off; only to see that the contract suite notices.
    #[cfg(feature = "contract-suite")]
    pub fn with_guards(guards: Guards) -> Self {
        Self::guarded_by(guards)
    }

    fn guarded_by(guards: Guards) -> Self {
        Self {
            table: Mutex::new(Table::bounded_by(DEVELOPMENT)),
            counters: counters::MemoryCounters::default(),
            streams: streams::MemoryStreams::default(),
            began: Instant::now(),
            guards,
        }
    }

    /// Forgets everything.
    pub fn flush(&self) {
        let mut table = self.lock();
        *table = Table::bounded_by(table.bound);
        drop(table);
        self.counters.flush();
        self.streams.flush();
    }

    /// Forgets one key, as an eviction would.
    pub fn evict(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Puts anything under a key, as a broken writer would.
    pub fn plant(&self, key: &str, bytes: Bytes, ttl: Option<Duration>) {
        self.lock().put(key, bytes, ttl.map(|ttl| Instant::now() + ttl));
    }

    /// What lies under a key.
    pub fn peek(&self, key: &str) -> Option<Stored> {
        self.lock().stored(key, Instant::now())
    }

    /// What is left of the life of whatever lies under a key.
    pub fn life(&self, key: &str) -> Option<Duration> {
        self.peek(key)
            .and_then(|stored| stored.remaining)
            .or_else(|| self.counters.life(key))
            .or_else(|| self.streams.life(key))
    }

    /// A panic while the table was locked leaves at worst one entry less.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, at: Place<'_>, decide: impl FnOnce(Option<Current<'_>>) -> (Change, R)) -> R {
        let now = Instant::now();
        let mut table = self.lock();
        let stored = table.stored(at.key, now);
        let current = stored.as_ref().map(|stored| Current { bytes: &stored.bytes, remaining: stored.remaining });
        let (change, reply) = decide(current);
        match change {
            Change::Keep => {}
            Change::Remove => table.remove(at.key),
            Change::Put { frame, ttl } => table.put(at.key, frame.into(), Some(now + ttl)),
            Change::Mark { token, floor, extend_to } => {
                table.mark(at.key, token, floor, extend_to.map(|ttl| now + ttl));
            }
        }
        reply
    }
}

impl Table {
    fn bounded_by(bound: Bound) -> Self {
        Self { entries: HashMap::new(), counts: HashMap::new(), bytes: 0, bound }
    }

    fn stored(&self, key: &str, now: Instant) -> Option<Stored> {
        let entry = self.entries.get(key).filter(|entry| entry.ends.is_none_or(|ends| ends > now))?;
        Some(Stored { bytes: entry.bytes.clone(), remaining: entry.ends.map(|ends| ends - now) })
    }

    fn put(&mut self, key: &str, bytes: Bytes, ends: Option<Instant>) {
        self.remove(key);
        self.bytes += key.len() + bytes.len();
        self.entries.insert(key.to_owned(), Entry { bytes, ends });
        if self.entries.len() > self.bound.entries || self.bytes > self.bound.bytes {
            self.make_room();
        }
    }

    fn mark(&mut self, key: &str, token: [u8; 16], floor: Duration, ends: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let mut bytes = BytesMut::from(&entry.bytes[..]);
        bytes[offset::TOKEN..offset::FLOOR].copy_from_slice(&token);
        bytes[offset::FLOOR..offset::CHECKSUM].copy_from_slice(&crate::frame::millis(floor).to_be_bytes());
        entry.bytes = bytes.freeze();
        entry.ends = ends.or(entry.ends);
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= key.len() + entry.bytes.len();
        }
    }

    /// Drops what has ended, and then a tenth of the rest: any entry may vanish at any time.
    fn make_room(&mut self) {
        let now = Instant::now();
        let mut quota = self.entries.len().div_ceil(10);
        let bytes = &mut self.bytes;
        self.entries.retain(|key, entry| {
            let ended = entry.ends.is_some_and(|ends| ends <= now);
            let goes = ended || quota > 0;
            if goes {
                quota -= usize::from(!ended);
                *bytes -= key.len() + entry.bytes.len();
            }
            !goes
        });
    }

    fn count(&mut self, requests: &[CountRequest<'_>], now_us: u64) -> Vec<CountReply> {
        let weighed: Vec<_> =
            requests.iter().map(|request| weigh(self.counts.get(request.key).copied(), request, now_us)).collect();
        if requests.iter().zip(&weighed).all(|(request, (reply, _))| reply.allowed || request.shadow) {
            if self.counts.len() > self.bound.entries {
                self.counts.retain(|_, count| count.ends_us() > now_us);
            }
            // An attack with more actors than that is let through rather than remembered without bound.
            if self.counts.len() <= 2 * self.bound.entries {
                let taken = requests.iter().zip(&weighed).filter(|(_, (reply, _))| reply.allowed);
                self.counts.extend(taken.map(|(request, (_, count))| (request.key.to_owned(), *count)));
            }
        }
        weighed.into_iter().map(|(reply, _)| reply).collect()
    }
}

#[async_trait]
impl ByteStore for MemoryStore {
    async fn read(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        Ok(self.peek(at.key))
    }

    async fn read_many(&self, _workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let (now, table) = (Instant::now(), self.lock());
        Ok(keys.iter().map(|key| table.stored(key, now)).collect())
    }

    async fn lease(&self, at: Place<'_>, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        Ok(self.change(at, |current| protocol::lease(current, &request, self.guards)))
    }

    async fn fill(&self, at: Place<'_>, request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        Ok(self.change(at, |current| protocol::fill(current, &request, self.guards)))
    }

    async fn abandon(&self, at: Place<'_>, token: LeaseToken) -> Result<(), StoreError> {
        self.change(at, |current| (protocol::abandon(current, token), ()));
        Ok(())
    }

    async fn invalidate(&self, at: Place<'_>, at_least: Version, ttl: Duration) -> Result<InvalidateReply, StoreError> {
        Ok(self.change(at, |current| protocol::invalidate(current, at_least, ttl, self.guards)))
    }

    async fn discard(&self, at: Place<'_>, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        self.change(at, |current| (protocol::discard(current, header, self.guards), ()));
        Ok(())
    }

    async fn put(&self, at: Place<'_>, frame: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.plant(at.key, Bytes::copy_from_slice(frame), Some(ttl));
        Ok(())
    }

    async fn acquire(&self, at: Place<'_>, token: LeaseToken, ttl: Duration) -> Result<bool, StoreError> {
        Ok(self.change(at, |current| match current {
            Some(_) => (Change::Keep, false),
            None => (Change::Put { frame: token.0.to_vec(), ttl }, true),
        }))
    }

    async fn release(&self, at: Place<'_>, token: LeaseToken) -> Result<bool, StoreError> {
        Ok(self.change(at, |current| match current {
            Some(current) if current.bytes == token.0 || !self.guards.has(Guard::LockOwner) => (Change::Remove, true),
            _ => (Change::Keep, false),
        }))
    }

    async fn count(&self, requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        let now_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(self.lock().count(requests, now_us))
    }

    fn counters(&self) -> &dyn CounterStore {
        &self.counters
    }

    fn streams(&self) -> &dyn StreamStore {
        &self.streams
    }
}

#[cfg(test)]
mod tests {
    use cache_ports::RateAlgorithm;

    use super::*;

    const BOUND: Bound = Bound { entries: 50, bytes: 5_000 };

    #[test]
    fn it_never_keeps_more_than_its_bound() {
        let mut table = Table::bounded_by(BOUND);
        for number in 0..1_000 {
            table.put(&format!("{number:08}"), vec![0; number % 400].into(), None);
            let counted: usize = table.entries.iter().map(|(key, entry)| key.len() + entry.bytes.len()).sum();
            assert_eq!(counted, table.bytes);
            assert!(table.entries.len() <= BOUND.entries && table.bytes <= BOUND.bytes + 400, "{}", table.bytes);
        }
        assert!(table.entries.len() > 5, "and does not throw everything away");
    }

    #[test]
    fn it_never_counts_for_more_actors_than_its_bound() {
        let mut table = Table::bounded_by(BOUND);
        for number in 0..1_000 {
            let (key, window) = (format!("{number}"), Duration::from_secs(9));
            let request =
                CountRequest { key: &key, algorithm: RateAlgorithm::Gcra, limit: 1, window, cost: 1, shadow: false };
            assert!(table.count(&[request], number)[0].allowed);
            assert!(table.counts.len() <= 2 * BOUND.entries + 1);
        }
    }
}
