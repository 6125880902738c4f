//! How a value is loaded and kept anew: lease, load, fill.
//!
//! Owns that order, and the limits towards the authority. Every step towards the store may fail; the load is answered all
//! the same. Must never fill without a lease.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache_ports::{LoadError, Loaded, Loading, ReadError, ReadResult, Served, ServedFrom, keyspace::Keyspace};
use kernel::Version;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use crate::{
    flight::Takeoff,
    frame::{self, Content, Life, Verdict, judge_by},
    read_through::{Address, Approach, Cached, Found, ReadThrough},
    store::{FillReply, FillRequest, LeaseReply, LeaseRequest, LeaseToken, Place, StoreError},
};

/// How often a lease is asked for before the load goes on without one.
const LEASE_TRIES: u32 = 3;
/// The shortest wait for somebody else's load; doubled each time, and up to as much again is added at random.
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// How long a load waits for its turn at the authority.
const ADMISSION_WAIT: Duration = Duration::from_millis(250);
/// What a caller is told who had no turn.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The authority took longer than its keyspace allows.
#[derive(Debug, thiserror::Error)]
#[error("the load took longer than {0:?}")]
struct LoadTimedOut(Duration);

enum Leased<T> {
    /// Load, and fill with this token.
    Ours(LeaseToken),
    /// Load, and leave the store alone.
    Without,
    /// Somebody else's load has answered.
    Answered(ReadResult<T>),
}

impl<T: Cached> ReadThrough<T> {
    /// Runs a load as a task of its own, inside the caller's trace.
    pub(crate) fn take_off(
        self: &Arc<Self>,
        takeoff: Takeoff<T>,
        address: &Arc<Address>,
        approach: Approach,
        loading: Loading<T>,
    ) {
        let (way, address) = (Arc::clone(self), Arc::clone(address));
        let span = tracing::info_span!("cache_load", keyspace = self.keyspace.name);
        let flight = async move {
            let answer = way.fetch(&address, approach, loading).await;
            takeoff.land(answer);
        };
        tokio::spawn(flight.instrument(span));
    }

    async fn fetch(&self, address: &Address, approach: Approach, loading: Loading<T>) -> ReadResult<T> {
        if let (Some((keyspace, key)), true) = (&address.absence, approach.asks_the_store())
            && self.is_noted_absent(keyspace, key).await
        {
            return Ok(None);
        }
        let token = match self.lease(address, approach).await {
            Leased::Answered(answer) => return answer,
            Leased::Ours(token) => Some(token),
            Leased::Without => None,
        };
        match self.ask_authority(loading).await {
            Ok(Loaded::Found { value, version }) => Ok(Some(self.keep(address, token, value, version).await)),
            Ok(Loaded::Absent) => {
                self.note_absence(address, token).await;
                Ok(None)
            }
            Err(error) => {
                self.abandon(address, token).await;
                Err(error)
            }
        }
    }

    async fn lease(&self, address: &Address, approach: Approach) -> Leased<T> {
        let (mut over, min, waits) = match approach {
            Approach::Bypass => return Leased::Without,
            Approach::Lease { over, min } => (over, min, true),
            Approach::Refresh { over } => (Some(over), Version::ZERO, false),
        };
        let token = LeaseToken::unique();
        for attempt in 0..LEASE_TRIES {
            let request = LeaseRequest { token, ttl: self.limits.lease, over };
            match self.core.store.lease(self.place(&address.text), request).await {
                // After a timeout it may have been granted: the fill finds out, and an unused lease is given back.
                Ok(LeaseReply::Granted { .. }) | Err(StoreError::TimedOut) => return Leased::Ours(token),
                Err(_) => return Leased::Without,
                Ok(LeaseReply::Held) if waits => sleep(jittered(FIRST_WAIT * 2_u32.pow(attempt), 100)).await,
                Ok(LeaseReply::Held | LeaseReply::Present) => {}
            }
            match self.look(address, min).await {
                Found::Value(served, _) => return Leased::Answered(Ok(Some(served))),
                Found::Absent => return Leased::Answered(Ok(None)),
                Found::Nothing { over: seen, .. } => over = seen,
                Found::OutOfReach => return Leased::Without,
            }
        }
        Leased::Without
    }

