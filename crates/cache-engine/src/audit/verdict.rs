//! What an entry is worth beside the truth: pure rules.
//!
//! Owns every kind of mismatch, and which of them lag can explain. Must never read a store, an authority or a clock.

use std::time::Duration;

use cache_ports::{
    Truth,
    keyspace::{Audit, Coherence, Keyspace},
};
use kernel::Version;

use crate::{
    frame::{HEADER_BYTES, Rejection, Verdict, judge},
    store::Stored,
};

/// Clocks tick in milliseconds, and an entry may be read a moment after its life was.
const LIFE_TOLERANCE: Duration = Duration::from_secs(1);

/// How an entry is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mismatch {
    /// It holds an older version than the authority has, or than its own key names.
    StaleVersion,
    /// It holds a newer version than the authority has.
    UnknownVersion,
    /// It holds something else under the right version.
    OtherContent,
    /// It holds what does not exist.
    ShouldNotExist,
    /// It says that what exists does not.
    ShouldExist,
    /// It belongs to another tenant.
    OtherTenant,
    /// It belongs to another key.
    OtherKey,
    /// It cannot be read.
    Undecodable,
    /// It is bigger than its keyspace allows.
    Oversize,
    /// It never ends.
    NoEndOfLife,
    /// It lives longer than its keyspace allows.
    LivesTooLong,
}

impl Mismatch {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::StaleVersion,
        Self::UnknownVersion,
        Self::OtherContent,
        Self::ShouldNotExist,
        Self::ShouldExist,
        Self::OtherTenant,
        Self::OtherKey,
        Self::Undecodable,
        Self::Oversize,
        Self::NoEndOfLife,
        Self::LivesTooLong,
    ];

    /// Its word in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StaleVersion => "stale_version",
            Self::UnknownVersion => "unknown_version",
            Self::OtherContent => "other_content",
            Self::ShouldNotExist => "should_not_exist",
            Self::ShouldExist => "should_exist",
            Self::OtherTenant => "other_tenant",
            Self::OtherKey => "other_key",
            Self::Undecodable => "undecodable",
            Self::Oversize => "oversize",
            Self::NoEndOfLife => "no_end_of_life",
            Self::LivesTooLong => "lives_too_long",
        }
    }
}

/// What an entry says, once it is known to be readable and to belong to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version it carries; zero for an absence.
    pub version: Version,
    /// The payload; `None` when it says that there is no such thing.
    pub payload: Option<bytes::Bytes>,
    /// Time since it was filled.
    pub age: Duration,
}

/// What an entry is worth by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alone {
    /// It can be compared.
    Sound(Entry),
    /// It is wrong whatever the authority says.
    Wrong(Mismatch),
    /// It says nothing: a tombstone, a lease, something of a newer or much older program, or just ended.
    Silent,
}

/// Judges an entry by itself.
pub fn alone(keyspace: &Keyspace, key: &str, stored: &Stored) -> Alone {
    let Some(remaining) = stored.remaining else { return Alone::Wrong(Mismatch::NoEndOfLife) };
    if remaining > longest_life(keyspace) + LIFE_TOLERANCE {
        return Alone::Wrong(Mismatch::LivesTooLong);
    }
    match judge(keyspace, key, Version::ZERO, stored) {
        Verdict::Value { version, age, payload, .. } => Alone::Sound(Entry { version, payload: Some(payload), age }),
        Verdict::Negative { age } => Alone::Sound(Entry { version: Version::ZERO, payload: None, age }),
        Verdict::Nothing | Verdict::Tombstone { .. } => Alone::Silent,
        Verdict::Rejected(why, _) => match why {
            Rejection::Expired | Rejection::NewerSchema | Rejection::OlderSchema | Rejection::Version => Alone::Silent,
            Rejection::Tenant => Alone::Wrong(Mismatch::OtherTenant),
            Rejection::Identity => Alone::Wrong(Mismatch::OtherKey),
            Rejection::Oversize => Alone::Wrong(Mismatch::Oversize),
            Rejection::Corrupt => Alone::Wrong(Mismatch::Undecodable),
        },
    }
}

/// The longest any writer of the protocol lets something of this keyspace live.
fn longest_life(keyspace: &Keyspace) -> Duration {
    let ttl = keyspace.ttl;
    let hard = ttl.hard + ttl.hard * u32::from(ttl.jitter_percent) / 100;
    let lease = keyspace.loading.map_or(Duration::ZERO, |limits| limits.lease);
    [ttl.negative, ttl.tombstone].into_iter().flatten().fold(hard.max(lease), Duration::max)
}

/// What an entry is worth beside the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// They agree.
    Agrees,
    /// Its object has moved on to another key; what it was cannot be asked any more.
    Superseded,
    /// They differ.
    Differs(Mismatch),
}

/// Compares an entry with the truth: existence, version, and content where that is comparable. `numbered` is the version in its key, where there is one.
pub fn beside(keyspace: &Keyspace, entry: &Entry, numbered: Option<Version>, truth: &Truth) -> Beside {
    let (payload, version, known) = match (&entry.payload, truth) {
        (None, Truth::Absent) => return Beside::Agrees,
        (None, Truth::Found { .. }) => return Beside::Differs(Mismatch::ShouldExist),
        (Some(_), Truth::Absent) => return Beside::Differs(Mismatch::ShouldNotExist),
        (Some(payload), Truth::Found { version, payload: known }) => (payload, *version, known),
    };
    if numbered.is_some_and(|numbered| entry.version < numbered) {
        return Beside::Differs(Mismatch::StaleVersion);
    }
    if entry.version > version {
        return Beside::Differs(Mismatch::UnknownVersion);
    }
    if entry.version < version {
        return if numbered.is_some() { Beside::Superseded } else { Beside::Differs(Mismatch::StaleVersion) };
    }
    if keyspace.audit != Audit::Compared || same_content(payload, known) {
        Beside::Agrees
    } else {
        Beside::Differs(Mismatch::OtherContent)
    }
}

/// The same bytes, or at least the same JSON: another program may order its fields otherwise.
fn same_content(cached: &[u8], known: &[u8]) -> bool {
    let parsed = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    cached == known || parsed(cached).is_some_and(|cached| Some(cached) == parsed(known))
}

/// Whether a difference counts at the first look. What never changes under its key lags behind nothing: once its fill is
/// older than the grace period there is no excuse. Everything else waits for a second look.
pub fn counts_at_once(keyspace: &Keyspace, age: Duration, grace: Duration) -> bool {
    keyspace.coherence == Coherence::Versioned && age >= grace
}

/// Whether a difference that was seen before the grace period is still there after it. An entry that has reached the version
/// the authority had at the first look has lagged, and no longer than the grace period, even if it is behind again.
pub fn persists(first_truth: Option<Version>, second: Mismatch, second_version: Version) -> bool {
    second != Mismatch::StaleVersion || first_truth.is_none_or(|version| second_version < version)
}

/// The part of an entry that `ByteStore::discard` recognises it by; `None` when it must be removed whatever it is.
pub fn recognisable(stored: &Stored) -> Option<&[u8; HEADER_BYTES]> {
    let header = stored.bytes.first_chunk::<HEADER_BYTES>()?;
    let tombstone = header[crate::frame::offset::KIND] == crate::frame::Kind::Tombstone.byte();
    (!tombstone).then_some(header)
}
