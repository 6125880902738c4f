//! The frame: a fixed header, the key it belongs to, and a payload, in one string.
//!
//! Owns the layout, writing, and every reason to reject what was read. The scripts of cache-redis read the first fields by
//! their offsets, so the layout only changes together with them. Must never know a value's type.

use std::time::Duration;

use bytes::Bytes;
use cache_ports::keyspace::Keyspace;
use kernel::Version;

use crate::store::{LeaseToken, Stored};

/// Length of the header.
pub const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 2] = *b"qF";
const FORMAT: u8 = 1;

/// Offsets in the header. Token and floor are changed in place while a refresh runs, so the checksum leaves them out.
pub(crate) mod offset {
    pub const FORMAT: usize = 2;
    pub const KIND: usize = 3;
    pub const VERSION: usize = 4;
    pub const TOKEN: usize = 12;
    pub const FLOOR: usize = 28;
    pub const CHECKSUM: usize = 32;
    pub const FLAGS: usize = 36;
    pub const SCHEMA: usize = 38;
    pub const SOFT: usize = 40;
    pub const HARD: usize = 44;
    pub const GENERATED: usize = 48;
    pub const IDENTITY_LEN: usize = 56;
    pub const BODY_LEN: usize = 60;
}

const COMPRESSED: u8 = 1;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A value.
    Value,
    /// "Older than this version is not acceptable."
    Tombstone,
    /// "The authority said it does not exist."
    Negative,
    /// "Somebody is loading."
    Lease,
}

impl Kind {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Value => b'V',
            Self::Tombstone => b'T',
            Self::Negative => b'N',
            Self::Lease => b'L',
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'V' => Some(Self::Value),
            b'T' => Some(Self::Tombstone),
            b'N' => Some(Self::Negative),
            b'L' => Some(Self::Lease),
            _ => None,
        }
    }
}

/// What a store may know of a frame without reading all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Of a value its version, of a tombstone the least acceptable one, otherwise zero.
    pub version: Version,
    /// Who may replace it.
    pub token: Option<LeaseToken>,
    /// The lease is over once the remaining life is down to this.
    pub floor: Duration,
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// A frame of this format.
    Ours(Header),
    /// A frame of a format this program does not know: a newer program wrote it.
    Newer,
    /// No frame.
    Garbage,
}

/// Reads the first bytes.
pub fn glance(bytes: &[u8]) -> Glance {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Glance::Garbage };
    if header[..2] != MAGIC {
        return Glance::Garbage;
    }
    if header[offset::FORMAT] != FORMAT {
        return Glance::Newer;
    }
    let Some(kind) = Kind::from_byte(header[offset::KIND]) else { return Glance::Garbage };
    let token: [u8; 16] = array(header, offset::TOKEN);
    Glance::Ours(Header {
        kind,
        version: Version::new(u64::from_be_bytes(array(header, offset::VERSION))),
        token: (token != [0; 16]).then_some(LeaseToken(token)),
        floor: Duration::from_millis(u32::from_be_bytes(array(header, offset::FLOOR)).into()),
    })
}

fn array<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[at..at + N]);
    out
}

/// How long a frame lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// From this age on it is stale.
    pub soft: Duration,
    /// Its whole life.
    pub hard: Duration,
}

impl Life {
    /// A life of `keyspace`, with its share of jitter.
    pub fn drawn(keyspace: &Keyspace) -> Self {
        let per_mille = fastrand::u32(0..=u32::from(keyspace.ttl.jitter_percent) * 10);
        let longer = |base: Duration| base + base * per_mille / 1000;
        Self { soft: longer(keyspace.ttl.soft), hard: longer(keyspace.ttl.hard) }
    }
}

/// What goes into a value or negative frame.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The keyspace it belongs to.
    pub keyspace: &'static Keyspace,
    /// The key it belongs to.
    pub key: &'a str,
    /// Its version.
    pub version: Version,
    /// How long it lives.
    pub life: Life,
    /// When the authority answered, in milliseconds of this process's wall clock; for people, never for expiry.
    pub generated_at_ms: i64,
    /// The payload; `None` says that the authority knows no such thing.
    pub payload: Option<&'a [u8]>,
}

/// The value is bigger than its keyspace allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversize;

