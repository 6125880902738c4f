//! Keys read back: from the text in a store to the values it was built from.
//!
//! Owns the inverse of the builders. Must never guess: text that was too long to stand in the key is said to be hashed, and a
//! text that no builder writes is no key.

use kernel::{ContentHash, TenantId};
use uuid::Uuid;

use super::{Key, MAX_DIMENSIONS, MAX_TEXT_BYTES, Part, is_plain, pattern_with};
use crate::keyspace::{Dimension, DimensionKind, Keyspace, Slot};

/// What a key was built from.
#[derive(Debug, Clone)]
pub struct ReadKey {
    keyspace: &'static Keyspace,
    tenant: TenantId,
    values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Id(Uuid),
    Number(u64),
    Hash(ContentHash),
    Text(String),
}

/// What a text turned out to be.
#[derive(Debug, Clone)]
pub enum Reading {
    /// A key, with everything it was built from.
    Whole(ReadKey),
    /// A key in which the hash of this dimension's text stands for the text.
    Hashed {
        /// The dimension.
        dimension: &'static str,
    },
}

/// A key was asked for a dimension that its keyspace does not declare, or of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key has no such dimension: {0}")]
pub struct NoSuchDimension(pub &'static str);

/// Reads `text` as a key of `keyspace`; `None` when no builder of that keyspace writes it.
pub fn read(keyspace: &'static Keyspace, text: &str) -> Option<Reading> {
    let mut dimensions = keyspace.dimensions.iter();
    let mut segments = text.split(':');
    let (mut tenant, mut values, mut hashed) = (None, Vec::new(), None);
    for pattern in keyspace.template.split(':') {
        let segment = segments.next()?;
        let Some((literal, _)) = pattern.split_once('{') else {
            if pattern == segment {
                continue;
            }
            return None;
        };
        let (written, dimension) = (segment.strip_prefix(literal)?, dimensions.next()?);
        match value(dimension, keyspace.slot, written)? {
            Written::Tenant(of) => tenant = Some(of),
            Written::Value(value) => values.push(value),
            Written::Hash => hashed = hashed.or(Some(dimension.name)),
        }
    }
    if segments.next().is_some() {
        return None;
    }
    if let Some(dimension) = hashed {
        return Some(Reading::Hashed { dimension });
    }
    Some(Reading::Whole(ReadKey { keyspace, tenant: tenant?, values }))
}

enum Written {
    Tenant(TenantId),
    Value(Value),
    Hash,
}

fn value(dimension: &Dimension, slot: Slot, written: &str) -> Option<Written> {
    Some(match dimension.kind {
        DimensionKind::Tenant => Written::Tenant(match slot {
            Slot::ByKey => written.parse().ok()?,
            Slot::ByTenant => written.strip_prefix('{')?.strip_suffix('}')?.parse().ok()?,
        }),
        DimensionKind::Id => {
            let id = Uuid::try_parse(written).ok().filter(|id| id.as_hyphenated().to_string() == written)?;
            Written::Value(Value::Id(id))
        }
        DimensionKind::Number => {
            let number = written.parse::<u64>().ok().filter(|number| number.to_string() == written)?;
            Written::Value(Value::Number(number))
        }
        DimensionKind::Hash => Written::Value(Value::Hash(written.parse().ok()?)),
        DimensionKind::Text => match written.strip_prefix('~') {
            Some(hash) => hash.parse::<ContentHash>().ok().map(|_| Written::Hash)?,
            None => Written::Value(Value::Text(unescape(written)?)),
        },
    })
}

/// Only what [`super::escape`] writes: plain bytes stand for themselves, all others as `%` and two upper-case digits.
fn unescape(written: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        if is_plain(byte) {
            bytes.push(byte);
            continue;
        }
        let (high, low) = (rest.next()?, rest.next()?);
        let escaped = (byte == b'%').then_some(16 * digit(high)? + digit(low)?)?;
        bytes.push((!is_plain(escaped)).then_some(escaped)?);
    }
    String::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_TEXT_BYTES)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl ReadKey {
    /// The keyspace.
    pub const fn keyspace(&self) -> &'static Keyspace {
        self.keyspace
    }

    /// The tenant.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The id in a dimension.
    pub fn id<T: From<Uuid>>(&self, dimension: &'static str) -> Result<T, NoSuchDimension> {
        match self.value(dimension) {
            Some(Value::Id(id)) => Ok((*id).into()),
            _ => Err(NoSuchDimension(dimension)),
        }
    }

    /// The number in a dimension.
    pub fn number(&self, dimension: &'static str) -> Result<u64, NoSuchDimension> {
        match self.value(dimension) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(NoSuchDimension(dimension)),
        }
    }

    /// The hash in a dimension.
    pub fn hash(&self, dimension: &'static str) -> Result<ContentHash, NoSuchDimension> {
        match self.value(dimension) {
            Some(Value::Hash(hash)) => Ok(*hash),
            _ => Err(NoSuchDimension(dimension)),
        }
    }

    /// The text in a dimension.
    pub fn text(&self, dimension: &'static str) -> Result<&str, NoSuchDimension> {
        match self.value(dimension) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(NoSuchDimension(dimension)),
        }
    }

    /// The key again, as its builder made it.
    pub fn key(&self) -> Key<'_> {
        let mut parts = [Part::Number(0); MAX_DIMENSIONS];
        for (part, value) in parts.iter_mut().zip(&self.values) {
            *part = match value {
                Value::Id(id) => Part::Id(*id),
                Value::Number(number) => Part::Number(*number),
                Value::Hash(hash) => Part::Hash(*hash),
                Value::Text(text) => Part::Text(text),
            };
        }
        Key { keyspace: self.keyspace, tenant: &self.tenant, parts, len: self.values.len() }
    }

    fn value(&self, dimension: &str) -> Option<&Value> {
        let at = self.keyspace.dimensions[1..].iter().position(|declared| declared.name == dimension)?;
        self.values.get(at)
    }
}

/// Which keys are looked for: those of one keyspace, of one tenant or of all.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The keyspace.
    pub keyspace: &'static Keyspace,
    /// The tenant; `None` for all.
    pub tenant: Option<&'a TenantId>,
}

impl Scope<'_> {
    /// Matches every key in scope. It may match others too: whoever uses it asks [`Scope::covers`] as well.
    pub fn pattern(&self) -> String {
        pattern_with(self.keyspace, self.tenant)
    }

    /// Whether a key is in scope.
    pub fn covers(&self, text: &str) -> bool {
        match read(self.keyspace, text) {
            Some(Reading::Whole(key)) => self.tenant.is_none_or(|tenant| key.tenant() == tenant),
            // The tenant is never hashed: it is the second segment.
            Some(Reading::Hashed { .. }) => self.tenant.is_none_or(|tenant| {
                text.split(':').nth(1).is_some_and(|part| part.trim_matches(['{', '}']) == tenant.as_str())
            }),
            None => false,
        }
    }
}
