//! Pauses between retries: exponential, with full jitter, so that many who failed together do not return together.

use std::time::Duration;

/// Pauses that grow from `base` to at most `cap`.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, attempt: 0 }
    }

    /// The next pause: somewhere between nothing and the ceiling of this attempt.
    pub fn next(&mut self) -> Duration {
        let ceiling = self.base.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        ceiling.mul_f64(fastrand::f64())
    }

    /// It worked.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_start_over() {
        let (base, cap) = (Duration::from_millis(10), Duration::from_millis(100));
        let mut backoff = Backoff::new(base, cap);
        assert!(backoff.next() <= base);
        assert!((0..1_000).map(|_| backoff.next()).all(|pause| pause <= cap));
        backoff.reset();
        assert!(backoff.next() <= base);
    }
}
