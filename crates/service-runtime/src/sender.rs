//! Who sent a request: somebody's own program, or another service that works for him with his token.
//!
//! Owns the name that services go by. Anybody may claim it: it is for counting, and must never decide what somebody may do.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{header, request::Parts};

/// What a service calls itself in `User-Agent`.
pub(crate) const SERVICE_AGENT: &str = concat!("quoin-service/", env!("CARGO_PKG_VERSION"));

/// The same in any version.
const ANY_SERVICE: &[u8] = b"quoin-service/";

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Another service of this installation.
    Service,
    /// Somebody's browser or program.
    Other,
}

impl<S: Sync> FromRequestParts<S> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let agent = parts.headers.get(header::USER_AGENT);
        let service = agent.is_some_and(|agent| agent.as_bytes().starts_with(ANY_SERVICE));
        Ok(if service { Self::Service } else { Self::Other })
    }
}
