//! Where the trusted keys come from, and keeping them fresh while the process runs.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use super::{TokenVerifier, TrustedIssuer};

/// How long an identity provider may take to answer with its keys.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Shortest time between two looks for keys caused by unknown key ids: strangers can send those at will.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(10);

/// Largest key set read.
const MAX_JWKS_BYTES: usize = 256 * 1024;

/// Where an issuer's keys are.
#[derive(Debug, Clone)]
pub enum JwksSource {
    /// Known from the start, for an issuer in this process.
    Fixed(JwkSet),
    /// In a file.
    File(PathBuf),
    /// Behind a URL of the identity provider.
    Url(String),
}

/// Reads the issuers' keys again: on a timer, and when a token names a key nobody knows yet.
pub struct KeyRefresher {
    sources: Vec<(String, JwksSource)>,
    verifier: Arc<TokenVerifier>,
    http: reqwest::Client,
    /// Only one look at a time; holds the keys read last, so that one issuer's outage does not cost the others' keys.
    last: AsyncMutex<Vec<Option<JwkSet>>>,
    last_unknown: Mutex<Option<Instant>>,
}

impl KeyRefresher {
    /// A refresher for issuers by name.
    pub fn new(sources: Vec<(String, JwksSource)>, verifier: Arc<TokenVerifier>, http: reqwest::Client) -> Self {
        let last = AsyncMutex::new(vec![None; sources.len()]);
        Self { sources, verifier, http, last, last_unknown: Mutex::new(None) }
    }

    /// Reads all keys now. An issuer whose keys cannot be read keeps those it had.
    pub async fn refresh(&self) {
        let mut last = self.last.lock().await;
        for ((name, source), known) in self.sources.iter().zip(last.iter_mut()) {
            match self.read(source).await {
                Ok(jwks) => *known = Some(jwks),
                Err(error) => {
                    metrics::counter!("auth_jwks_refresh_failures_total").increment(1);
                    tracing::warn!(issuer = name, %error, "the issuer's keys cannot be read; those known before stay");
                }
            }
        }
        let issuers: Vec<_> = self
            .sources
            .iter()
            .zip(last.iter())
            .filter_map(|((name, _), jwks)| Some(TrustedIssuer { name: name.clone(), jwks: jwks.clone()? }))
            .collect();
        if let Err(error) = self.verifier.replace_keys(&issuers) {
            tracing::error!(%error, "new keys refused; those known before stay");
        }
    }

    /// Reads all keys because a token named an unknown one; at most every ten seconds. Says whether it looked.
    pub async fn refresh_for_unknown_key(&self) -> bool {
        if self.sources.iter().all(|(_, source)| matches!(source, JwksSource::Fixed(_))) {
            return false;
        }
        {
            let mut last = self.last_unknown.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < UNKNOWN_KEY_PAUSE) {
                return false;
            }
            *last = Some(Instant::now());
        }
        self.refresh().await;
        true
    }

    /// Refreshes every `period` until stopped.
    pub async fn run(&self, period: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(period)).await.is_some() {
            self.refresh().await;
        }
    }

    async fn read(&self, source: &JwksSource) -> Result<JwkSet, Box<dyn std::error::Error + Send + Sync>> {
        match source {
            JwksSource::Fixed(jwks) => Ok(jwks.clone()),
            JwksSource::File(path) => Ok(serde_json::from_slice(&tokio::fs::read(path).await?)?),
            JwksSource::Url(url) => {
                let mut response = self.http.get(url).timeout(FETCH_TIMEOUT).send().await?.error_for_status()?;
                let mut body = Vec::new();
                while let Some(chunk) = response.chunk().await? {
                    body.extend_from_slice(&chunk);
                    if body.len() > MAX_JWKS_BYTES {
                        return Err("the key set is too large".into());
                    }
                }
                Ok(serde_json::from_slice(&body)?)
            }
        }
    }
}
