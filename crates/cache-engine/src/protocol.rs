//! The protocol of one key, as pure decisions: who may load, what may be filled, what an invalidation leaves behind.
//!
//! Owns the rules that make "a slow reader stores version 6 after version 7 was invalidated" impossible:
//! a fill needs the token of a lease that still stands, and a version not below the one remembered; an invalidation leaves a
//! tombstone with the least acceptable version and voids the lease; where nothing is remembered there is no lease either.
//! The scripts in cache-redis say the same in Lua, and one model runs both. Must never do I/O or read a clock.

use std::time::Duration;

use kernel::Version;

use crate::{
    frame::{self, Glance, HEADER_BYTES, Header, Kind, offset},
    guards::{Guard, Guards},
    store::{FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken},
};

/// What lies at a place before an operation.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Their remaining life; `None` for no end.
    pub remaining: Option<Duration>,
}

/// What an operation does to the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// Replaces everything.
    Put {
        /// The frame.
        frame: Vec<u8>,
        /// Its life.
        ttl: Duration,
    },
    /// Changes the lease fields of the frame that lies there.
    Mark {
        /// Who may replace it; zeros for nobody.
        token: [u8; 16],
        /// The lease is over once the remaining life is down to this.
        floor: Duration,
        /// A longer life, where the frame's own is shorter than the lease.
        extend_to: Option<Duration>,
    },
    /// Empties the place.
    Remove,
}

enum Seen {
    Nothing,
    Newer,
    Frame(Header, Option<Duration>),
}

fn see(current: Option<Current<'_>>) -> Seen {
    match current.map(|current| (frame::glance(current.bytes), current.remaining)) {
        // Garbage remembers nothing, and a lease or tombstone may replace it.
        None | Some((Glance::Garbage, _)) => Seen::Nothing,
        Some((Glance::Newer, _)) => Seen::Newer,
        Some((Glance::Ours(header), remaining)) => Seen::Frame(header, remaining),
    }
}

/// Asks to be the one who loads.
pub fn lease(current: Option<Current<'_>>, request: &LeaseRequest, guards: Guards) -> (Change, LeaseReply) {
    let (header, remaining) = match see(current) {
        Seen::Newer if guards.has(Guard::Newer) => return (Change::Keep, LeaseReply::Present),
        Seen::Nothing | Seen::Newer => {
            let frame = frame::lease(request.token).to_vec();
            return (Change::Put { frame, ttl: request.ttl }, LeaseReply::Granted { at_least: Version::ZERO });
        }
        Seen::Frame(header, remaining) => (header, remaining),
    };
    // A frame without end was not written by this protocol: its lease would never end either.
    let life = remaining.unwrap_or_default();
    if header.token.is_some() && life > header.floor {
        return (Change::Keep, LeaseReply::Held);
    }
    let holds_answer = matches!(header.kind, Kind::Value | Kind::Negative);
    if holds_answer && request.over != Some(header.version) {
        return (Change::Keep, LeaseReply::Present);
    }
    // An answer's life is never extended: when it ends before the load does, the fill finds no lease.
    let extend_to = (!holds_answer && life < request.ttl).then_some(request.ttl);
    let floor = life.saturating_sub(request.ttl);
    (Change::Mark { token: request.token.0, floor, extend_to }, LeaseReply::Granted { at_least: header.version })
}

/// Puts a loaded value.
pub fn fill(current: Option<Current<'_>>, request: &FillRequest<'_>, guards: Guards) -> (Change, FillReply) {
    let known = match see(current) {
        Seen::Newer => return (Change::Keep, FillReply::LeaseLost),
        Seen::Nothing => None,
        Seen::Frame(header, _) => Some(header),
    };
    let holds_lease = known.is_some_and(|header| header.token == Some(request.token));
    if guards.has(Guard::Lease) && !holds_lease {
        return (Change::Keep, FillReply::LeaseLost);
    }
    if guards.has(Guard::Version) && known.is_some_and(|header| request.version < header.version) {
        // The lease is given back at once, so that somebody with a newer answer need not wait for it to run out.
        return (unmark(), FillReply::OlderThanKnown);
    }
    (Change::Put { frame: request.frame.to_vec(), ttl: request.ttl }, FillReply::Stored)
}

/// Gives a lease back unused.
pub fn abandon(current: Option<Current<'_>>, token: LeaseToken) -> Change {
    match see(current) {
        Seen::Frame(header, _) if header.token == Some(token) => {
            if header.kind == Kind::Lease {
                Change::Remove
            } else {
                unmark()
            }
        }
        _ => Change::Keep,
    }
}

const fn unmark() -> Change {
    Change::Mark { token: [0; 16], floor: Duration::ZERO, extend_to: None }
}

/// Makes everything older than `at_least` unacceptable.
pub fn invalidate(
    current: Option<Current<'_>>,
    at_least: Version,
    ttl: Duration,
    guards: Guards,
) -> (Change, InvalidateReply) {
    if let Seen::Frame(header, _) = see(current) {
        let remembers = matches!(header.kind, Kind::Value | Kind::Tombstone);
        if remembers && header.version >= at_least && guards.has(Guard::Event) {
            return (Change::Keep, InvalidateReply::NotOlder);
        }
    }
    if !guards.has(Guard::Tombstone) {
        return (Change::Remove, InvalidateReply::Tombstoned);
    }
    (Change::Put { frame: frame::tombstone(at_least).to_vec(), ttl }, InvalidateReply::Tombstoned)
}

/// Removes a frame that cannot be used, if it is still the one with this header.
pub fn discard(current: Option<Current<'_>>, header: &[u8; HEADER_BYTES], guards: Guards) -> Change {
    // The lease fields may have changed since it was read; they say nothing about what the frame holds.
    let same = current.and_then(|current| current.bytes.first_chunk::<HEADER_BYTES>()).is_some_and(|there| {
        there[..offset::TOKEN] == header[..offset::TOKEN] && there[offset::CHECKSUM..] == header[offset::CHECKSUM..]
    });
    let tombstone = header[offset::KIND] == Kind::Tombstone.byte();
    if (same || !guards.has(Guard::Discard)) && !tombstone { Change::Remove } else { Change::Keep }
}
