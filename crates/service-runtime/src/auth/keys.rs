//! The public keys we trust, and for which issuer each may speak.

use std::{collections::HashMap, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};

use super::AUDIENCE;

/// An issuer and the keys that may sign in its name.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// The `iss` claim.
    pub name: String,
    /// Its keys.
    pub jwks: JwkSet,
}

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Every key needs an id: tokens name it.
    #[error("a key of {issuer} has no kid")]
    NoKeyId {
        /// The issuer.
        issuer: String,
    },
    /// The key's parameters make no key.
    #[error("key {kid} of {issuer} is malformed")]
    Malformed {
        /// The issuer.
        issuer: String,
        /// The key's id.
        kid: String,
        /// What is wrong.
        source: jsonwebtoken::errors::Error,
    },
}

/// One key, the algorithm it is pinned to, and the claims its tokens must have.
pub(super) struct TrustedKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    pub(super) validation: Validation,
}

/// Keys by id. Two issuers may use the same id.
#[derive(Default)]
pub(super) struct KeySet {
    by_id: HashMap<String, Vec<Arc<TrustedKey>>>,
}

impl KeySet {
    pub(super) fn new(issuers: &[TrustedIssuer]) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for issuer in issuers {
            for jwk in &issuer.jwks.keys {
                keys.add(&issuer.name, jwk)?;
            }
        }
        Ok(keys)
    }

    fn add(&mut self, issuer: &str, jwk: &Jwk) -> Result<(), KeyError> {
        let Some(algorithm) = pinned_algorithm(jwk) else { return Ok(()) };
        let kid = jwk.common.key_id.clone().ok_or_else(|| KeyError::NoKeyId { issuer: issuer.to_owned() })?;
        let key = DecodingKey::from_jwk(jwk).map_err(|source| KeyError::Malformed {
            issuer: issuer.to_owned(),
            kid: kid.clone(),
            source,
        })?;
        let trusted = TrustedKey { algorithm, key, validation: validation(issuer, algorithm) };
        self.by_id.entry(kid).or_default().push(Arc::new(trusted));
        Ok(())
    }

    pub(super) fn with_id(&self, kid: &str) -> &[Arc<TrustedKey>] {
        self.by_id.get(kid).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// The one algorithm a key is used with; `None` for keys of other purposes and for symmetric keys, which are never trusted.
fn pinned_algorithm(jwk: &Jwk) -> Option<Algorithm> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Some(Algorithm::EdDSA),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS256),
        _ => None,
    }
}

/// Times are checked against our own clock, not the library's.
fn validation(issuer: &str, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}
