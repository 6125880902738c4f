//! Whether a partition stands still although its log goes on.
//!
//! Owns the rule; who asks Kafka how far the logs reach is the source. A partition whose leader was unknown for a moment may be
//! lost to the client for good (librdkafka's issue 5430): then no record comes, and no error either.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// A partition by its topic's full name and its number.
pub(crate) type Key = (String, i32);

/// What was seen of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The offset that would be read next.
    pub next: i64,
    /// The offset behind the last record of its log.
    pub end: i64,
}

/// See the module.
pub(crate) struct Standstill {
    patience: Duration,
    looked: Instant,
    seen: HashMap<Key, Seen>,
}

impl Standstill {
    /// A partition may stay behind the end of its log for `patience`, at most twice that.
    pub fn after(patience: Duration) -> Self {
        Self { patience, looked: Instant::now(), seen: HashMap::new() }
    }

    /// Other partitions are read from now on.
    pub fn forget(&mut self) {
        *self = Self::after(self.patience);
    }

    /// Whether it is time to look; if so, the next time is put off.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = now.saturating_duration_since(self.looked) >= self.patience;
        if due {
            self.looked = now;
        }
        due
    }

    /// What is seen now; answers whether some partition had more to give at the look before, and did not move since. Only
    /// for whoever has nothing left of what was fetched: what waits in a queue is no standstill.
    pub fn look(&mut self, seen: HashMap<Key, Seen>) -> bool {
        let stands = seen.iter().any(|(key, now)| {
            self.seen.get(key).is_some_and(|before| before.next == now.next && before.end > before.next)
        });
        self.seen = seen;
        stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(partitions: &[(i32, i64, i64)]) -> HashMap<Key, Seen> {
        partitions.iter().map(|&(number, next, end)| (("topic".to_owned(), number), Seen { next, end })).collect()
    }

    #[test]
    fn who_had_more_and_did_not_move_stands_still() {
        let mut standstill = Standstill::after(Duration::from_secs(1));
        assert!(!standstill.look(seen(&[(0, 5, 9), (1, 7, 7)])), "seen for the first time");
        assert!(standstill.look(seen(&[(0, 5, 9), (1, 8, 8)])), "another's progress hides nothing");
    }

    #[test]
    fn who_moved_or_has_only_just_got_something_does_not() {
        let mut standstill = Standstill::after(Duration::from_secs(1));
        assert!(!standstill.look(seen(&[(0, 5, 9), (1, 7, 7)])));
        assert!(!standstill.look(seen(&[(0, 6, 9), (1, 7, 8)])));
        standstill.forget();
        assert!(!standstill.look(seen(&[(0, 6, 9), (1, 7, 8)])), "it was assigned anew");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_once_in_a_while() {
        let mut standstill = Standstill::after(Duration::from_mins(1));
        assert!(!standstill.is_due(Instant::now()));
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(standstill.is_due(Instant::now()));
        assert!(!standstill.is_due(Instant::now()), "the next look is a minute away");
    }
}
