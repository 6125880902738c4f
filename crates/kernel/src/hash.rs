//! Content hashes others can recompute: SHA-256 over canonical JSON (RFC 8785).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// A SHA-256 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct ContentHash([u8; 32]);

/// The text is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a content hash has 64 hexadecimal digits in lower case")]
pub struct InvalidHash;

/// The value has no canonical JSON form.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form")]
pub struct NotCanonical(#[from] serde_json::Error);

impl ContentHash {
    /// The hash of raw bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of a value's canonical JSON: field order and white space do not matter.
    pub fn of_json<T: Serialize>(value: &T) -> Result<Self, NotCanonical> {
        Ok(Self::of_bytes(&serde_json_canonicalizer::to_vec(value)?))
    }

    /// The raw digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for ContentHash {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for ContentHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let mut digest = [0; 32];
        // One digest, one text: what is compared as text somewhere must not differ by case.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidHash);
        }
        hex::decode_to_slice(text, &mut digest).map_err(|_| InvalidHash)?;
        Ok(Self(digest))
    }
}

impl TryFrom<String> for ContentHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_order_and_white_space_do_not_matter() {
        let one: serde_json::Value = serde_json::from_str(r#"{"b":1, "a":"x"}"#).unwrap();
        let two: serde_json::Value = serde_json::from_str(r#"{"a":"x","b":1}"#).unwrap();
        assert_eq!(ContentHash::of_json(&one).unwrap(), ContentHash::of_json(&two).unwrap());
    }

    #[test]
    fn a_hash_has_one_text() {
        let text = ContentHash::of_bytes(b"x").to_string();
        assert!(text.parse::<ContentHash>().is_ok());
        for bad in [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), text.replacen('2', "g", 1)] {
            assert_eq!(bad.parse::<ContentHash>(), Err(InvalidHash), "{bad}");
        }
    }

    #[test]
    fn the_digest_is_sha256_of_the_canonical_text() {
        // printf '{"a":"x"}' | sha256sum
        let hash = ContentHash::of_json(&serde_json::json!({"a": "x"})).unwrap();
        assert_eq!(hash, ContentHash::of_bytes(br#"{"a":"x"}"#));
        assert_eq!(hash.to_string().parse::<ContentHash>().unwrap(), hash);
    }
}
