//! Keeps load off a Redis that fails.
//!
//! Owns the share of calls that is shed: it follows the share of failed and slow calls, never reaches all of them, and lets a
//! probe through every so often, so that recovery is noticed at any rate of traffic. Must never be asked about an
//! invalidation: those always go.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The failing share is kept in millionths.
const WHOLE: u32 = 1_000_000;
/// A failed call moves the failing share by this part of the way up: each costs its caller a whole budget, so few are enough.
const FAILURE_WEIGHT: u32 = 5;
/// A good call moves it by this part of the way down: recovery is believed after a dozen, which are two seconds of probes.
const SUCCESS_WEIGHT: u32 = 8;
/// Up to this failing share nothing is shed: a single failure is not a pattern.
const TOLERATED: u32 = WHOLE / 4;
/// Never more than this share is shed. What is let through of a Redis that is silent costs its caller a whole budget, so at
/// thousands of calls a second it must be far less than one in a hundred.
const MOST_SHED: u32 = WHOLE - WHOLE / 10_000;
/// At least one call in this time goes through.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Breaker {
    failing: AtomicU32,
    began: Instant,
    last_probe_ms: AtomicU64,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { failing: AtomicU32::new(0), began: Instant::now(), last_probe_ms: AtomicU64::new(0) }
    }

    /// Whether a call may go through.
    pub(crate) fn admits(&self) -> bool {
        let shed = self.shed_share();
        shed == 0 || fastrand::u32(0..WHOLE) >= shed || self.is_probe()
    }

    /// Notes how a call went, and says whether that changed anything. Concurrent notes may overwrite one another: the share is an
    /// estimate.
    pub(crate) fn note(&self, went_well: bool) -> bool {
        let before = self.failing.load(Ordering::Relaxed);
        let after = if went_well {
            before - before.div_ceil(SUCCESS_WEIGHT)
        } else {
            before + (WHOLE - before).div_ceil(FAILURE_WEIGHT)
        };
        if after != before {
            self.failing.store(after, Ordering::Relaxed);
        }
        after != before
    }

    /// The share of calls shed now, from 0 to 0.9999.
    pub(crate) fn shed_ratio(&self) -> f64 {
        f64::from(self.shed_share()) / f64::from(WHOLE)
    }

    fn shed_share(&self) -> u32 {
        let failing = self.failing.load(Ordering::Relaxed);
        if failing <= TOLERATED { 0 } else { failing.min(MOST_SHED) }
    }

    fn is_probe(&self) -> bool {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last_probe_ms.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= u64::try_from(PROBE_EVERY.as_millis()).unwrap_or(u64::MAX);
        due && self.last_probe_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_store_is_shed_in_proportion_and_never_entirely() {
        let breaker = Breaker::new();
        assert!((0..100).all(|_| breaker.admits()));
        (0..200).for_each(|_| {
            breaker.note(false);
        });
        assert!(breaker.shed_ratio() < 1.0 && breaker.shed_ratio() > 0.99);
        std::thread::sleep(PROBE_EVERY);
        let admitted = (0..10_000).filter(|_| breaker.admits()).count();
        assert!((1..200).contains(&admitted), "{admitted}");
    }

    #[test]
    fn a_dozen_good_calls_close_it() {
        let breaker = Breaker::new();
        (0..200).for_each(|_| {
            breaker.note(false);
        });
        (0..12).for_each(|_| {
            breaker.note(true);
        });
        assert!((0..100).all(|_| breaker.admits()));
    }

    #[test]
    fn a_single_failure_sheds_nothing() {
        let breaker = Breaker::new();
        breaker.note(false);
        assert!((0..100).all(|_| breaker.admits()));
    }
}
