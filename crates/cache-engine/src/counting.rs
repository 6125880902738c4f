//! Rate limits as pure arithmetic.
//!
//! Owns the four algorithms in whole numbers; the script in cache-redis computes the same ones, and an exact oracle judges
//! both. Levels are kept in units × microseconds, so that nothing is ever rounded on the way. Must never read a clock or
//! keep a count.

mod buckets;
mod windows;

use std::time::Duration;

use cache_ports::{MAX_UNIT_MICROS, RateAlgorithm};

use crate::store::{CountReply, CountRequest};

/// Longest window.
const LONGEST_WINDOW_US: u64 = 24 * 60 * 60 * 1_000_000;
/// Shortest window.
const SHORTEST_WINDOW_US: u64 = 1_000;

/// What is remembered for one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Units taken in a window.
    Fixed {
        /// Units taken.
        taken: u64,
        /// The microsecond at which the window ends.
        ends_us: u64,
    },
    /// Units taken in a window and in the one before.
    Sliding {
        /// Units taken in the window before.
        previous: u64,
        /// Units taken in the window.
        taken: u64,
        /// The microsecond at which the window began.
        began_us: u64,
        /// The microsecond at which neither says anything any more.
        ends_us: u64,
    },
    /// Tokens in a bucket.
    Tokens {
        /// Tokens × the window's microseconds.
        level: u64,
        /// The microsecond at which there were that many.
        at_us: u64,
        /// The microsecond at which the bucket is full.
        full_us: u64,
    },
    /// A bucket that drains.
    Empty {
        /// The microsecond in which it becomes empty.
        at_us: u64,
        /// The part of that microsecond, in as many parts as the limit has units.
        part: u64,
    },
}

impl Count {
    /// From this microsecond on the count says nothing any more.
    pub const fn ends_us(self) -> u64 {
        match self {
            Self::Fixed { ends_us, .. } | Self::Sliding { ends_us, .. } | Self::Tokens { full_us: ends_us, .. } => {
                ends_us
            }
            Self::Empty { at_us, part } => at_us + (part > 0) as u64,
        }
    }
}

/// A limit in numbers whose products are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Units per window.
    pub limit: u64,
    /// The window in microseconds.
    pub window_us: u64,
    /// Units wanted; at most one more than the limit, which never passes.
    pub cost: u64,
}

impl Rule {
    /// The rule of a request, with limit and window cut to what can be counted exactly: stricter, never looser.
    pub fn of(request: &CountRequest<'_>) -> Self {
        let window_us = u64::try_from(request.window.as_micros()).unwrap_or(u64::MAX);
        let window_us = window_us.clamp(SHORTEST_WINDOW_US, LONGEST_WINDOW_US);
        let limit = u64::from(request.limit).clamp(1, MAX_UNIT_MICROS / window_us);
        Self { limit, window_us, cost: u64::from(request.cost).min(limit + 1) }
    }

    /// All of the limit, in units × microseconds.
    const fn full(&self) -> u64 {
        self.limit * self.window_us
    }
}

/// What a limit says at `now_us`, and what to remember if every limit lets the request pass.
pub fn weigh(current: Option<Count>, request: &CountRequest<'_>, now_us: u64) -> (CountReply, Count) {
    let current = current.filter(|count| count.ends_us() > now_us);
    let rule = Rule::of(request);
    match request.algorithm {
        RateAlgorithm::FixedWindow => windows::fixed(current, rule, now_us),
        RateAlgorithm::SlidingWindow => windows::sliding(current, rule, now_us),
        RateAlgorithm::TokenBucket => buckets::tokens(current, rule, now_us),
        RateAlgorithm::Gcra => buckets::cells(current, rule, now_us),
    }
}

