//! What one engine publishes: a count, a short queue, and a beat every second.
//!
//! Owns the numbers. A hint gets its number when the change is made, whether it can be sent or not: what is not sent leaves a gap
//! that every listener sees. Must never make whoever changes something wait.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use kernel::Version;
use metrics::counter;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    HintBus, Unpublished,
    following::BEAT_EVERY_MS,
    message::{Epoch, Hint, KeyHash, Message, PublisherId, Word},
};

/// Hints that wait to be sent; the number of one more is burnt.
const MOST_WAITING: usize = 1_024;
/// Messages sent at once.
const MOST_AT_ONCE: usize = 128;

/// See the module.
pub(super) struct Outbox {
    publisher: PublisherId,
    epoch: Epoch,
    began: Instant,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    seq: u64,
    hints: VecDeque<(u64, Hint)>,
    ends: bool,
}

impl Outbox {
    pub(super) fn new(publisher: PublisherId, epoch: Epoch, began: Instant) -> Arc<Self> {
        Arc::new(Self { publisher, epoch, began, waiting: Mutex::default(), wake: Notify::new() })
    }

    /// Queues a hint.
    pub(super) fn put(&self, keyspace: &'static str, key: KeyHash, version: Version) {
        let mut waiting = self.lock();
        waiting.seq += 1;
        let seq = waiting.seq;
        if waiting.hints.len() < MOST_WAITING {
            waiting.hints.push_back((seq, Hint { keyspace: keyspace.into(), key, version }));
        } else {
            counter!("cache_hints_unpublished_total", "keyspace" => keyspace).increment(1);
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Lets the task end, after a farewell.
    pub(super) fn end(&self) {
        self.lock().ends = true;
        self.wake.notify_one();
    }

    /// Sends what is put, and beats, until the end.
    pub(super) async fn run(self: Arc<Self>, bus: Arc<dyn HintBus>) {
        let mut beats = interval(Duration::from_millis(BEAT_EVERY_MS));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut beat_is_due = tokio::select! {
                _ = beats.tick() => true,
                () = self.wake.notified() => false,
            };
            loop {
                let batch = self.take(&mut beat_is_due);
                if batch.messages.is_empty() {
                    break;
                }
                batch.count(bus.publish(&batch.messages).await);
                if batch.is_last {
                    return;
                }
            }
        }
    }

    /// The next messages. A beat follows only when nothing waits any more, because it repeats the last number.
    fn take(&self, beat_is_due: &mut bool) -> Batch {
        let mut waiting = self.lock();
        let many = waiting.hints.len().min(MOST_AT_ONCE);
        let hints: Vec<(u64, Hint)> = waiting.hints.drain(..many).collect();
        let (seq, nothing_waits) = (waiting.seq, waiting.hints.is_empty());
        let is_last = waiting.ends && nothing_waits;
        drop(waiting);
        let mut batch = Batch { messages: Vec::with_capacity(hints.len() + 1), keyspaces: Vec::new(), is_last };
        for (seq, hint) in hints {
            if let std::borrow::Cow::Borrowed(keyspace) = &hint.keyspace {
                batch.keyspaces.push(keyspace);
            }
            batch.messages.push(self.message(seq, Word::Hint(hint)));
        }
        if is_last {
            batch.messages.push(self.message(seq, Word::Leave));
        } else if *beat_is_due && nothing_waits {
            *beat_is_due = false;
            let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            batch.messages.push(self.message(seq, Word::Beat { at_ms }));
        }
        batch
    }

    fn message(&self, seq: u64, word: Word) -> Bytes {
        Message { publisher: self.publisher, epoch: self.epoch, seq, word }.to_bytes()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Batch {
    messages: Vec<Bytes>,
    /// Of each hint among the messages.
    keyspaces: Vec<&'static str>,
    is_last: bool,
}

impl Batch {
    fn count(&self, outcome: Result<(), Unpublished>) {
        for keyspace in &self.keyspaces {
            match outcome {
                Ok(()) => counter!("cache_hints_published_total", "keyspace" => *keyspace).increment(1),
                Err(Unpublished) => counter!("cache_hints_unpublished_total", "keyspace" => *keyspace).increment(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Arc<Outbox> {
        Outbox::new(PublisherId::unique(), Epoch::begin(), Instant::now())
    }

    fn numbers(batch: &Batch) -> Vec<(u64, bool)> {
        let parsed = batch.messages.iter().map(|bytes| Message::parse(bytes).unwrap());
        parsed.map(|message| (message.seq, matches!(message.word, Word::Hint(_)))).collect()
    }

    #[test]
    fn hints_are_numbered_without_a_gap_and_a_beat_repeats_the_last_number() {
        let outbox = outbox();
        assert_eq!(numbers(&outbox.take(&mut true)), [(0, false)]);
        for _ in 0..2 {
            outbox.put("a", KeyHash::of("k"), Version::FIRST);
        }
        let mut due = true;
        assert_eq!(numbers(&outbox.take(&mut due)), [(1, true), (2, true), (2, false)]);
        assert!(!due && outbox.take(&mut due).messages.is_empty());
    }

    #[test]
    fn a_beat_never_overtakes_a_hint() {
        let outbox = outbox();
        for _ in 0..=MOST_AT_ONCE {
            outbox.put("a", KeyHash::of("k"), Version::FIRST);
        }
        let mut due = true;
        assert!(numbers(&outbox.take(&mut due)).iter().all(|(_, is_hint)| *is_hint));
        let last = MOST_AT_ONCE as u64 + 1;
        assert_eq!(numbers(&outbox.take(&mut due)), [(last, true), (last, false)]);
    }

    #[test]
    fn what_does_not_fit_burns_its_number() {
        let outbox = outbox();
        for _ in 0..MOST_WAITING + 3 {
            outbox.put("a", KeyHash::of("k"), Version::FIRST);
        }
        let (mut sent, mut due) = (Vec::new(), true);
        while due {
            sent.extend(numbers(&outbox.take(&mut due)));
        }
        let full = MOST_WAITING as u64;
        assert_eq!(
            sent[MOST_WAITING - 1..],
            [(full, true), (full + 3, false)],
            "the beat shows that three are missing"
        );
    }

    #[test]
    fn the_last_word_is_a_farewell() {
        let outbox = outbox();
        outbox.put("a", KeyHash::of("k"), Version::FIRST);
        outbox.end();
        let batch = outbox.take(&mut false);
        assert!(batch.is_last);
        assert_eq!(Message::parse(&batch.messages[1]).unwrap().word, Word::Leave);
    }
}
