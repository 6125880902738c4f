//! How much longer a frame lives that was met before, without asking Redis again.
//!
//! Owns what is remembered of a bounded number of keys: which fill lay there, and the moment at which it ends at the latest, by
//! this process's own steady clock. The moment is never later than the end by Redis's clock: it is counted from before the
//! question, or the fill, was sent. Of one fill that was sent twice and came back to its first end after a fail-over, the moment may
//! be that of the second: as much later as the repetition was. Must never make an answer of Redis more than it was: a key that is
//! empty is empty.

use std::{
    hash::BuildHasher,
    time::{Duration, Instant},
};

use cache_engine::{Stored, frame::Fill};
use quick_cache::{DefaultHashBuilder, sync::Cache};

/// Keys that are remembered, each with about 130 bytes: 8 MiB at most. Of a key beyond them the life is asked at each read.
const KEYS: usize = 1 << 16;

/// For so long an end is believed without asking again. It bounds for how long a life that a stranger changed goes unnoticed, and
/// how wrong an age can be after the machine was suspended, when its steady clock stands still while Redis's goes on.
const BELIEVED: Duration = Duration::from_mins(1);

/// Where something is remembered about a key: its hash. Two keys may share it; their fills differ, because each names its key in
/// its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot(u64);

/// One fill of a key, and its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    fill: Fill,
    ends: Instant,
    asked: Instant,
}

/// What a value that came without its life says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Everything there is to know.
    All(Option<Stored>),
    /// Not enough: the life must be asked, of another frame than the one that is remembered, or because that was long ago.
    Ask,
}

/// See the module.
pub(crate) struct Lives {
    hasher: DefaultHashBuilder,
    known: Cache<u64, Known>,
}

impl Lives {
    pub(crate) fn new() -> Self {
        Self { hasher: DefaultHashBuilder::default(), known: Cache::new(KEYS) }
    }

    /// Where what is remembered about `key` is found.
    pub(crate) fn slot(&self, key: &str) -> Slot {
        Slot(self.hasher.hash_one(key))
    }

    /// What is remembered.
    pub(crate) fn known(&self, at: Slot) -> Option<Known> {
        self.known.get(&at.0)
    }

    /// The key held `bytes`, and `known` was remembered. A frame whose end has passed is told as ended, even where Redis still
    /// has it.
    pub(crate) fn told(&self, at: Slot, known: &Known, bytes: Option<bytes::Bytes>, now: Instant) -> Told {
        let Some(bytes) = bytes else {
            self.forget(at);
            return Told::All(None);
        };
        let believed = now.saturating_duration_since(known.asked) < BELIEVED;
        if !believed || Fill::of(&bytes) != Some(known.fill) {
            return Told::Ask;
        }
        Told::All(Some(Stored { bytes, remaining: Some(known.ends.saturating_duration_since(now)) }))
    }

    /// Redis was asked at `asked` what lies there and for how long. No frame gets a later end than it had before.
    pub(crate) fn learned(&self, at: Slot, stored: Option<Stored>, asked: Instant, now: Instant) -> Option<Stored> {
        let fill = stored.as_ref().and_then(|stored| Fill::of(&stored.bytes));
        let before = self.known.get(&at.0).filter(|before| Some(before.fill) == fill);
        let remaining = stored.as_ref().and_then(|stored| stored.remaining).filter(|remaining| !remaining.is_zero());
        let (Some(fill), Some(remaining)) = (fill, remaining) else {
            // Of a frame that lost its end the one it had is still known, in case it is given another.
            if before.is_none() {
                self.forget(at);
            }
            return stored;
        };
        let ends = asked + remaining.min(fill.whole_life());
        let ends = before.map_or(ends, |before| ends.min(before.ends));
        self.known.insert(at.0, Known { fill, ends, asked });
        let left = before.map(|_| ends.saturating_duration_since(now));
        stored.map(|stored| Stored { remaining: Some(left.map_or(remaining, |left| remaining.min(left))), ..stored })
    }

    /// A frame that this process put there, for `life`; it was sent at `asked`.
    pub(crate) fn filled(&self, at: Slot, frame: &[u8], asked: Instant, life: Duration) {
        if let Some(fill) = Fill::of(frame) {
            let ends = asked + life.min(fill.whole_life());
            self.known.insert(at.0, Known { fill, ends, asked });
        }
    }

    fn forget(&self, at: Slot) {
        self.known.remove(&at.0);
    }
}

#[cfg(test)]
#[path = "lives/tests.rs"]
mod tests;
