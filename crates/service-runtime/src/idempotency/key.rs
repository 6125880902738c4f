//! The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a structured string or a bare token.

use axum::extract::FromRequestParts;
use http::{HeaderMap, StatusCode, request::Parts};
use kernel::ContentHash;

use crate::Problem;

/// The header's name.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

/// Longest accepted key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// A client's name for one command. Only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key from text, for calls to other services.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let printable = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        ((1..=MAX_KEY_BYTES).contains(&text.len()) && printable && !text.contains(['"', '\\'])).then_some(Self(text))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> ContentHash {
        ContentHash::of_bytes(self.0.as_bytes())
    }
}

/// The key of a command that may come without.
#[derive(Debug, Clone)]
pub struct OptionalIdempotencyKey(pub Option<IdempotencyKey>);

/// The key of a command that must have one: 400 without it.
#[derive(Debug, Clone)]
pub struct RequiredIdempotencyKey(pub IdempotencyKey);

impl<S: Sync> FromRequestParts<S> for OptionalIdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_of(&parts.headers).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for RequiredIdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_of(&parts.headers)?.map(Self).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "idempotency-key-required", "This command needs an Idempotency-Key")
        })
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().map(unquoted).and_then(IdempotencyKey::new).filter(|_| values.next().is_none());
    key.map(Some).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-idempotency-key",
            "An Idempotency-Key is one string of 1 to 255 printable characters",
        )
    })
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parsed(values: &[&str]) -> Result<Option<IdempotencyKey>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY_HEADER, HeaderValue::from_str(value).unwrap());
        }
        key_of(&headers)
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same_key() {
        assert_eq!(parsed(&["\"a-1\""]).unwrap(), parsed(&["a-1"]).unwrap());
        assert!(parsed(&[]).unwrap().is_none());
    }

    #[test]
    fn odd_keys_are_refused() {
        for bad in [&[""][..], &["\"\""], &["a\"b"], &["a", "a"], &[&"x".repeat(256)]] {
            assert_eq!(parsed(bad).unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad:?}");
        }
    }
}
