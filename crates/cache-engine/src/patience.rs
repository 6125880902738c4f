//! Asking a store again that did not answer just now.
//!
//! Owns how long that goes on. It is for those who go over everything once, and for whom one late answer would otherwise be the
//! end. Must never be used where somebody waits for an answer: there the authority is asked instead.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::store::StoreError;

/// A store that is silent for that long is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Shorter than the pause of a breaker between two probes.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until there is an answer, or patience is at its end. A refusal is an answer.
pub(crate) async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let since = Instant::now();
    loop {
        match ask().await {
            Err(StoreError::Unavailable | StoreError::TimedOut | StoreError::BreakerOpen)
                if since.elapsed() < PATIENCE =>
            {
                sleep(PAUSE).await;
            }
            settled => return settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A store that answers only the fifth time.
    #[derive(Default)]
    struct Late(Cell<u32>);

    impl Late {
        fn ask(&self, until_then: StoreError) -> Result<u32, StoreError> {
            self.0.set(self.0.get() + 1);
            if self.0.get() < 5 { Err(until_then) } else { Ok(self.0.get()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_waited_for_and_what_is_refused_is_not() {
        for why in [StoreError::Unavailable, StoreError::TimedOut, StoreError::BreakerOpen] {
            let late = Late::default();
            assert_eq!(patiently(|| async { late.ask(why) }).await, Ok(5));
        }
        let late = Late::default();
        assert_eq!(patiently(|| async { late.ask(StoreError::Refused) }).await, Err(StoreError::Refused));
        assert_eq!(late.0.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end() {
        let silent = patiently(|| async { Err::<(), _>(StoreError::BreakerOpen) }).await;
        assert_eq!(silent, Err(StoreError::BreakerOpen));
    }
}
