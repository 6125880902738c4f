//! Who is asking: bearer tokens, the keys that vouch for them, the caller a handler sees.
//!
//! Owns identity. The tenant comes from a verified token and from nowhere else. Must never know what a role may do:
//! the services say that at each command.

mod bearer;
mod caller;
mod claims;
mod identity;
mod issuer;
mod keys;
mod refresh;
mod role;
mod service_tokens;
mod verifier;

pub use bearer::BearerToken;
pub use caller::Caller;
pub use claims::AUDIENCE;
pub use identity::{AuthConfig, Identity, IdentityError};
pub use issuer::{DEV_ISSUER, DevIssuer, IssuerError, jwks_router};
pub use keys::{KeyError, TrustedIssuer};
pub use refresh::{JwksSource, KeyRefresher};
pub use role::{Role, Roles, UnknownRole};
pub use service_tokens::ServiceTokens;
pub use verifier::{TokenRejected, TokenVerifier, VerifiedToken};
