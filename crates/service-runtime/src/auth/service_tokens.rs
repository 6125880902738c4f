//! The identity a service has when it acts on its own: a `system` token per tenant.

use std::{collections::HashMap, sync::Arc, sync::Mutex, sync::PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{SharedClock, TenantId};

use super::{BearerToken, Caller, DevIssuer, IssuerError, Role, Roles};
use crate::context;

/// How long such a token is valid.
const TTL: TimeDelta = TimeDelta::minutes(10);

/// A token with less than this left is not used any more.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(2);

/// Most tenants remembered; above it all are forgotten and issued again.
const MAX_TENANTS: usize = 10_000;

/// Issues and keeps the tokens of one service (role `system`, subject `service:<name>`).
#[derive(Clone)]
pub struct ServiceTokens(Arc<Inner>);

struct Inner {
    issuer: Arc<DevIssuer>,
    subject: Arc<str>,
    clock: SharedClock,
    by_tenant: Mutex<HashMap<TenantId, (BearerToken, DateTime<Utc>)>>,
}

impl ServiceTokens {
    /// The tokens of `service`.
    pub fn new(issuer: Arc<DevIssuer>, service: &str, clock: SharedClock) -> Self {
        let subject = format!("service:{service}").into();
        Self(Arc::new(Inner { issuer, subject, clock, by_tenant: Mutex::default() }))
    }

    /// A token that is valid for minutes to come.
    pub fn token(&self, tenant: &TenantId) -> Result<BearerToken, IssuerError> {
        let now = self.0.clock.now();
        let mut by_tenant = self.0.by_tenant.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, expires_at)) = by_tenant.get(tenant)
            && now + RENEW_BEFORE < *expires_at
        {
            return Ok(token.clone());
        }
        let token = self.0.issuer.issue(tenant, &self.0.subject, Roles::from(Role::System), TTL)?;
        if by_tenant.len() >= MAX_TENANTS {
            by_tenant.clear();
        }
        by_tenant.insert(tenant.clone(), (token.clone(), now + TTL));
        Ok(token)
    }

    /// The service as a caller in `tenant`, for commands that workers run. Without a correlation id a new one is made.
    pub fn caller(&self, tenant: &TenantId, correlation_id: Option<String>) -> Result<Caller, IssuerError> {
        Ok(Caller {
            tenant: tenant.clone(),
            subject: Arc::clone(&self.0.subject),
            roles: Roles::from(Role::System),
            correlation_id: correlation_id.unwrap_or_else(context::new_correlation_id),
            token: self.token(tenant)?,
        })
    }
}
