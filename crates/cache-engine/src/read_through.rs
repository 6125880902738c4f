//! The way of a read: this process's memory, the shared store, the authority.
//!
//! Owns that order and what each answer of the store means. How a value is loaded and kept anew is in `fresh`. Must never
//! turn a failure of the store into a failure of the read.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache_ports::{
    CacheUnavailable, Load, Loading, Read, ReadResult, Served, ServedFrom, commit_time,
    key::Key,
    keyspace::{Exposure, Keyspace, LoadLimits},
};
use kernel::Version;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::{
    engine::Core,
    flight::{Boarding, Flights},
    frame::{self, Content, HEADER_BYTES, Life, Oversize, Rejection, Verdict, judge_by},
    guards::Guard,
    hints::{KeyHash, Told},
    hot_keys::HotKeys,
    memory_tier::{Keep, MemoryTier, Ticket},
    meters::Meters,
    store::{Place, StoreError, Stored},
};

/// What a keyspace may hold.
pub(crate) trait Cached: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Cached for T {}

/// One keyspace, read through.
pub(crate) struct ReadThrough<T> {
    pub(crate) keyspace: &'static Keyspace,
    pub(crate) limits: LoadLimits,
    pub(crate) core: Arc<Core>,
    pub(crate) tier: Option<Arc<MemoryTier<T>>>,
    pub(crate) flights: Arc<Flights<T>>,
    pub(crate) admission: Semaphore,
    /// Which values are kept here; absent where all are.
    pub(crate) keeps: Option<fn(&T) -> bool>,
    pub(crate) meters: Meters,
    pub(crate) hot_keys: Arc<HotKeys>,
}

/// A key, written out: in the store's form and in this process's.
pub(crate) struct Address {
    pub(crate) text: String,
    pub(crate) packed: Box<[u8]>,
    /// Where it is noted that the authority knows no such thing, when that is not under the key itself.
    pub(crate) absence: Option<(&'static Keyspace, String)>,
    /// When the read began, for a memory that hints reach.
    pub(crate) ticket: Option<Ticket>,
}

impl Address {
    /// The newest change of the key that was known when the read began.
    fn since(&self) -> Version {
        self.ticket.as_ref().map_or(Version::ZERO, |ticket| ticket.at_least)
    }

    /// Where `key` lies; its absence is noted under the key itself.
    pub(crate) fn of(key: &Key<'_>) -> Self {
        Self { text: key.text(), packed: key.packed().as_slice().into(), absence: None, ticket: None }
    }
}

/// What the shared store had.
pub(crate) enum Found<T> {
    /// A value, and how long it stays fresh.
    Value(Served<T>, Duration),
    /// The authority said a moment ago that there is none.
    Absent,
    /// Nothing usable; a value of that version may be replaced, and nothing older than `at_least` may be served.
    Nothing { over: Option<Version>, at_least: Version },
    /// The store cannot be asked, or holds what a newer program wrote: load, and leave the store alone.
    OutOfReach,
}

/// How a load treats the store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Approach {
    /// Takes the lease first, waiting for others who hold it, and fills afterwards.
    Lease { over: Option<Version>, min: Version },
    /// Takes the lease first, and leaves the load to others who hold it.
    Refresh { over: Version },
    /// Neither.
    Bypass,
}

impl Approach {
    /// Whether the store is worth asking again.
    pub(crate) const fn asks_the_store(self) -> bool {
        !matches!(self, Self::Bypass)
    }
}

impl<T: Cached> ReadThrough<T> {
    /// The way through `keyspace`, if it declares how it is loaded.
    pub(crate) fn over(keyspace: &'static Keyspace, core: &Arc<Core>) -> Arc<Self> {
        Self::with(keyspace, core, None)
    }

    /// As [`Self::over`], for a keyspace that holds only some of the values a load may give.
    pub(crate) fn keeping(keyspace: &'static Keyspace, core: &Arc<Core>, keeps: fn(&T) -> bool) -> Arc<Self> {
        Self::with(keyspace, core, Some(keeps))
    }

    fn with(keyspace: &'static Keyspace, core: &Arc<Core>, keeps: Option<fn(&T) -> bool>) -> Arc<Self> {
        /// For a keyspace without declared limits, which the ports never read through.
        const NOT_LOADED: LoadLimits = LoadLimits { timeout: Duration::ZERO, lease: Duration::ZERO, at_once: 0 };
        let limits = keyspace.loading.unwrap_or(NOT_LOADED);
        let tier = Self::tier(keyspace, core).map(Arc::new);
        if let (Some(hints), Some(tier), true) = (&core.hints, &tier, keyspace.is_hinted()) {
            hints.tell(Arc::clone(tier) as Arc<_>);
        }
        Arc::new(Self {
            keyspace,
            limits,
            core: Arc::clone(core),
            tier,
            flights: Arc::default(),
            admission: Semaphore::new(limits.at_once as usize),
            keeps,
            meters: Meters::of(keyspace),
            hot_keys: core.hot_keys.of(keyspace),
        })
    }

