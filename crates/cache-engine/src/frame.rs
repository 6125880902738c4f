//! The frame: a fixed header, the key it belongs to, and a payload, in one string.
//!
//! Owns the layout and writing; every reason to reject what was read is in `judge`. The scripts of cache-redis read the first
//! fields by their offsets, so the layout only changes together with them. Must never know a value's type.

mod fill;
mod judge;

use std::time::Duration;

use cache_ports::keyspace::Keyspace;
use kernel::Version;

use crate::{
    guards::{Guard, Guards},
    store::LeaseToken,
};

pub use fill::{Fill, age};
pub(crate) use judge::judge_by;
pub use judge::{Rejection, Verdict, judge};

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

pub(crate) const COMPRESSED: u8 = 1;

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
    write_by(Guards::ALL, content)
}

/// The same with these guards.
pub(crate) fn write_by(guards: Guards, content: &Content<'_>) -> Result<Vec<u8>, Oversize> {
    let payload = content.payload.unwrap_or_default();
    if guards.has(Guard::Size) && payload.len() > max_payload(content.keyspace) {
        return Err(Oversize);
    }
    let compress = payload.len() > content.keyspace.size.compress_above_bytes as usize;
    let packed = compress.then(|| lz4_flex::block::compress_prepend_size(payload));
    assemble(content, packed.as_deref().unwrap_or(payload), if compress { COMPRESSED } else { 0 })
}

fn assemble(content: &Content<'_>, body: &[u8], flags: u8) -> Result<Vec<u8>, Oversize> {
    let kind = if content.payload.is_some() { Kind::Value } else { Kind::Negative };
    let mut out = Vec::with_capacity(HEADER_BYTES + content.key.len() + body.len());
    out.extend_from_slice(&bare(kind, content.version));
    out[offset::FLAGS] = flags;
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
