//! Notices a connection over which nothing comes any more.
//!
//! The client library looks for that itself, but counts from the last command it wrote: while commands keep coming it
//! waits for ever, and a peer that vanished without a word is only given up when the kernel gives up, minutes later.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// No silence is under way.
const NONE: u64 = u64::MAX;

/// Since when one connection has answered nothing, counted from a moment of the caller's.
pub(crate) struct Silence(AtomicU64);

impl Silence {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(NONE))
    }

    /// Something came, or the connection is known to be gone.
    pub(crate) fn broken(&self) {
        if self.0.load(Ordering::Relaxed) != NONE {
            self.0.store(NONE, Ordering::Relaxed);
        }
    }

    /// A command stayed without an answer; says whether that has been so for `longest`. It says so once, and then counts anew.
    pub(crate) fn goes_on(&self, now: Duration, longest: Duration) -> bool {
        let now = u64::try_from(now.as_millis()).unwrap_or(NONE - 1);
        match self.0.compare_exchange(NONE, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => false,
            Err(since) => {
                u128::from(now.saturating_sub(since)) >= longest.as_millis()
                    && self.0.compare_exchange(since, NONE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(2);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_silence_that_lasts_is_said_once_however_often_it_is_asked() {
        let silence = Silence::new();
        let said: Vec<u64> = (0..60).map(|step| 100 * step).filter(|now| silence.goes_on(at(*now), LONGEST)).collect();
        assert_eq!(said, [2_000, 4_100]);
    }

    #[test]
    fn one_answer_ends_it() {
        let silence = Silence::new();
        assert!(!silence.goes_on(at(0), LONGEST));
        silence.broken();
        assert!(!silence.goes_on(at(3_000), LONGEST), "it begins here");
        assert!(silence.goes_on(at(5_000), LONGEST));
    }
}
