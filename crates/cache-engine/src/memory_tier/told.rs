//! What a memory knows from hints, and what it therefore keeps.
//!
//! Owns three rules. A value older than the newest change heard of its key is neither kept nor left. A value that was being read
//! while something may have been missed is not kept. While it is not certain that hints arrive, nothing is served or kept. All
//! three are decided under one lock that no hit ever takes. The age limit of the keyspace holds beside them, whatever is heard.

#[cfg(test)]
mod interleavings;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cache_ports::keyspace::Keyspace;
use kernel::Version;
use metrics::{counter, gauge};
use quick_cache::sync::Cache;

use super::{ByBytes, Entry};
use crate::hints::{Doubt, KeyHash, MemoryState};

/// Keys of which something is known. Beyond that everything is forgotten and dropped at once.
const MOST_KEYS: usize = 8_192;

type Values<T> = Cache<Box<[u8]>, Entry<T>, ByBytes>;

/// See the module.
pub(super) struct Watch {
    name: &'static str,
    /// How long a change is remembered: as long as the store remembers it, and no shorter than a copy may live.
    remembered_ms: u64,
    /// Read by every hit. A lease: it passes by itself when nothing extends it.
    trusted_until_ms: AtomicU64,
    known: Mutex<Known>,
    rules: Rules,
}

#[derive(Default)]
struct Known {
    /// Counts the moments at which something may have been missed.
    generation: u64,
    /// The newest change heard of each key, and when it may be forgotten.
    changes: HashMap<KeyHash, (Version, u64)>,
    /// The values kept, by the hash that hints name them by.
    kept: HashMap<KeyHash, Box<[u8]>>,
    /// Hints applied, our own among them.
    heard: u64,
    flushes: BTreeMap<&'static str, u64>,
}

/// When a read began, and of what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    key: KeyHash,
    generation: u64,
    pub(super) began_ms: u64,
    /// The newest change of the key that was heard before; nothing older may be served.
    pub(crate) at_least: Version,
}

/// The rules that can be switched off, to see that the model notices. Outside this module's tests there is no other value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// A value older than a change that was heard is not kept.
    pub(super) changes: bool,
    /// A value that was being read while something may have been missed is not kept.
    pub(super) generations: bool,
}

const ALL_RULES: Rules = Rules { changes: true, generations: true };

impl Watch {
    pub(super) fn over(keyspace: &'static Keyspace) -> Self {
        Self::ruled_by(keyspace, ALL_RULES)
    }

