//! A service under test: its router on a real socket with everything around it, and clients with tokens.
//!
//! Only for tests. Must never be switched on in a product build: it holds an issuer anybody can use.

mod client;

use std::sync::Arc;

use axum::Router;
use cache_ports::Caches;
use chrono::TimeDelta;
use kernel::{SharedClock, SystemClock, TenantId};
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    CursorSigner, HttpConfig, Limits, OutboxHint, Role, ServiceParts, ServiceState, Settings,
    auth::{BearerToken, DEV_ISSUER, DevIssuer, ServiceTokens, TokenVerifier, TrustedIssuer},
    server,
};

pub use client::{TestClient, TestReply, TestRequest};

/// How long tokens made for tests are valid.
const TOKEN_TTL: TimeDelta = TimeDelta::minutes(30);

/// An issuer and the verifier that trusts it.
#[derive(Clone)]
pub struct TestIdentity {
    /// Signs tokens.
    pub issuer: Arc<DevIssuer>,
    /// Believes them.
    pub verifier: Arc<TokenVerifier>,
    /// The clock both go by.
    pub clock: SharedClock,
}

impl TestIdentity {
    /// A new key; time as on this machine.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// A new key; time as `clock` says.
    pub fn with_clock(clock: SharedClock) -> Self {
        let issuer = DevIssuer::generate(DEV_ISSUER, clock.clone()).expect("a key can be made");
        let trusted = TrustedIssuer { name: DEV_ISSUER.to_owned(), jwks: issuer.jwks().clone() };
        let verifier = TokenVerifier::new(&[trusted], clock.clone()).expect("our own key is well formed");
        Self { issuer: Arc::new(issuer), verifier: Arc::new(verifier), clock }
    }

    /// A token for `subject`.
    pub fn token(&self, tenant: &TenantId, subject: &str, roles: &[Role]) -> BearerToken {
        let roles = roles.iter().copied().collect();
        self.issuer.issue(tenant, subject, roles, TOKEN_TTL).expect("our own key signs")
    }

    /// The state of a service without rate limits. `pool` connects as `<service>_serve`.
    pub fn service_state(&self, service: &'static str, pool: PgPool, caches: Caches) -> ServiceState {
        ServiceState::new(self.service_parts(service, pool, caches))
    }

    /// The parts of that state, to be changed by the test.
    pub fn service_parts(&self, service: &'static str, pool: PgPool, caches: Caches) -> ServiceParts {
        ServiceParts {
            service,
            pool,
            caches,
            clock: self.clock.clone(),
            hints: OutboxHint::default(),
            cursors: CursorSigner::new(&SecretString::from("a secret for tests")),
            verifier: Arc::clone(&self.verifier),
            keys: None,
            tokens: ServiceTokens::new(Arc::clone(&self.issuer), service, self.clock.clone()),
            limits: Limits::off(),
        }
    }
}

impl Default for TestIdentity {
    fn default() -> Self {
        Self::new()
    }
}

/// A router that answers on a real socket until it is dropped.
pub struct TestService {
    base_url: String,
    identity: TestIdentity,
    http: reqwest::Client,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl TestService {
    /// Serves `router` on a free port with the default configuration.
    pub async fn start(router: Router, identity: &TestIdentity) -> Self {
        let config =
            Settings::load(&[], None).and_then(|settings| settings.runtime()).expect("the defaults are complete");
        Self::start_with(router, identity, &config.http).await
    }

    /// Serves `router` on a free port.
    pub async fn start_with(router: Router, identity: &TestIdentity, config: &HttpConfig) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let base_url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let stop = CancellationToken::new();
        let (config, told) = (config.clone(), stop.clone());
        let serving = tokio::spawn(async move {
            server::serve(listener, router, &config, told).await.expect("the listener works");
        });
        Self { base_url, identity: identity.clone(), http: reqwest::Client::new(), stop, serving }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A client of `subject` in `tenant` with `roles`.
    pub fn client(&self, tenant: &TenantId, subject: &str, roles: &[Role]) -> TestClient {
        self.client_with_token(Some(self.identity.token(tenant, subject, roles).expose().to_owned()))
    }

    /// A client with any token, or none.
    pub fn client_with_token(&self, token: Option<String>) -> TestClient {
        TestClient::new(self.http.clone(), self.base_url.clone(), token)
    }

    /// Stops as a signal would, and waits for the end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.serving).await;
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
