//! What a frame that was read is worth.
//!
//! Owns every reason to reject one, and how old a usable one is. Must never decide what happens then.

use std::time::Duration;

use bytes::Bytes;
use cache_ports::keyspace::Keyspace;
use kernel::Version;

use super::{COMPRESSED, Glance, HEADER_BYTES, Kind, array, checksum, glance, max_payload, offset};
use crate::{
    guards::{Guard, Guards},
    store::Stored,
};

/// Why a frame cannot be used. Each is a miss, counted by its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Its life is over by the store's clock.
    Expired,
    /// A newer program wrote it. It is left alone.
    NewerSchema,
    /// This program no longer reads such old ones.
    OlderSchema,
    /// Older than the caller demands.
    Version,
    /// It belongs to another tenant.
    Tenant,
    /// It belongs to another key.
    Identity,
    /// It is bigger than its keyspace allows.
    Oversize,
    /// It does not parse, or its checksum is wrong, or it has no end.
    Corrupt,
}

/// What a read found, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A usable value.
    Value {
        /// Its version.
        version: Version,
        /// Time since it was filled.
        age: Duration,
        /// Time until it is stale; zero once it is.
        fresh_for: Duration,
        /// The payload, unpacked.
        payload: Bytes,
    },
    /// The authority said, that long ago, that there is no such thing.
    Negative {
        /// Time since it was filled.
        age: Duration,
    },
    /// Nothing to use: somebody is loading.
    Nothing,
    /// Nothing to use, and nothing older than this is acceptable.
    Tombstone {
        /// The least acceptable version.
        at_least: Version,
    },
    /// Something that must not be used. A value's version, if the caller wants to lease over it.
    Rejected(Rejection, Option<Version>),
}

/// Judges what lies under `key`, for a caller who demands at least `min`.
pub fn judge(keyspace: &Keyspace, key: &str, min: Version, stored: &Stored) -> Verdict {
    judge_by(Guards::ALL, keyspace, key, min, stored)
}

/// The same with these guards.
pub(crate) fn judge_by(guards: Guards, keyspace: &Keyspace, key: &str, min: Version, stored: &Stored) -> Verdict {
    let bytes = &stored.bytes;
    if guards.has(Guard::Size) && bytes.len() > HEADER_BYTES + key.len() + max_payload(keyspace) {
        return Verdict::Rejected(Rejection::Oversize, None);
    }
    let header = match glance(bytes) {
        Glance::Newer => return Verdict::Rejected(Rejection::NewerSchema, None),
        Glance::Garbage => return Verdict::Rejected(Rejection::Corrupt, None),
        Glance::Ours(header) => header,
    };
    match header.kind {
        Kind::Lease => return Verdict::Nothing,
        Kind::Tombstone => return Verdict::Tombstone { at_least: header.version },
        Kind::Value | Kind::Negative => {}
    }
    let reject = |why| Verdict::Rejected(why, Some(header.version));
    let frame = match Frame::parse(bytes, guards) {
        Ok(frame) => frame,
        Err(why) => return Verdict::Rejected(why, None),
    };
    if guards.has(Guard::Identity)
        && let Err(why) = belongs(key, frame.identity)
    {
        return Verdict::Rejected(why, None);
    }
    if guards.has(Guard::Schema)
        && let Err(why) = frame.readable(keyspace)
    {
        return reject(why);
    }
    let age = match frame.age(stored.remaining) {
        Ok(age) => age,
        Err(_) if !guards.has(Guard::Life) => Duration::ZERO,
        Err(Rejection::Expired) => return reject(Rejection::Expired),
        Err(why) => return Verdict::Rejected(why, None),
    };
    if header.kind == Kind::Negative {
        return if guards.has(Guard::Demand) && min > Version::ZERO {
            reject(Rejection::Version)
        } else {
            Verdict::Negative { age }
        };
    }
    if guards.has(Guard::Demand) && header.version < min {
        return reject(Rejection::Version);
    }
    match frame.unpack(bytes, keyspace, guards) {
        Ok(payload) => {
            Verdict::Value { version: header.version, age, fresh_for: frame.soft.saturating_sub(age), payload }
        }
        Err(why) => Verdict::Rejected(why, None),
    }
}

fn belongs(key: &str, identity: &[u8]) -> Result<(), Rejection> {
    if identity == key.as_bytes() {
        return Ok(());
    }
    // The tenant is the second segment of every key of one keyspace.
    let tenant = |text: &[u8]| text.split(|byte| *byte == b':').nth(1).map(<[u8]>::to_vec);
    Err(if tenant(identity) == tenant(key.as_bytes()) { Rejection::Identity } else { Rejection::Tenant })
}

