//! What every handler of every service needs. Cloning is one reference count.

use std::{ops::Deref, sync::Arc};

use cache_ports::Caches;
use kernel::SharedClock;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::{
    CursorSigner,
    auth::{KeyRefresher, ServiceTokens, TokenVerifier},
    idempotency::Records,
    limits::Limits,
};

/// Wakes the relay in this process after a commit, so that events leave in milliseconds; the relay also looks by itself.
#[derive(Debug, Clone, Default)]
pub struct OutboxHint(pub Arc<Notify>);

impl OutboxHint {
    /// There may be new events.
    pub fn notify(&self) {
        self.0.notify_one();
    }
}

/// The parts of a [`ServiceState`].
pub struct ServiceParts {
    /// The service's name, which is also its schema.
    pub service: &'static str,
    /// Connections as `<service>_serve`.
    pub pool: PgPool,
    /// The cache ports.
    pub caches: Caches,
    /// The wall clock.
    pub clock: SharedClock,
    /// Wakes the relay.
    pub hints: OutboxHint,
    /// Signs list positions.
    pub cursors: CursorSigner,
    /// Checks tokens.
    pub verifier: Arc<TokenVerifier>,
    /// Looks for new keys when a token names an unknown one; `None` when all keys are in this process.
    pub keys: Option<Arc<KeyRefresher>>,
    /// The service's own identity.
    pub tokens: ServiceTokens,
    /// Rate limits.
    pub limits: Limits,
}

/// Shared by all requests of one service. A service's own state embeds it and derives `FromRef`.
#[derive(Clone)]
pub struct ServiceState(Arc<(ServiceParts, Records)>);

impl ServiceState {
    /// Puts the parts together.
    pub fn new(parts: ServiceParts) -> Self {
        let records = Records::of(parts.service);
        Self(Arc::new((parts, records)))
    }

    pub(crate) fn records(&self) -> &Records {
        &self.0.1
    }
}

impl Deref for ServiceState {
    type Target = ServiceParts;

    fn deref(&self) -> &ServiceParts {
        &self.0.0
    }
}
