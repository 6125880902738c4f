//! Issuer and verifier of one process, put together from its configuration.

use std::{path::PathBuf, sync::Arc, time::Duration};

use kernel::SharedClock;
use serde::Deserialize;

use super::{DevIssuer, IssuerError, JwksSource, KeyError, KeyRefresher, ServiceTokens, TokenVerifier, TrustedIssuer};

/// Whom a process believes, and with which key it speaks for itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The `iss` of tokens made by this installation's own issuer.
    pub issuer_name: String,
    /// Its Ed25519 key (PKCS#8), shared by all processes of the installation; made when missing. Empty: a key of this
    /// process only, which no other process believes.
    pub issuer_key_file: PathBuf,
    /// The `iss` of the identity provider people sign in with. Empty: none.
    pub external_issuer: String,
    /// Its keys: a URL or a file.
    pub external_jwks: String,
    /// How often keys are read again.
    pub refresh_secs: u64,
}

/// There is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The own issuer cannot be set up.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A configured key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Issuer, verifier and their refresher.
#[derive(Clone)]
pub struct Identity {
    /// Signs for services, and for developers where that is allowed.
    pub issuer: Arc<DevIssuer>,
    /// Checks every token.
    pub verifier: Arc<TokenVerifier>,
    /// Keeps the verifier's keys fresh: run [`KeyRefresher::run`] as a worker.
    pub refresher: Arc<KeyRefresher>,
    /// How often.
    pub refresh_period: Duration,
    clock: SharedClock,
}

impl Identity {
    /// Reads the own key and, where there is one, the identity provider's keys once. A provider that is away at that
    /// moment is asked again later.
    pub async fn from_config(config: &AuthConfig, clock: SharedClock) -> Result<Self, IdentityError> {
        let name = config.issuer_name.as_str();
        let issuer = if config.issuer_key_file.as_os_str().is_empty() {
            DevIssuer::generate(name, clock.clone())?
        } else {
            DevIssuer::from_file(name, &config.issuer_key_file, clock.clone())?
        };
        let own = TrustedIssuer { name: name.to_owned(), jwks: issuer.jwks().clone() };
        let mut sources = vec![(own.name.clone(), JwksSource::Fixed(own.jwks.clone()))];
        if !config.external_issuer.is_empty() {
            sources.push((config.external_issuer.clone(), source_of(&config.external_jwks)));
        }
        let verifier = Arc::new(TokenVerifier::new(&[own], clock.clone())?);
        let refresher = Arc::new(KeyRefresher::new(sources, Arc::clone(&verifier), reqwest::Client::new()));
        refresher.refresh().await;
        let refresh_period = Duration::from_secs(config.refresh_secs.max(1));
        Ok(Self { issuer: Arc::new(issuer), verifier, refresher, refresh_period, clock })
    }

    /// The tokens of `service`.
    pub fn tokens_of(&self, service: &str) -> ServiceTokens {
        ServiceTokens::new(Arc::clone(&self.issuer), service, self.clock.clone())
    }
}

fn source_of(place: &str) -> JwksSource {
    if place.starts_with("http://") || place.starts_with("https://") {
        JwksSource::Url(place.to_owned())
    } else {
        JwksSource::File(place.into())
    }
}
