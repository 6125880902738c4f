//! What a liar must remember: which frames lay where, what lay there before, what was written last, what is still to be done.
//!
//! Owns that memory and its bounds. Must never be asked what is true now.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::writes::Write;
use crate::{
    frame::{self, HEADER_BYTES, offset},
    store::{Place, Stored, Workload},
};

/// Frames of one key that are remembered.
const PAST: usize = 4;
/// Writes that a failover can lose.
const LOST: usize = 8;
/// Operations after which a late write is done, at most.
const LATEST: u64 = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Seen {
    /// Every key that was written, to be evicted.
    keys: BTreeSet<String>,
    /// What was filled or put under a key, oldest first.
    frames: BTreeMap<String, VecDeque<Kept>>,
    /// What lay under a key before each of the last writes.
    journal: VecDeque<Before>,
    /// Writes to be done later.
    late: Vec<Late>,
}

/// A frame with the end of its life.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    bytes: Bytes,
    ends: Instant,
}

impl Kept {
    fn of(stored: &Stored) -> Option<Self> {
        Some(Self { bytes: stored.bytes.clone(), ends: Instant::now() + stored.remaining? })
    }

    fn stored(&self) -> Option<Stored> {
        let remaining = self.ends.checked_duration_since(Instant::now()).filter(|life| !life.is_zero())?;
        Some(Stored { bytes: self.bytes.clone(), remaining: Some(remaining) })
    }
}

/// What lay under a key before a write.
pub(super) struct Before {
    pub workload: Workload,
    pub key: String,
    kept: Option<Kept>,
}

impl Before {
    /// What to put back; nothing for a key that was empty or whose frame has ended since.
    pub fn stored(&self) -> Option<Stored> {
        self.kept.as_ref().and_then(Kept::stored)
    }
}

/// A write to be done later.
pub(super) struct Late {
    pub workload: Workload,
    pub key: String,
    pub write: Write,
    due: u64,
}

/// The parts of a key.
fn parts(key: &str) -> Vec<&str> {
    key.split(':').collect()
}

impl Seen {
    /// A frame is about to be put under a key for so long.
    pub fn frame_put(&mut self, key: &str, frame: &[u8], ttl: Duration) {
        let frames = self.frames.entry(key.to_owned()).or_default();
        frames.push_back(Kept { bytes: Bytes::copy_from_slice(frame), ends: Instant::now() + ttl });
        if frames.len() > PAST {
            frames.pop_front();
        }
    }

    /// A key is about to be written.
    pub fn key_written(&mut self, key: &str) {
        self.keys.insert(key.to_owned());
    }

    /// A key is about to be written over what lies there now.
    pub fn journaled(&mut self, at: Place<'_>, before: Option<&Stored>) {
        let kept = before.and_then(Kept::of);
        self.journal.push_back(Before { workload: at.workload, key: at.key.to_owned(), kept });
        if self.journal.len() > LOST {
            self.journal.pop_front();
        }
    }

    /// The last writes, newest first, which a failover loses.
    pub fn lost(&mut self, how_many: usize) -> Vec<Before> {
        let keep = self.journal.len().saturating_sub(how_many);
        self.journal.split_off(keep).into_iter().rev().collect()
    }

    /// The longest part of the journal that can be lost.
    pub fn losable(&self) -> usize {
        self.journal.len()
    }

    /// Half of the known keys.
    pub fn half_of_the_keys(&mut self, dice: &mut fastrand::Rng) -> Vec<String> {
        let evicted: Vec<String> = self.keys.iter().filter(|_| dice.bool()).cloned().collect();
        for key in &evicted {
            self.keys.remove(key);
        }
        evicted
    }

    /// A frame that lay under this key before the one that lies there now.
    pub fn older(&self, key: &str, now: Option<&Stored>) -> Option<Stored> {
        let frames = self.frames.get(key)?;
        let differs = |kept: &&Kept| now.is_none_or(|now| now.bytes != kept.bytes);
        frames.iter().filter(differs).find_map(Kept::stored)
    }

    /// A frame of the same object in another version: it shares an id of its key and differs in another part. Where none
    /// was written, the one that lies there under the key of the next version.
    pub fn another_version(&self, key: &str, now: Option<&Stored>, dice: &mut fastrand::Rng) -> Option<Stored> {
        let own = parts(key);
        let found = self.pick(key, dice, |other| {
            let shared_id = own.iter().zip(other).skip(2).any(|(one, two)| one == two && one.len() >= ID);
            other[1] == own[1] && shared_id
        });
        found.or_else(|| of_next_version(key, now?))
    }

    /// A frame of another object of the same tenant and keyspace.
    pub fn another_id(&self, key: &str, dice: &mut fastrand::Rng) -> Option<Stored> {
        let own = parts(key);
        self.pick(key, dice, |other| other[1] == own[1])
    }

    /// A frame of another tenant, of the same keyspace; of the same object where there is one.
    pub fn another_tenant(&self, key: &str, dice: &mut fastrand::Rng) -> Option<Stored> {
        let own = parts(key);
        self.pick(key, dice, |other| other[1] != own[1] && other[2..] == own[2..])
            .or_else(|| self.pick(key, dice, |other| other[1] != own[1]))
    }

    fn pick(&self, key: &str, dice: &mut fastrand::Rng, fits: impl Fn(&[&str]) -> bool) -> Option<Stored> {
        let own = parts(key);
        let fitting = self.frames.iter().filter(|(other, _)| {
            let parts = parts(other);
            other.as_str() != key && parts.len() == own.len() && parts[0] == own[0] && fits(&parts)
        });
        let found: Vec<Stored> = fitting.filter_map(|(_, frames)| frames.back()).filter_map(Kept::stored).collect();
        dice.choice(found)
    }

    /// A write waits for some operations to go by.
    pub fn put_off(&mut self, at: Place<'_>, write: &Write, now: u64, dice: &mut fastrand::Rng) {
        let due = now + dice.u64(1..=LATEST);
        self.late.push(Late { workload: at.workload, key: at.key.to_owned(), write: write.clone(), due });
    }

    /// The writes whose time has come.
    pub fn due(&mut self, now: u64) -> Vec<Late> {
        self.late.extract_if(.., |late| late.due <= now).collect()
    }
}

/// The shortest id: a UUID.
const ID: usize = 36;

/// The same frame, whole and in order, of the key that names the next version.
fn of_next_version(key: &str, stored: &Stored) -> Option<Stored> {
    let is_version = |part: &&str| {
        let digits = part.strip_prefix('v').unwrap_or(part);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts = parts(key);
    let which = parts.iter().rposition(is_version)?;
    let last = HEADER_BYTES + parts[..=which].join(":").len() - 1;
    let mut bytes = stored.bytes.to_vec();
    let digit = bytes.get_mut(last)?;
    *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
    let sum = frame::checksum(&bytes);
    bytes[offset::CHECKSUM..offset::CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
    Some(Stored { bytes: bytes.into(), ..*stored })
}
