//! Checks bearer tokens: pinned issuer, audience and algorithm per key, our own clock, nothing else a token says about itself.
//!
//! A token that passed is kept until it expires or the keys change, so that the next request costs a lookup instead of
//! a signature check. The lookup compares the whole token.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use jsonwebtoken::{Header, decode, decode_header};
use kernel::{ContentHash, SharedClock, TenantId};
use quick_cache::{Weighter, sync::Cache};

use super::{
    BearerToken, Roles, TrustedIssuer,
    claims::ReadClaims,
    keys::{KeyError, KeySet},
};
use crate::limits::Prepaid;

/// Longest token looked at.
const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// Bytes of verified tokens kept; at about 700 bytes a token this is 6,000 sessions.
const VERIFIED_CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// What one kept token costs beside its text.
const VERIFIED_OVERHEAD_BYTES: u64 = 256;

/// How far clocks may differ.
const LEEWAY_SECS: i64 = 30;

/// Why a token was not believed. For logs and metrics; the client only learns that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejected {
    /// Not a signed token at all, or too long.
    #[error("not a token")]
    Malformed,
    /// The header names a key, a certificate or an extension of its own.
    #[error("a token header we do not accept")]
    ForbiddenHeader,
    /// No key with this id, for this algorithm.
    #[error("signed by a key we do not trust")]
    UnknownKey,
    /// Wrong signature, issuer, audience, or a claim is missing.
    #[error("signature or claims do not hold")]
    Invalid,
    /// Too late.
    #[error("expired")]
    Expired,
    /// Too early.
    #[error("not valid yet")]
    NotYetValid,
}

impl TokenRejected {
    /// A word for metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ForbiddenHeader => "forbidden_header",
            Self::UnknownKey => "unknown_key",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
        }
    }
}

/// What a believed token says.
#[derive(Debug)]
pub struct VerifiedToken {
    /// The tenant its bearer acts in.
    pub tenant: TenantId,
    /// Who the bearer is.
    pub subject: Arc<str>,
    /// The bearer's name in rate limits and logs: a hash.
    pub subject_hash: String,
    /// The bearer's client program, likewise a hash; where the issuer names none, each subject is a client of its own.
    pub client_hash: String,
    /// What the bearer is.
    pub roles: Roles,
    /// The token, to be passed on.
    pub token: BearerToken,
    pub(crate) prepaid_reads: Prepaid,
    pub(crate) prepaid_writes: Prepaid,
    expires_at_secs: i64,
    generation: u64,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Arc<str>, Arc<VerifiedToken>> for ByBytes {
    fn weight(&self, token: &Arc<str>, _: &Arc<VerifiedToken>) -> u64 {
        token.len() as u64 + VERIFIED_OVERHEAD_BYTES
    }
}

/// Turns tokens into identities.
pub struct TokenVerifier {
    keys: RwLock<Arc<KeySet>>,
    /// Counts changes of the keys: a token verified under older keys is checked again.
    generation: AtomicU64,
    verified: Cache<Arc<str>, Arc<VerifiedToken>, ByBytes>,
    clock: SharedClock,
}

impl TokenVerifier {
    /// A verifier that trusts `issuers`.
    pub fn new(issuers: &[TrustedIssuer], clock: SharedClock) -> Result<Self, KeyError> {
        Ok(Self {
            keys: RwLock::new(Arc::new(KeySet::new(issuers)?)),
            generation: AtomicU64::new(0),
            verified: Cache::with_weighter(8_192, VERIFIED_CACHE_BYTES, ByBytes),
            clock,
        })
    }

    /// Trusts `issuers` from now on and nobody else.
    pub fn replace_keys(&self, issuers: &[TrustedIssuer]) -> Result<(), KeyError> {
        let keys = Arc::new(KeySet::new(issuers)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.generation.fetch_add(1, Ordering::Release);
        self.verified.clear();
        Ok(())
    }

    /// Whether no key is known yet.
    pub fn has_no_keys(&self) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The identity behind `token`.
    pub fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, TokenRejected> {
        let now_secs = self.clock.now().timestamp();
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(known) = self.verified.get(token).filter(|known| known.generation == generation) {
            return if now_secs < known.expires_at_secs { Ok(known) } else { Err(TokenRejected::Expired) };
        }
        let verified = Arc::new(self.check(token, now_secs, generation)?);
        self.verified.insert(verified.token.shared(), Arc::clone(&verified));
        Ok(verified)
    }

    fn check(&self, token: &str, now_secs: i64, generation: u64) -> Result<VerifiedToken, TokenRejected> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRejected::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenRejected::Malformed)?;
        if names_its_own_key(&header) {
            return Err(TokenRejected::ForbiddenHeader);
        }
        let claims = self.claims(token, &header)?;
        check_times(&claims, now_secs)?;
        Ok(VerifiedToken {
            tenant: claims.tenant,
            subject_hash: short_hash(&claims.sub),
            client_hash: short_hash(claims.client_id.as_deref().unwrap_or(&claims.sub)),
            subject: claims.sub.into(),
            roles: claims.roles,
            token: BearerToken::new(token),
            prepaid_reads: Prepaid::default(),
            prepaid_writes: Prepaid::default(),
            expires_at_secs: claims.exp.saturating_add(LEEWAY_SECS),
            generation,
        })
    }

    fn claims(&self, token: &str, header: &Header) -> Result<ReadClaims, TokenRejected> {
        let kid = header.kid.as_deref().ok_or(TokenRejected::UnknownKey)?;
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let mut candidates = keys.with_id(kid).iter().filter(|key| key.algorithm == header.alg).peekable();
        if candidates.peek().is_none() {
            return Err(TokenRejected::UnknownKey);
        }
        candidates
            .find_map(|trusted| decode::<ReadClaims>(token, &trusted.key, &trusted.validation).ok())
            .map(|decoded| decoded.claims)
            .filter(|claims| !claims.sub.is_empty())
            .ok_or(TokenRejected::Invalid)
    }
}

fn short_hash(name: &str) -> String {
    ContentHash::of_bytes(name.as_bytes()).to_string()[..16].to_owned()
}

/// A token must not bring, point to, or require anything: keys come from configuration only (RFC 8725 §3.10).
fn names_its_own_key(header: &Header) -> bool {
    header.jku.is_some()
        || header.jwk.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.crit.is_some()
        || header.zip.is_some()
        || header.enc.is_some()
        || header.cty.is_some()
        || header.typ.as_deref().is_some_and(|typ| !["jwt", "at+jwt"].contains(&typ.to_ascii_lowercase().as_str()))
}

fn check_times(claims: &ReadClaims, now_secs: i64) -> Result<(), TokenRejected> {
    if now_secs >= claims.exp.saturating_add(LEEWAY_SECS) {
        return Err(TokenRejected::Expired);
    }
    let latest_start = now_secs.saturating_add(LEEWAY_SECS);
    if [claims.nbf, claims.iat].into_iter().flatten().any(|start| start > latest_start) {
        return Err(TokenRejected::NotYetValid);
    }
    Ok(())
}
