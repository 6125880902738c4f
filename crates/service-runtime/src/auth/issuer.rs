//! An issuer of tokens for development, tests, and the services' calls to each other.
//!
//! Owns one Ed25519 key. In production people get their tokens from an identity provider; this one only speaks for services.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{Json, Router, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::JwkSet};
use kernel::{ContentHash, SharedClock, TenantId};
use serde_json::json;
use uuid::Uuid;

use super::{AUDIENCE, BearerToken, Roles, claims::IssuedClaims};

/// The issuer name of tokens made here, unless configured otherwise.
pub const DEV_ISSUER: &str = "https://quoin.dev/dev-issuer";

/// Why there is no issuer.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The key file cannot be read or written.
    #[error("the issuer's key file {path} cannot be used")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The key is not an Ed25519 key in PKCS#8.
    #[error("the issuer's key is not an Ed25519 key in PKCS#8 form")]
    BadKey,
    /// The token cannot be signed.
    #[error("the token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Signs tokens with one Ed25519 key.
pub struct DevIssuer {
    name: String,
    key: EncodingKey,
    header: Header,
    jwks: JwkSet,
    clock: SharedClock,
}

impl DevIssuer {
    /// An issuer with a new key that lives as long as the process.
    pub fn generate(name: &str, clock: SharedClock) -> Result<Self, IssuerError> {
        Self::with_key(name, &new_key()?, clock)
    }

    /// An issuer with the key in `path`; a missing file is made, readable by its owner only.
    pub fn from_file(name: &str, path: &Path, clock: SharedClock) -> Result<Self, IssuerError> {
        let failed = |source| IssuerError::KeyFile { path: path.to_owned(), source };
        let key = match fs::read(path) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = new_key()?;
                write_secret(path, &key).map_err(failed)?;
                // Another process may have been first: what the file holds now is what counts.
                fs::read(path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        Self::with_key(name, &key, clock)
    }

    fn with_key(name: &str, pkcs8: &[u8], clock: SharedClock) -> Result<Self, IssuerError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| IssuerError::BadKey)?;
        let public = pair.public_key().as_ref();
        let kid = ContentHash::of_bytes(public).to_string()[..16].to_owned();
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": kid, "x": BASE64_URL_SAFE_NO_PAD.encode(public),
        });
        let jwks = serde_json::from_value(json!({ "keys": [jwk] })).map_err(|_| IssuerError::BadKey)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid);
        Ok(Self { name: name.to_owned(), key: EncodingKey::from_ed_der(pkcs8), header, jwks, clock })
    }

    /// A token for `subject` in `tenant`, valid for `ttl` from now.
    pub fn issue(
        &self,
        tenant: &TenantId,
        subject: &str,
        roles: Roles,
        ttl: TimeDelta,
    ) -> Result<BearerToken, IssuerError> {
        let now = self.clock.now();
        let claims = IssuedClaims {
            iss: &self.name,
            aud: AUDIENCE,
            sub: subject,
            tenant,
            roles,
            exp: (now + ttl).timestamp(),
            iat: now.timestamp(),
            jti: Uuid::now_v7().to_string(),
        };
        Ok(BearerToken::new(jsonwebtoken::encode(&self.header, &claims, &self.key)?))
    }

    /// The `iss` claim of tokens made here.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key, for verifiers.
    pub fn jwks(&self) -> &JwkSet {
        &self.jwks
    }
}

/// `GET /.well-known/jwks.json`: the keys tokens can be checked with.
pub fn jwks_router(issuer: &DevIssuer) -> Router {
    let jwks = Json(issuer.jwks().clone());
    Router::new().route("/.well-known/jwks.json", get(move || std::future::ready(jwks.clone())))
}

fn new_key() -> Result<Vec<u8>, IssuerError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| IssuerError::BadKey)?;
    let pkcs8 = pair.to_pkcs8().map_err(|_| IssuerError::BadKey)?;
    Ok(pkcs8.as_ref().to_vec())
}

/// Puts a complete file at `path` unless there is one: whoever finds it never reads half a key.
fn write_secret(path: &Path, secret: &[u8]) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(Uuid::now_v7().simple().to_string());
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?.write_all(secret)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
