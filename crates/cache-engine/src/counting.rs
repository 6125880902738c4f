//! Rate limits as pure arithmetic.
//!
//! Owns the two algorithms in whole microseconds; the script in cache-redis computes the same numbers. Must never read a
//! clock or keep a count.

use std::time::Duration;

use cache_ports::RateAlgorithm;

use crate::store::{CountReply, CountRequest};

/// What is remembered for one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Units taken in a window that ends at this microsecond.
    Window {
        /// Units taken.
        taken: u64,
        /// The end.
        ends_us: u64,
    },
    /// The microsecond at which the bucket is empty again.
    EmptyAt(u64),
}

impl Count {
    /// From this microsecond on the count says nothing any more.
    pub const fn ends_us(self) -> u64 {
        match self {
            Self::Window { ends_us, .. } | Self::EmptyAt(ends_us) => ends_us,
        }
    }
}

/// What a limit says at `now_us`, and what to remember if every limit lets the request pass.
pub fn weigh(current: Option<Count>, request: &CountRequest<'_>, now_us: u64) -> (CountReply, Count) {
    let current = current.filter(|count| count.ends_us() > now_us);
    let window_us = u64::try_from(request.window.as_micros()).unwrap_or(u64::MAX).max(1);
    let (limit, cost) = (u64::from(request.limit.max(1)), u64::from(request.cost));
    match request.algorithm {
        RateAlgorithm::FixedWindow => fixed_window(current, limit, cost, window_us, now_us),
        RateAlgorithm::Gcra => gcra(current, limit, cost, window_us, now_us),
    }
}

fn fixed_window(current: Option<Count>, limit: u64, cost: u64, window_us: u64, now_us: u64) -> (CountReply, Count) {
    let (taken, ends_us) = match current {
        Some(Count::Window { taken, ends_us }) => (taken, ends_us),
        _ => (0, now_us + window_us),
    };
    let allowed = taken + cost <= limit;
    let after = if allowed { taken + cost } else { taken };
    let left = micros(ends_us - now_us);
    let reply = CountReply {
        allowed,
        remaining: units(limit.saturating_sub(after)),
        retry_after: if allowed { Duration::ZERO } else { left },
        reset_after: left,
    };
    (reply, Count::Window { taken: after, ends_us })
}

/// The generic cell rate algorithm: a bucket of `limit` units that drains one unit every `window / limit`.
fn gcra(current: Option<Count>, limit: u64, cost: u64, window_us: u64, now_us: u64) -> (CountReply, Count) {
    let unit_us = (window_us / limit).max(1);
    let full_us = unit_us * limit;
    let empty_at = match current {
        Some(Count::EmptyAt(at)) => at,
        _ => now_us,
    };
    let wanted = empty_at + unit_us * cost;
    let allowed = wanted - now_us <= full_us;
    let after = if allowed { wanted } else { empty_at };
    let reply = CountReply {
        allowed,
        remaining: units(full_us.saturating_sub(after - now_us) / unit_us),
        retry_after: if allowed { Duration::ZERO } else { micros(wanted - now_us - full_us) },
        reset_after: micros(after - now_us),
    };
    (reply, Count::EmptyAt(after))
}

const fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

fn units(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(algorithm: RateAlgorithm, limit: u32, window_ms: u64, cost: u32) -> CountRequest<'static> {
        CountRequest { key: "k", algorithm, limit, window: Duration::from_millis(window_ms), cost }
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
    fn a_window_lets_its_limit_pass_and_starts_anew() {
        let rule = request(RateAlgorithm::FixedWindow, 2, 1000, 1);
        assert_eq!(passes(&rule, &[0, 1, 2, 999, 1000, 1001, 1002]), [true, true, false, false, true, true, false]);
    }

    #[test]
    fn a_bucket_lets_a_burst_pass_and_then_drains_evenly() {
        let rule = request(RateAlgorithm::Gcra, 2, 1000, 1);
        assert_eq!(
            passes(&rule, &[0, 0, 0, 499, 500, 501, 1000, 1500]),
            [true, true, false, false, true, false, true, true]
        );
    }

    #[test]
    fn a_refused_request_passes_after_the_time_it_was_told() {
        for algorithm in [RateAlgorithm::FixedWindow, RateAlgorithm::Gcra] {
            let rule = request(algorithm, 3, 1000, 2);
            let (first, count) = weigh(None, &rule, 0);
            let (second, _) = weigh(Some(count), &rule, 100);
            assert!(first.allowed && !second.allowed, "{algorithm:?}");
            let later = 100 + u64::try_from(second.retry_after.as_micros()).unwrap();
            assert!(weigh(Some(count), &rule, later).0.allowed, "{algorithm:?}");
            assert!(!weigh(Some(count), &rule, later - 1).0.allowed, "{algorithm:?}");
        }
    }

    #[test]
    fn a_cost_above_the_limit_never_passes() {
        for algorithm in [RateAlgorithm::FixedWindow, RateAlgorithm::Gcra] {
            assert!(!weigh(None, &request(algorithm, 3, 1000, 4), 0).0.allowed);
        }
    }
}