    pub(super) fn ruled_by(keyspace: &'static Keyspace, rules: Rules) -> Self {
        let remembered = keyspace.ttl.tombstone.unwrap_or(keyspace.ttl.hard);
        let watch = Self {
            name: keyspace.name,
            remembered_ms: u64::try_from(remembered.as_millis()).unwrap_or(u64::MAX),
            trusted_until_ms: AtomicU64::new(0),
            known: Mutex::default(),
            rules,
        };
        watch.show_bypass(true);
        watch
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a hit may be served now.
    pub(super) fn is_trusted(&self, now_ms: u64) -> bool {
        now_ms < self.trusted_until_ms.load(Ordering::Acquire)
    }

    /// Notes that a read begins.
    pub(super) fn ticket(&self, key: KeyHash, now_ms: u64) -> Ticket {
        let known = self.lock();
        let change = known.changes.get(&key).filter(|(_, forgotten_ms)| *forgotten_ms > now_ms);
        let at_least = change.map_or(Version::ZERO, |(version, _)| *version);
        Ticket { key, generation: known.generation, began_ms: now_ms, at_least }
    }

    /// Keeps a value, if nothing that became known since its read began speaks against it.
    pub(super) fn keep<T>(&self, values: &Values<T>, key: &[u8], entry: Entry<T>, ticket: &Ticket, now_ms: u64) {
        let mut known = self.lock();
        let nothing_missed = known.generation == ticket.generation || !self.rules.generations;
        // A change is remembered for longer than a copy of what was asked before it may live.
        let change = known.changes.get(&ticket.key).filter(|_| self.rules.changes);
        let new_enough = change.is_none_or(|(version, _)| entry.version >= *version);
        if !(self.is_trusted(now_ms) && nothing_missed && new_enough) {
            return;
        }
        if known.kept.len() >= MOST_KEYS && !known.kept.contains_key(&ticket.key) {
            forget_everything(values, &mut known);
            self.count_flush(&mut known, Doubt::Overflow);
        }
        known.kept.insert(ticket.key, key.into());
        values.insert(key.into(), entry);
    }

    /// Nothing older than `version` is acceptable for that key.
    pub(super) fn apply<T>(&self, values: &Values<T>, key: KeyHash, version: Version, now_ms: u64) {
        let mut known = self.lock();
        known.heard += 1;
        if known.changes.len() >= MOST_KEYS && !known.changes.contains_key(&key) {
            self.forget_old_changes(values, &mut known, now_ms);
        }
        let forgotten_ms = now_ms.saturating_add(self.remembered_ms);
        let change = known.changes.entry(key).or_insert((version, forgotten_ms));
        *change = (change.0.max(version), forgotten_ms);
        let newest = change.0;
        if let Some(at) = known.kept.get(&key)
            && values.peek(at).is_none_or(|entry| entry.version < newest)
        {
            values.remove(at);
            known.kept.remove(&key);
        }
    }

    /// Anything may be old.
    pub(super) fn flush<T>(&self, values: &Values<T>, why: Doubt) {
        let mut known = self.lock();
        forget_everything(values, &mut known);
        self.count_flush(&mut known, why);
    }

    /// Extends the lease, or ends it.
    pub(super) fn trust_until<T>(&self, values: &Values<T>, until_ms: u64, now_ms: u64) {
        let mut known = self.lock();
        let is_trusted = until_ms > now_ms;
        let before = self.trusted_until_ms.swap(if is_trusted { until_ms } else { 0 }, Ordering::AcqRel);
        let (was_trusted, lapsed) = (before > now_ms, 0 < before && before <= now_ms);
        if lapsed || was_trusted != is_trusted {
            // Between the end of one lease and the beginning of the next anything may have been missed.
            forget_everything(values, &mut known);
            self.show_bypass(!is_trusted);
        }
        let fell_silent = was_trusted && !is_trusted && until_ms > 0;
        if lapsed || fell_silent {
            self.count_flush(&mut known, Doubt::Silence);
        }
    }

    fn forget_old_changes<T>(&self, values: &Values<T>, known: &mut Known, now_ms: u64) {
        known.changes.retain(|_, (_, forgotten_ms)| *forgotten_ms > now_ms);
        if known.changes.len() >= MOST_KEYS {
            known.changes.clear();
            forget_everything(values, known);
            self.count_flush(known, Doubt::Overflow);
        }
    }

    fn count_flush(&self, known: &mut Known, why: Doubt) {
        *known.flushes.entry(why.as_str()).or_default() += 1;
        counter!("cache_in_memory_flushes_total", "keyspace" => self.name, "reason" => why.as_str()).increment(1);
    }

    /// How it is doing.
    pub(super) fn state(&self, now_ms: u64) -> MemoryState {
        let known = self.lock();
        let (heard, flushes) = (known.heard, known.flushes.clone());
        MemoryState { keyspace: self.name, trusted: self.is_trusted(now_ms), heard, flushes }
    }

    fn show_bypass(&self, bypassed: bool) {
        gauge!("cache_in_memory_bypassed", "keyspace" => self.name).set(f64::from(u8::from(bypassed)));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes stay known: they are true whatever was missed beside them.
fn forget_everything<T>(values: &Values<T>, known: &mut Known) {
    known.generation += 1;
    known.kept.clear();
    values.clear();
}