    /// Asks the authority, in turn and within time.
    async fn ask_authority(&self, loading: Loading<T>) -> Result<Loaded<T>, ReadError> {
        let Ok(Ok(_turn)) = timeout(ADMISSION_WAIT, self.admission.acquire()).await else {
            self.meters.overloads.increment(1);
            return Err(ReadError::Overloaded { retry_after: RETRY_AFTER });
        };
        let began = Instant::now();
        let outcome = timeout(self.limits.timeout, loading).await;
        self.meters.loaded(began.elapsed());
        match outcome {
            Ok(loaded) => loaded.map_err(ReadError::Authority),
            Err(_) => Err(ReadError::Authority(LoadError::from(LoadTimedOut(self.limits.timeout)))),
        }
    }

    async fn keep(&self, address: &Address, token: Option<LeaseToken>, value: T, version: Version) -> Served<T> {
        let payload = serde_json::to_vec(&value).map(Bytes::from);
        let mut served =
            Served { value: Arc::new(value), json: None, version, age: Duration::ZERO, source: ServedFrom::Authority };
        let Ok(payload) = payload else {
            // No cached value type has maps with odd keys, the only thing JSON cannot say; then it is simply not cached.
            self.abandon(address, token).await;
            return served;
        };
        served.json = self.sendable(payload.clone());
        if self.keeps.is_some_and(|keeps| !keeps(&served.value)) {
            // It belongs to another keyspace, whose own lease was taken as well.
            self.abandon(address, token).await;
            return served;
        }
        let life = Life::drawn(self.keyspace);
        let Ok(frame) = self.frame(&address.text, version, life, Some(&payload)) else {
            self.meters.oversize();
            self.abandon(address, token).await;
            return served;
        };
        let mut superseded = false;
        if let Some(token) = token {
            let request = FillRequest { token, version, frame: &frame, ttl: life.hard };
            let outcome = self.core.store.fill(self.place(&address.text), request).await;
            self.meters.filled(outcome, frame.len());
            superseded = matches!(outcome, Ok(FillReply::LeaseLost | FillReply::OlderThanKnown));
        }
        // The store refuses what was invalidated meanwhile; the hint of it may still be on its way.
        if !(superseded && self.keyspace.is_hinted()) {
            self.keep_in_memory(address, &served, payload.len(), life.soft);
        }
        served
    }

    async fn note_absence(&self, address: &Address, token: Option<LeaseToken>) {
        if let Some((keyspace, key)) = &address.absence {
            self.abandon(address, token).await;
            self.note_under(keyspace, key).await;
        } else if let (Some(token), Some(ttl)) = (token, self.keyspace.ttl.negative) {
            let life = Life { soft: ttl, hard: ttl };
            let Ok(frame) = self.frame(&address.text, Version::ZERO, life, None) else {
                return self.abandon(address, Some(token)).await;
            };
            let request = FillRequest { token, version: Version::ZERO, frame: &frame, ttl };
            let outcome = self.core.store.fill(self.place(&address.text), request).await;
            self.meters.filled(outcome, frame.len());
        } else {
            self.abandon(address, token).await;
        }
    }

    /// Notes an absence that never ends, so no lease is needed: whoever notes it, notes the same.
    async fn note_under(&self, keyspace: &'static Keyspace, key: &str) {
        let life = Life::drawn(keyspace);
        let generated_at_ms = self.core.config.clock.now().timestamp_millis();
        let content = Content { keyspace, key, version: Version::ZERO, life, generated_at_ms, payload: None };
        if let Ok(frame) = frame::write(&content) {
            let _ = self.core.store.put(Place { workload: keyspace.workload, key }, &frame, life.hard).await;
        }
    }

    async fn is_noted_absent(&self, keyspace: &'static Keyspace, key: &str) -> bool {
        let Ok(Some(stored)) = self.core.store.read(Place { workload: keyspace.workload, key }).await else {
            return false;
        };
        let noted =
            matches!(judge_by(self.core.guards, keyspace, key, Version::ZERO, &stored), Verdict::Negative { .. });
        if noted {
            self.meters.hit_negative.increment(1);
        }
        noted
    }

    async fn abandon(&self, address: &Address, token: Option<LeaseToken>) {
        if let Some(token) = token {
            // If that fails the lease runs out by itself.
            let _ = self.core.store.abandon(self.place(&address.text), token).await;
        }
    }
}

/// `base` and up to `percent` more.
pub(crate) fn jittered(base: Duration, percent: u32) -> Duration {
    base + base * fastrand::u32(0..=percent) / 100
}