/// The variable parts of a frame whose lengths and checksum are right.
struct Frame<'a> {
    identity: &'a [u8],
    body_at: usize,
    compressed: bool,
    schema: u16,
    soft: Duration,
    hard: Duration,
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8], guards: Guards) -> Result<Self, Rejection> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Rejection::Corrupt)?;
        let identity_len = usize::from(u16::from_be_bytes(array(header, offset::IDENTITY_LEN)));
        let body_len = u32::from_be_bytes(array(header, offset::BODY_LEN)) as usize;
        let body_at = HEADER_BYTES + identity_len;
        let whole = u32::from_be_bytes(array(header, offset::CHECKSUM)) == checksum(bytes);
        if bytes.len() != body_at + body_len || (guards.has(Guard::Checksum) && !whole) {
            return Err(Rejection::Corrupt);
        }
        let flags = header[offset::FLAGS];
        if flags & !COMPRESSED != 0 {
            return Err(Rejection::NewerSchema);
        }
        let duration = |at| Duration::from_millis(u32::from_be_bytes(array(header, at)).into());
        Ok(Self {
            identity: &bytes[HEADER_BYTES..body_at],
            body_at,
            compressed: flags & COMPRESSED != 0,
            schema: u16::from_be_bytes(array(header, offset::SCHEMA)),
            soft: duration(offset::SOFT),
            hard: duration(offset::HARD),
        })
    }

    fn readable(&self, keyspace: &Keyspace) -> Result<(), Rejection> {
        if self.schema > keyspace.schema.current {
            Err(Rejection::NewerSchema)
        } else if self.schema < keyspace.schema.oldest_readable {
            Err(Rejection::OlderSchema)
        } else {
            Ok(())
        }
    }

    /// Time since it was filled, by what the store has counted down.
    fn age(&self, remaining: Option<Duration>) -> Result<Duration, Rejection> {
        let remaining = remaining.ok_or(Rejection::Corrupt)?;
        let age = self.hard.saturating_sub(remaining);
        if remaining.is_zero() || age >= self.hard { Err(Rejection::Expired) } else { Ok(age) }
    }

    fn unpack(&self, bytes: &Bytes, keyspace: &Keyspace, guards: Guards) -> Result<Bytes, Rejection> {
        let limit = if guards.has(Guard::Size) { max_payload(keyspace) } else { usize::MAX };
        let body = bytes.slice(self.body_at..);
        if !self.compressed {
            return if body.len() > limit { Err(Rejection::Oversize) } else { Ok(body) };
        }
        // The length stands in front; it is checked before a byte is unpacked.
        let (size, packed) = lz4_flex::block::uncompressed_size(&body).map_err(|_| Rejection::Corrupt)?;
        if size > limit {
            return Err(Rejection::Oversize);
        }
        lz4_flex::block::decompress(packed, size).map(Bytes::from).map_err(|_| Rejection::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use cache_ports::catalog::keyspaces::OFFERING;
    use proptest::prelude::*;

    use super::super::{Content, Life, assemble, write};
    use super::*;

    const KEY: &str = "catalog:acme:publication:p:offering:o:en";
    const HARD: Duration = Duration::from_mins(1);

    fn content(payload: &[u8]) -> Content<'_> {
        let life = Life { soft: HARD / 2, hard: HARD };
        let version = Version::new(7);
        Content { keyspace: &OFFERING, key: KEY, version, life, generated_at_ms: 0, payload: Some(payload) }
    }

    fn verdict(bytes: Vec<u8>, remaining: Duration) -> Verdict {
        let stored = Stored { bytes: bytes.into(), remaining: Some(remaining) };
        judge(&OFFERING, KEY, Version::ZERO, &stored)
    }

    #[test]
    fn a_packed_payload_that_would_unpack_beyond_the_limit_is_never_unpacked() {
        let bomb = lz4_flex::block::compress_prepend_size(&vec![0; max_payload(&OFFERING) + 1]);
        let frame = assemble(&content(b""), &bomb, COMPRESSED).unwrap();
        assert!(frame.len() < 4096);
        assert_eq!(verdict(frame, HARD), Verdict::Rejected(Rejection::Oversize, None));
    }

    #[test]
    fn age_is_what_the_store_has_counted_down() {
        let frame = write(&content(b"{}")).unwrap();
        let age_of = |remaining| match verdict(frame.clone(), remaining) {
            Verdict::Value { age, fresh_for, .. } => Some((age.as_secs(), fresh_for.as_secs())),
            _ => None,
        };
        assert_eq!(age_of(HARD), Some((0, 30)));
        assert_eq!(age_of(HARD.saturating_sub(Duration::from_secs(20))), Some((20, 10)));
        assert_eq!(age_of(HARD / 4), Some((45, 0)));
        assert_eq!(age_of(Duration::ZERO), None);
    }

    proptest! {
        // Payloads are large; sixty-four of them cover the edges.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read_back(payload in prop::collection::vec(any::<u8>(), 0..40_000)) {
            let payload = Bytes::from(payload);
            let frame = write(&content(&payload)).unwrap();
            let (version, age) = (Version::new(7), Duration::ZERO);
            let expected = Verdict::Value { version, age, fresh_for: HARD / 2, payload };
            prop_assert_eq!(verdict(frame, HARD), expected);
        }

        #[test]
        fn a_flipped_bit_never_makes_another_value(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut frame = write(&content(&payload)).unwrap();
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            if let Verdict::Value { version, payload: read, .. } = verdict(frame, HARD) {
                // Only the lease fields may differ unnoticed: they say nothing about the value.
                prop_assert!((offset::TOKEN..offset::CHECKSUM).contains(&at), "byte {}", at);
                prop_assert_eq!((version, read), (Version::new(7), Bytes::from(payload)));
            }
        }

        #[test]
        fn any_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let usable = matches!(verdict(bytes, HARD), Verdict::Value { .. });
            prop_assert!(!usable);
        }

        #[test]
        fn a_truncated_frame_is_rejected(
            payload in prop::collection::vec(any::<u8>(), 1..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut frame = write(&content(&payload)).unwrap();
            frame.truncate(cut.index(frame.len()));
            prop_assert_eq!(verdict(frame, HARD), Verdict::Rejected(Rejection::Corrupt, None));
        }
    }
}
