//! How long a failed task waits before it is tried again: doubling, capped, and shortened at random so that tasks that
//! failed together do not come back together.

use std::time::Duration;

/// The first wait at its longest.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait: an inventory that comes back is noticed within half a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after attempt number `attempt` (from 1). `jitter` is from 0 to 1 and takes away up to half.
pub fn retry_delay(attempt: u32, jitter: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1).min(16)));
    doubled.min(LONGEST).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_up_to_the_limit(attempt in 1u32..1_000, jitter in 0.0f64..=1.0) {
            let delay = retry_delay(attempt, jitter);
            prop_assert!(delay >= FIRST / 2 && delay <= LONGEST);
            prop_assert!(retry_delay(attempt + 1, jitter) >= delay);
        }
    }
}