/// Writes a value or negative frame.
pub fn write(content: &Content<'_>) -> Result<Vec<u8>, Oversize> {
    let payload = content.payload.unwrap_or_default();
    if payload.len() > max_payload(content.keyspace) {
        return Err(Oversize);
    }
    let compress = payload.len() > content.keyspace.size.compress_above_bytes as usize;
    let packed = compress.then(|| lz4_flex::block::compress_prepend_size(payload));
    let body = packed.as_deref().unwrap_or(payload);
    let kind = if content.payload.is_some() { Kind::Value } else { Kind::Negative };
    let mut out = Vec::with_capacity(HEADER_BYTES + content.key.len() + body.len());
    out.extend_from_slice(&bare(kind, content.version));
    out[offset::FLAGS] = if compress { COMPRESSED } else { 0 };
    put(&mut out, offset::SCHEMA, &content.keyspace.schema.current.to_be_bytes());
    put(&mut out, offset::SOFT, &millis(content.life.soft).to_be_bytes());
    put(&mut out, offset::HARD, &millis(content.life.hard).to_be_bytes());
    put(&mut out, offset::GENERATED, &content.generated_at_ms.to_be_bytes());
    put(&mut out, offset::IDENTITY_LEN, &u16::try_from(content.key.len()).map_err(|_| Oversize)?.to_be_bytes());
    put(&mut out, offset::BODY_LEN, &u32::try_from(body.len()).map_err(|_| Oversize)?.to_be_bytes());
    out.extend_from_slice(content.key.as_bytes());
    out.extend_from_slice(body);
    let sum = checksum(&out);
    put(&mut out, offset::CHECKSUM, &sum.to_be_bytes());
    Ok(out)
}

/// A tombstone: nothing older than `at_least` is acceptable.
pub fn tombstone(at_least: Version) -> [u8; HEADER_BYTES] {
    sealed(bare(Kind::Tombstone, at_least))
}

/// A lease on a key that holds nothing.
pub fn lease(token: LeaseToken) -> [u8; HEADER_BYTES] {
    let mut header = sealed(bare(Kind::Lease, Version::ZERO));
    put(&mut header, offset::TOKEN, &token.0);
    header
}

fn bare(kind: Kind, version: Version) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    put(&mut header, 0, &MAGIC);
    header[offset::FORMAT] = FORMAT;
    header[offset::KIND] = kind.byte();
    put(&mut header, offset::VERSION, &version.get().to_be_bytes());
    header
}

fn sealed(mut header: [u8; HEADER_BYTES]) -> [u8; HEADER_BYTES] {
    let sum = checksum(&header);
    put(&mut header, offset::CHECKSUM, &sum.to_be_bytes());
    header
}

fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Over everything but the lease fields and itself.
pub(crate) fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..offset::TOKEN]);
    hasher.update(&frame[offset::FLAGS..]);
    hasher.finalize()
}

/// Milliseconds as the header holds them: up to 49 days, far beyond the longest life.
pub(crate) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// The limit is of the payload, packed or not.
fn max_payload(keyspace: &Keyspace) -> usize {
    keyspace.size.max_bytes as usize
}

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
    /// Nothing to use: empty, a tombstone or a lease.
    Nothing,
    /// Something that must not be used. A value's version, if the caller wants to lease over it.
    Rejected(Rejection, Option<Version>),
}

/// Judges what lies under `key`, for a caller who demands at least `min`.
pub fn judge(keyspace: &Keyspace, key: &str, min: Version, stored: &Stored) -> Verdict {
    let bytes = &stored.bytes;
    if bytes.len() > HEADER_BYTES + key.len() + max_payload(keyspace) {
        return Verdict::Rejected(Rejection::Oversize, None);
    }
    let header = match glance(bytes) {
        Glance::Newer => return Verdict::Rejected(Rejection::NewerSchema, None),
        Glance::Garbage => return Verdict::Rejected(Rejection::Corrupt, None),
        Glance::Ours(header) => header,
    };
    if matches!(header.kind, Kind::Tombstone | Kind::Lease) {
        return Verdict::Nothing;
    }
    let reject = |why| Verdict::Rejected(why, Some(header.version));
    let frame = match Frame::parse(bytes) {
        Ok(frame) => frame,
        Err(why) => return Verdict::Rejected(why, None),
    };
    if let Err(why) = belongs(key, frame.identity) {
        return Verdict::Rejected(why, None);
    }
    if frame.schema > keyspace.schema.current {
        return reject(Rejection::NewerSchema);
    }
    if frame.schema < keyspace.schema.oldest_readable {
        return reject(Rejection::OlderSchema);
    }
    let Some(remaining) = stored.remaining else { return Verdict::Rejected(Rejection::Corrupt, None) };
    let age = frame.hard.saturating_sub(remaining);
    if remaining.is_zero() || age >= frame.hard {
        return reject(Rejection::Expired);
    }
    if header.kind == Kind::Negative {
        return if min > Version::ZERO { reject(Rejection::Version) } else { Verdict::Negative { age } };
    }
    if header.version < min {
        return reject(Rejection::Version);
    }
    match frame.unpack(bytes, keyspace) {
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
    fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Rejection::Corrupt)?;
        let identity_len = usize::from(u16::from_be_bytes(array(header, offset::IDENTITY_LEN)));
        let body_len = u32::from_be_bytes(array(header, offset::BODY_LEN)) as usize;
        let body_at = HEADER_BYTES + identity_len;
        if bytes.len() != body_at + body_len || u32::from_be_bytes(array(header, offset::CHECKSUM)) != checksum(bytes) {
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

    fn unpack(&self, bytes: &Bytes, keyspace: &Keyspace) -> Result<Bytes, Rejection> {
        let limit = max_payload(keyspace);
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