fn reply(allowed: bool, remaining: u64, retry_us: u64, reset_us: u64) -> CountReply {
    CountReply {
        allowed,
        remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        retry_after: Duration::from_micros(if allowed { 0 } else { retry_us }),
        reset_after: Duration::from_micros(reset_us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(algorithm: RateAlgorithm, limit: u32, window_ms: u64, cost: u32) -> CountRequest<'static> {
        CountRequest { key: "k", algorithm, limit, window: Duration::from_millis(window_ms), cost, shadow: false }
    }

    /// Feeds requests at the given milliseconds and says which pass.
    fn passes(request: &CountRequest<'_>, at_ms: &[u64]) -> Vec<bool> {
        let mut count = None;
        let step = |at: &u64| {
            let (reply, next) = weigh(count, request, 1_000_000 + at * 1000);
            if reply.allowed {
                count = Some(next);
            }
            reply.allowed
        };
        at_ms.iter().map(step).collect()
    }

    #[test]
    fn a_fixed_window_lets_its_limit_pass_and_starts_anew() {
        let rule = request(RateAlgorithm::FixedWindow, 2, 1000, 1);
        assert_eq!(passes(&rule, &[0, 1, 2, 999, 1000, 1001, 1002]), [true, true, false, false, true, true, false]);
    }

    #[test]
    fn a_sliding_window_remembers_the_part_of_the_last_one_that_overlaps() {
        let rule = request(RateAlgorithm::SlidingWindow, 2, 1000, 1);
        // Two in the first window weigh on the second: one is free when half of them has faded. That one, and another at the
        // beginning of the third, keep it full to its last moment.
        assert_eq!(
            passes(&rule, &[0, 999, 1000, 1499, 1500, 1999, 2000, 2999, 3000]),
            [true, true, false, false, true, false, true, false, true]
        );
    }

    #[test]
    fn a_bucket_lets_a_burst_pass_and_then_one_at_a_time() {
        for algorithm in [RateAlgorithm::TokenBucket, RateAlgorithm::Gcra] {
            assert_eq!(
                passes(&request(algorithm, 2, 1000, 1), &[0, 0, 0, 499, 500, 501, 1000, 1500]),
                [true, true, false, false, true, false, true, true],
                "{algorithm:?}"
            );
        }
    }

    #[test]
    fn a_limit_that_does_not_divide_its_window_is_kept_exactly() {
        for algorithm in [RateAlgorithm::TokenBucket, RateAlgorithm::Gcra] {
            let rule = request(algorithm, 30_000, 1000, 30_000);
            // A third of a microsecond each: rounding it down would let one per cent more pass.
            assert_eq!(passes(&rule, &[0, 990, 999, 1000]), [true, false, false, true], "{algorithm:?}");
        }
    }

    #[test]
    fn a_cost_above_the_limit_never_passes() {
        for algorithm in RateAlgorithm::ALL {
            assert!(!weigh(None, &request(algorithm, 3, 1000, 4), 0).0.allowed);
            assert!(!weigh(None, &request(algorithm, 3, 1000, u32::MAX), 0).0.allowed);
        }
    }

    #[test]
    fn a_limit_too_large_to_count_exactly_is_cut() {
        let day = CountRequest {
            window: Duration::from_hours(24),
            ..request(RateAlgorithm::SlidingWindow, u32::MAX, 1, u32::MAX)
        };
        let rule = Rule::of(&day);
        assert_eq!((rule.limit, rule.cost), (52_124, 52_125));
        assert!(rule.full() <= MAX_UNIT_MICROS);
    }

    #[test]
    fn a_clock_that_goes_back_never_locks_a_caller_out_for_longer_than_a_window_or_two() {
        for algorithm in RateAlgorithm::ALL {
            let rule = request(algorithm, 1, 1000, 1);
            let count = weigh(None, &rule, 900_000_000_000).1;
            let (refused, _) = weigh(Some(count), &rule, 1_000_000);
            assert!(refused.allowed || refused.retry_after <= Duration::from_secs(2), "{algorithm:?} {refused:?}");
        }
    }
}
