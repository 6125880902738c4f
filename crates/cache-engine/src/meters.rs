//! What is counted for each keyspace.
//!
//! Owns the metric names; all begin with `cache_` and carry the keyspace, never a tenant or an id. Handles are made once, so
//! that a hit costs one atomic addition.

use std::time::Duration;

use cache_ports::keyspace::Keyspace;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::{
    frame::Rejection,
    store::{FillReply, InvalidateReply, StoreError},
};

/// The counters of one keyspace.
pub(crate) struct Meters {
    name: &'static str,
    pub(crate) hit_l1: Counter,
    pub(crate) hit_l2: Counter,
    pub(crate) hit_stale: Counter,
    pub(crate) hit_negative: Counter,
    pub(crate) miss_absent: Counter,
    pub(crate) flight_waits: Counter,
    pub(crate) loads: Counter,
    pub(crate) overloads: Counter,
    pub(crate) in_memory_bytes: Gauge,
    load_seconds: Histogram,
    value_bytes: Histogram,
    age_seconds: Histogram,
    invalidation_lag_seconds: Histogram,
}

impl Meters {
    pub(crate) fn of(keyspace: &Keyspace) -> Self {
        let name = keyspace.name;
        let hit = |tier: &'static str| counter!("cache_hits_total", "keyspace" => name, "tier" => tier);
        Self {
            name,
            hit_l1: hit("l1"),
            hit_l2: hit("l2"),
            hit_stale: hit("stale"),
            hit_negative: hit("negative"),
            miss_absent: counter!("cache_misses_total", "keyspace" => name, "reason" => "absent"),
            flight_waits: counter!("cache_single_flight_waits_total", "keyspace" => name),
            loads: counter!("cache_authority_loads_total", "keyspace" => name),
            overloads: counter!("cache_authority_overloads_total", "keyspace" => name),
            in_memory_bytes: gauge!("cache_in_memory_bytes", "keyspace" => name),
            load_seconds: histogram!("cache_authority_load_seconds", "keyspace" => name),
            value_bytes: histogram!("cache_value_bytes", "keyspace" => name),
            age_seconds: histogram!("cache_served_age_seconds", "keyspace" => name),
            invalidation_lag_seconds: histogram!("cache_invalidation_lag_seconds", "keyspace" => name),
        }
    }

    /// A frame could not be used.
    pub(crate) fn rejected(&self, why: Rejection) {
        let reason = match why {
            Rejection::Expired => "expired",
            Rejection::NewerSchema | Rejection::OlderSchema => "schema",
            Rejection::Version => "version",
            Rejection::Tenant => "tenant",
            Rejection::Identity => "identity",
            Rejection::Oversize => "oversize",
            Rejection::Corrupt => "corrupt",
        };
        if matches!(why, Rejection::Tenant | Rejection::Identity | Rejection::Corrupt) {
            tracing::warn!(keyspace = self.name, reason, "a cached value was rejected");
        }
        counter!("cache_misses_total", "keyspace" => self.name, "reason" => reason).increment(1);
    }

    /// The store did not answer a read.
    pub(crate) fn unread(&self, why: StoreError) {
        counter!("cache_misses_total", "keyspace" => self.name, "reason" => word(why)).increment(1);
    }

    /// A fill ended one way or another.
    pub(crate) fn filled(&self, outcome: Result<FillReply, StoreError>, bytes: usize) {
        let word = match outcome {
            Ok(FillReply::Stored) => "stored",
            Ok(FillReply::LeaseLost) => "lease_lost",
            Ok(FillReply::OlderThanKnown) => "stale_version",
            Err(why) => word(why),
        };
        counter!("cache_fills_total", "keyspace" => self.name, "outcome" => word).increment(1);
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        self.value_bytes.record(bytes as f64);
    }

    /// A value was too big to be written.
    pub(crate) fn oversize(&self) {
        counter!("cache_fills_total", "keyspace" => self.name, "outcome" => "oversize").increment(1);
    }

    /// An invalidation ended one way or another.
    pub(crate) fn invalidated(&self, outcome: Result<InvalidateReply, StoreError>) {
        let word = match outcome {
            Ok(InvalidateReply::Tombstoned) => "tombstoned",
            Ok(InvalidateReply::NotOlder) => "not_older",
            Err(why) => word(why),
        };
        counter!("cache_invalidations_total", "keyspace" => self.name, "outcome" => word).increment(1);
    }

    /// So long after its commit a change was known to the store: older values are gone.
    pub(crate) fn lagged(&self, lag: Duration) {
        self.invalidation_lag_seconds.record(lag);
    }

    /// The authority took that long.
    pub(crate) fn loaded(&self, took: Duration) {
        self.loads.increment(1);
        self.load_seconds.record(took);
    }

    /// A value of that age was served from the shared store.
    pub(crate) fn served_at(&self, age: Duration) {
        self.age_seconds.record(age);
    }
}

/// The word for an error in metrics.
pub(crate) const fn word(why: StoreError) -> &'static str {
    match why {
        StoreError::Unavailable => "unavailable",
        StoreError::TimedOut => "timeout",
        StoreError::BreakerOpen => "breaker_open",
        StoreError::Refused => "refused",
    }
}
