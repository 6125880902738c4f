//! Whether a partition stands still although its log goes on.
//!
//! Owns the rule. How far the logs reach it is told whenever somebody asks Kafka, as a consumer does with each renewal of its
//! leases. A partition whose leader was unknown for a moment may be lost to the client for good (librdkafka's issue 5430): then
//! no record comes, and no error either.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// A partition by its topic's full name and its number.
pub(crate) type Key = (String, i32);

/// What was seen of a partition at a look.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The offset that would be read next.
    next: i64,
    /// The offset behind the last record of its log.
    end: i64,
}

/// See the module.
pub(crate) struct Standstill {
    patience: Duration,
    looked: Instant,
    ends: HashMap<Key, i64>,
    seen: HashMap<Key, Seen>,
}

impl Standstill {
    /// A partition may stay behind the end of its log for `patience`, at most twice that.
    pub fn after(patience: Duration) -> Self {
        Self { patience, looked: Instant::now(), ends: HashMap::new(), seen: HashMap::new() }
    }

    /// Other partitions are read from now on.
    pub fn forget(&mut self) {
        *self = Self::after(self.patience);
    }

    /// The log of a partition ends before the offset `end`.
    pub fn reaches(&mut self, partition: Key, end: i64) {
        self.ends.insert(partition, end);
    }

    /// Whether a partition had more to give at the look before and did not move since; `false` until the next look is due.
    /// `positions` are the offsets that would be read next.
    pub fn found<'a>(&mut self, positions: impl Iterator<Item = (&'a Key, i64)>, now: Instant) -> bool {
        if now.saturating_duration_since(self.looked) < self.patience {
            return false;
        }
        self.looked = now;
        let seen = positions.filter_map(|(key, next)| Some((key.clone(), Seen { next, end: *self.ends.get(key)? })));
        let before = std::mem::replace(&mut self.seen, seen.collect());
        self.seen
            .iter()
            .any(|(key, now)| before.get(key).is_some_and(|before| before.next == now.next && before.end > before.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    fn key(number: i32) -> Key {
        ("topic".to_owned(), number)
    }

    /// What is found a minute later, by number of partition, position and end.
    async fn look(standstill: &mut Standstill, partitions: &[(i32, i64, i64)]) -> bool {
        tokio::time::advance(PATIENCE).await;
        let positions: Vec<(Key, i64)> = partitions.iter().map(|(number, next, _)| (key(*number), *next)).collect();
        for (number, _, end) in partitions {
            standstill.reaches(key(*number), *end);
        }
        standstill.found(positions.iter().map(|(key, next)| (key, *next)), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn who_had_more_and_did_not_move_stands_still() {
        let mut standstill = Standstill::after(PATIENCE);
        assert!(!look(&mut standstill, &[(0, 5, 9), (1, 7, 7)]).await, "seen for the first time");
        assert!(look(&mut standstill, &[(0, 5, 9), (1, 8, 8)]).await, "another's progress hides nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn who_moved_or_has_only_just_got_something_does_not() {
        let mut standstill = Standstill::after(PATIENCE);
        assert!(!look(&mut standstill, &[(0, 5, 9), (1, 7, 7)]).await);
        assert!(!look(&mut standstill, &[(0, 6, 9), (1, 7, 8)]).await);
        standstill.forget();
        assert!(!look(&mut standstill, &[(0, 6, 9), (1, 7, 8)]).await, "it was assigned anew");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_once_in_a_while() {
        let mut standstill = Standstill::after(PATIENCE);
        assert!(!look(&mut standstill, &[(0, 5, 9)]).await);
        let stuck = key(0);
        assert!(!standstill.found([(&stuck, 5)].into_iter(), Instant::now()), "the next look is a minute away");
    }
}
