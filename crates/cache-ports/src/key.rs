//! Keys: typed values in, text or packed bytes out.
//!
//! Owns escaping, the written form of each dimension, and matching a text against a template. A key can only be made by the
//! builders of this crate, from a declared keyspace. Must never be made from free text.

mod reading;

use std::fmt::Write;

use kernel::{ContentHash, TenantId};
use uuid::Uuid;

use crate::keyspace::{DimensionKind, Keyspace, Slot};

pub use reading::{NoSuchDimension, ReadKey, Reading, Scope, read};

/// Longer text in a dimension is replaced by its hash: a key stays short whatever a client sends.
pub const MAX_TEXT_BYTES: usize = 64;
/// Most dimensions beside the tenant.
pub const MAX_DIMENSIONS: usize = 4;
/// Longest packed key: the tenant, and the widest allowed dimensions.
pub const MAX_PACKED_BYTES: usize = 208;

/// The value of one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Id(Uuid),
    Number(u64),
    Hash(ContentHash),
    Text(&'a str),
}

impl Part<'_> {
    const fn kind(&self) -> DimensionKind {
        match self {
            Self::Id(_) => DimensionKind::Id,
            Self::Number(_) => DimensionKind::Number,
            Self::Hash(_) => DimensionKind::Hash,
            Self::Text(_) => DimensionKind::Text,
        }
    }
}

/// One key of one keyspace, not yet written: building it allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    keyspace: &'static Keyspace,
    tenant: &'a TenantId,
    parts: [Part<'a>; MAX_DIMENSIONS],
    len: usize,
}

/// Made from the same values, in the same keyspace.
impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.keyspace, other.keyspace)
            && self.tenant == other.tenant
            && self.parts[..self.len] == other.parts[..other.len]
    }
}

impl<'a> Key<'a> {
    /// A key of `keyspace`; `parts` are its dimensions after the tenant, in order.
    pub(crate) fn new<const N: usize>(keyspace: &'static Keyspace, tenant: &'a TenantId, parts: [Part<'a>; N]) -> Self {
        const { assert!(N <= MAX_DIMENSIONS) };
        debug_assert!(
            keyspace.dimensions[1..].iter().map(|d| d.kind).eq(parts.iter().map(Part::kind)),
            "the builder of {} fits its declaration",
            keyspace.name
        );
        let mut padded = [Part::Number(0); MAX_DIMENSIONS];
        padded[..N].copy_from_slice(&parts);
        Self { keyspace, tenant, parts: padded, len: N }
    }

    /// The keyspace.
    pub const fn keyspace(&self) -> &'static Keyspace {
        self.keyspace
    }

    /// The tenant.
    pub const fn tenant(&self) -> &'a TenantId {
        self.tenant
    }

    /// The key as the shared store sees it, without the deployment's prefix.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(160);
        let mut parts = self.parts[..self.len].iter();
        let mut rest = self.keyspace.template;
        let mut tenant_is_next = true;
        while let Some((literal, after)) = rest.split_once('{') {
            out.push_str(literal);
            if tenant_is_next {
                write_tenant(&mut out, self.tenant, self.keyspace.slot);
                tenant_is_next = false;
            } else if let Some(part) = parts.next() {
                write_part(&mut out, part);
            }
            rest = after.split_once('}').map_or("", |(_, after)| after);
        }
        out.push_str(rest);
        out
    }

    /// The key as bytes, for tables in this process: distinct keys of one keyspace have distinct bytes.
    pub fn packed(&self) -> PackedKey {
        let mut packed = PackedKey { bytes: [0; MAX_PACKED_BYTES], len: 0 };
        packed.push_sized(self.tenant.as_str().as_bytes());
        for part in &self.parts[..self.len] {
            match part {
                Part::Id(id) => packed.push(id.as_bytes()),
                Part::Number(number) => packed.push(&number.to_be_bytes()),
                Part::Hash(hash) => packed.push(hash.as_bytes()),
                Part::Text(text) if text.len() <= MAX_TEXT_BYTES => packed.push_sized(text.as_bytes()),
                Part::Text(text) => {
                    // A length no short text has marks the hash that stands for a long one.
                    packed.push(&[u8::MAX]);
                    packed.push(ContentHash::of_bytes(text.as_bytes()).as_bytes());
                }
            }
        }
        packed
    }
}

/// A key as a few bytes on the stack.
#[derive(Clone, Copy)]
pub struct PackedKey {
    bytes: [u8; MAX_PACKED_BYTES],
    len: usize,
}

impl PackedKey {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Registry tests prove that every declared keyspace fits; a builder that does not is cut, never out of bounds.
    fn push(&mut self, bytes: &[u8]) {
        let end = (self.len + bytes.len()).min(MAX_PACKED_BYTES);
        debug_assert_eq!(end, self.len + bytes.len(), "packed keys fit");
        self.bytes[self.len..end].copy_from_slice(&bytes[..end - self.len]);
        self.len = end;
    }

    fn push_sized(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() < usize::from(u8::MAX));
        self.push(&[u8::try_from(bytes.len()).unwrap_or(u8::MAX)]);
        self.push(bytes);
    }
}

fn write_tenant(out: &mut String, tenant: &TenantId, slot: Slot) {
    // A tenant is a DNS label: nothing in it needs escaping.
    match slot {
        Slot::ByKey => out.push_str(tenant.as_str()),
        Slot::ByTenant => {
            out.push('{');
            out.push_str(tenant.as_str());
            out.push('}');
        }
    }
}

fn write_part(out: &mut String, part: &Part<'_>) {
    // Writing to a String cannot fail.
    let _ = match part {
        Part::Id(id) => write!(out, "{}", id.as_hyphenated()),
        Part::Number(number) => write!(out, "{number}"),
        Part::Hash(hash) => write!(out, "{hash}"),
        Part::Text(text) if text.len() > MAX_TEXT_BYTES => write!(out, "~{}", ContentHash::of_bytes(text.as_bytes())),
        Part::Text(text) => {
            escape(out, text);
            Ok(())
        }
    };
}

/// Letters, digits, `.`, `_` and `-` stand for themselves; every other byte becomes `%` and two hex digits. So `:` `{` `}`
/// `*` `?` `[` and white space in a value can neither end a segment nor widen a pattern, and `~` marks only hashes.
fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether `text` is a key of `keyspace`.
pub fn belongs_to(keyspace: &'static Keyspace, text: &str) -> bool {
    read(keyspace, text).is_some()
}

/// The pattern that matches every key of `keyspace` and, inside one store, no key of another; for access rules.
pub fn pattern(keyspace: &Keyspace) -> String {
    pattern_with(keyspace, None)
}

fn pattern_with(keyspace: &Keyspace, tenant: Option<&TenantId>) -> String {
    let mut out = String::new();
    // The tenant is the first dimension.
    let mut tenant = tenant;
    for segment in keyspace.template.split(':') {
        if !out.is_empty() {
            out.push(':');
        }
        let Some((literal, _)) = segment.split_once('{') else {
            out.push_str(segment);
            continue;
        };
        out.push_str(literal);
        match tenant.take() {
            Some(tenant) => write_tenant(&mut out, tenant, keyspace.slot),
            None => out.push('*'),
        }
    }
    out
}
