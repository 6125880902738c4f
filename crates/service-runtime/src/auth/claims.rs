//! The claims of our tokens (RFC 7519 with `tenant` and `roles`).

use kernel::TenantId;
use serde::{Deserialize, Serialize};

use super::Roles;

/// The audience every token must name.
pub const AUDIENCE: &str = "quoin";

/// What we write into a token.
#[derive(Debug, Serialize)]
pub(super) struct IssuedClaims<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: &'a str,
    pub(super) sub: &'a str,
    pub(super) tenant: &'a TenantId,
    pub(super) roles: Roles,
    /// Seconds since 1970.
    pub(super) exp: i64,
    /// Seconds since 1970.
    pub(super) iat: i64,
    pub(super) jti: String,
}

/// What we read from a token whose signature, issuer and audience were checked. A missing claim is a refusal.
#[derive(Debug, Deserialize)]
pub(super) struct ReadClaims {
    pub(super) sub: String,
    pub(super) tenant: TenantId,
    #[serde(default)]
    pub(super) roles: Roles,
    pub(super) exp: i64,
    /// The client program the token was given to (RFC 9068); some issuers write `azp` instead.
    #[serde(default, alias = "azp")]
    pub(super) client_id: Option<String>,
    #[serde(default)]
    pub(super) nbf: Option<i64>,
    #[serde(default)]
    pub(super) iat: Option<i64>,
}