    /// What may change is kept in memory only where somebody tells what changed.
    fn tier(keyspace: &'static Keyspace, core: &Core) -> Option<MemoryTier<T>> {
        let may_keep = core.config.in_memory && (core.hints.is_some() || !keyspace.is_hinted());
        may_keep.then(|| MemoryTier::of(keyspace)).flatten()
    }

    /// Reads `key`, accepting nothing older than `min`.
    pub(crate) fn read<'a>(self: &'a Arc<Self>, key: Key<'a>, min: Option<Version>, load: Load<'a, T>) -> Read<'a, T> {
        self.read_noting(key, None, min.unwrap_or(Version::ZERO), load)
    }

    /// Reads `key`, whose absence is noted under `absence`.
    pub(crate) fn read_noting<'a>(
        self: &'a Arc<Self>,
        key: Key<'a>,
        absence: Option<Key<'a>>,
        min: Version,
        load: Load<'a, T>,
    ) -> Read<'a, T> {
        debug_assert_eq!(key.keyspace().name, self.keyspace.name);
        self.hot_keys.note(|| key.text());
        let packed = key.packed();
        if let Some(tier) = &self.tier
            && let Some(served) = tier.get(&packed, min, self.core.now_ms())
        {
            self.meters.hit_l1.increment(1);
            return Read::ready(Ok(Some(served)));
        }
        Read::pending(async move {
            let text = key.text();
            let ticket = self.tier.as_ref().and_then(|tier| tier.ticket(&text, self.core.now_ms()));
            let absence = absence.map(|key| (key.keyspace(), key.text()));
            let address = Arc::new(Address { text, packed: packed.as_slice().into(), absence, ticket });
            // What this process has heard of is a demand like that of a caller who has seen it.
            let min = min.max(address.since());
            self.read_shared(address, min, load).await
        })
    }

    /// Makes everything older than `at_least` unacceptable: in this process's memory and among its loads under way at once, then
    /// in the store, and last in the memories of other processes, who would find the old value in the store before that.
    pub(crate) async fn invalidate(&self, key: Key<'_>, at_least: Version) -> Result<(), CacheUnavailable> {
        let text = key.text();
        let hash = self.keyspace.is_hinted().then(|| KeyHash::of(&text));
        if let (Some(hash), Some(tier)) = (hash, &self.tier) {
            tier.apply(hash, at_least, self.core.now_ms());
        }
        if self.core.guards.has(Guard::Flight) {
            self.flights.close(key.packed().as_slice());
        }
        let remembered = self.keyspace.ttl.tombstone.unwrap_or(self.keyspace.ttl.hard);
        let span = tracing::info_span!("cache_invalidate", keyspace = self.keyspace.name, version = at_least.get());
        let outcome = self.core.store.invalidate(self.place(&text), at_least, remembered).instrument(span).await;
        self.meters.invalidated(outcome);
        if let (Ok(_), Some(committed)) = (outcome, commit_time()) {
            // A clock that is behind the source's makes it look as if it had been told before: then it was at once.
            self.meters.lagged((self.core.config.clock.now() - committed).to_std().unwrap_or_default());
        }
        if let (Some(hash), Some(hints)) = (hash, &self.core.hints) {
            hints.publish(self.keyspace.name, hash, at_least);
        }
        outcome.map(drop).map_err(|_| CacheUnavailable)
    }

    async fn read_shared(self: &Arc<Self>, address: Arc<Address>, min: Version, load: Load<'_, T>) -> ReadResult<T> {
        let (approach, least) = match self.look(&address, min).await {
            Found::Value(served, fresh_for) => {
                if fresh_for.is_zero() {
                    self.refresh(&address, served.version, load);
                }
                return Ok(Some(served));
            }
            Found::Absent => return Ok(None),
            Found::Nothing { over, at_least } => {
                let least = min.max(at_least);
                (Approach::Lease { over, min: least }, least)
            }
            Found::OutOfReach => (Approach::Bypass, min),
        };
        let (answer, joined) = self.load_once(&address, approach, load).await;
        let too_old = match &answer {
            Ok(Some(served)) => served.version < least,
            Ok(None) => least > Version::ZERO,
            Err(_) => false,
        };
        if joined && too_old {
            // That load began before a change that is known by now, whoever told; the next one begins after it.
            return self.load_once(&address, approach, load).await.0;
        }
        answer
    }

    /// Joins the load under way or starts one; says whether it joined.
    pub(crate) async fn load_once(
        self: &Arc<Self>,
        address: &Arc<Address>,
        approach: Approach,
        load: impl FnOnce() -> Loading<T>,
    ) -> (ReadResult<T>, bool) {
        match self.flights.board(&address.packed, address.since()) {
            Boarding::Joined(landing) => {
                self.meters.flight_waits.increment(1);
                (landing.answer().await, true)
            }
            Boarding::Started(takeoff, landing) => {
                self.take_off(takeoff, address, approach, load());
                (landing.answer().await, false)
            }
        }
    }

    /// Starts one load behind a stale answer, unless one is under way.
    fn refresh(self: &Arc<Self>, address: &Arc<Address>, over: Version, load: Load<'_, T>) {
        if let Boarding::Started(takeoff, _) = self.flights.board(&address.packed, address.since()) {
            self.take_off(takeoff, address, Approach::Refresh { over }, load());
        }
    }

    /// What the shared store has, judged for a caller who demands at least `min`.
    pub(crate) async fn look(&self, address: &Address, min: Version) -> Found<T> {
        let stored = self.core.store.read(self.place(&address.text)).await;
        self.assess(address, min, stored).await
    }

    /// What an answer of the shared store is worth to a caller who demands at least `min`.
    pub(crate) async fn assess(
        &self,
        address: &Address,
        min: Version,
        stored: Result<Option<Stored>, StoreError>,
    ) -> Found<T> {
        let stored = match stored {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                self.meters.miss_absent.increment(1);
                return Found::Nothing { over: None, at_least: Version::ZERO };
            }
            Err(why) => {
                self.meters.unread(why);
                return Found::OutOfReach;
            }
        };
        match judge_by(self.core.guards, self.keyspace, &address.text, min, &stored) {
            Verdict::Value { version, age, fresh_for, payload } => match serde_json::from_slice::<T>(&payload) {
                Ok(value) => self.hit(address, Arc::new(value), payload, version, age, fresh_for),
                Err(_) => self.reject(address, Rejection::Corrupt, None, &stored).await,
            },
            Verdict::Negative { .. } => {
                self.meters.hit_negative.increment(1);
                Found::Absent
            }
            Verdict::Nothing => {
                self.meters.miss_absent.increment(1);
                Found::Nothing { over: None, at_least: Version::ZERO }
            }
            Verdict::Tombstone { at_least } => {
                self.meters.miss_absent.increment(1);
                Found::Nothing { over: None, at_least }
            }
            Verdict::Rejected(why, over) => self.reject(address, why, over, &stored).await,
        }
    }

    fn hit(
        &self,
        address: &Address,
        value: Arc<T>,
        payload: Bytes,
        version: Version,
        age: Duration,
        fresh_for: Duration,
    ) -> Found<T> {
        let stale = fresh_for.is_zero();
        let (source, counter) =
            if stale { (ServedFrom::L2Stale, &self.meters.hit_stale) } else { (ServedFrom::L2, &self.meters.hit_l2) };
        counter.increment(1);
        self.meters.served_at(age);
        let payload_bytes = payload.len();
        // A client library hands out slices of its read buffer; what stays in memory must not keep that whole buffer alive.
        let payload = if self.tier.is_some() { Bytes::copy_from_slice(&payload) } else { payload };
        let served = Served { value, json: self.sendable(payload), version, age, source };
        if !stale {
            self.keep_in_memory(address, &served, payload_bytes, fresh_for);
        }
        Found::Value(served, fresh_for)
    }

    async fn reject(&self, address: &Address, why: Rejection, over: Option<Version>, stored: &Stored) -> Found<T> {
        self.meters.rejected(why);
        match why {
            // A newer program's value: replacing it would make the two programs take turns.
            Rejection::NewerSchema if self.core.guards.has(Guard::Newer) => Found::OutOfReach,
            Rejection::NewerSchema | Rejection::Expired | Rejection::OlderSchema | Rejection::Version => {
                Found::Nothing { over, at_least: Version::ZERO }
            }
            Rejection::Tenant | Rejection::Identity | Rejection::Oversize | Rejection::Corrupt => {
                if let Some(header) = stored.bytes.first_chunk::<HEADER_BYTES>() {
                    // If that fails the frame stays in the way until it ends: misses, but nothing wrong.
                    let _ = self.core.store.discard(self.place(&address.text), header).await;
                }
                Found::Nothing { over: None, at_least: Version::ZERO }
            }
        }
    }

    pub(crate) fn keep_in_memory(&self, address: &Address, served: &Served<T>, payload_bytes: usize, left: Duration) {
        if let Some(tier) = &self.tier {
            let (key, ticket) = (&*address.packed, address.ticket.as_ref());
            tier.keep(&Keep { key, served, payload_bytes, left, ticket }, self.core.now_ms());
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            self.meters.in_memory_bytes.set(tier.bytes() as f64);
        }
    }

    /// The payload, where it may be sent as it is.
    pub(crate) fn sendable(&self, payload: Bytes) -> Option<Bytes> {
        match self.keyspace.exposure {
            Exposure::Internal if self.core.guards.has(Guard::Exposure) => None,
            Exposure::Public | Exposure::Internal => Some(payload),
        }
    }

    pub(crate) const fn place<'a>(&self, key: &'a str) -> Place<'a> {
        Place { workload: self.keyspace.workload, key }
    }

    /// A frame of this keyspace.
    pub(crate) fn frame(
        &self,
        key: &str,
        version: Version,
        life: Life,
        payload: Option<&[u8]>,
    ) -> Result<Vec<u8>, Oversize> {
        let generated_at_ms = self.core.config.clock.now().timestamp_millis();
        let content = Content { keyspace: self.keyspace, key, version, life, generated_at_ms, payload };
        frame::write_by(self.core.guards, &content)
    }
}
