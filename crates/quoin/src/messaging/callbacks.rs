//! `quoin webhooks list`, `quoin webhooks resume`: what operators do about integrators' callbacks, over all tenants.

use std::fmt;

use anyhow::Context;
use kernel::TenantId;
use serde::Serialize;
use service_runtime::TenantTx;
use uuid::Uuid;
use webhooks::{
    commands::{self, Target},
    model::{State, Subscription},
    store::subscriptions,
};

use crate::{app::Parts, config::Duty, services::Service};

/// Callbacks of some services.
#[derive(Debug, Serialize)]
pub struct CallbackSummary {
    /// One row a subscription.
    pub subscriptions: Vec<Callback>,
}

/// One callback.
#[derive(Debug, Serialize)]
pub struct Callback {
    /// The service it listens to.
    pub service: &'static str,
    /// Whose it is.
    pub tenant: String,
    /// What the tenant sees of it.
    #[serde(flatten)]
    pub subscription: Subscription,
}

impl CallbackSummary {
    /// Whether everybody is being served.
    pub fn holds(&self) -> bool {
        self.subscriptions.iter().all(|callback| callback.subscription.state == State::Active)
    }
}

/// Lists the callbacks.
pub async fn callbacks(parts: &Parts, services: &[Service]) -> anyhow::Result<CallbackSummary> {
    let mut found = Vec::new();
    for service in services {
        let mut conn = parts.pool(*service, Duty::Work)?.acquire().await?;
        let all = subscriptions::of_all_tenants(&mut conn, service.name()).await;
        let all = all.with_context(|| format!("the callbacks of {service} cannot be read"))?;
        found.extend(all.into_iter().map(|(tenant, subscription)| Callback {
            service: service.name(),
            tenant,
            subscription,
        }));
    }
    Ok(CallbackSummary { subscriptions: found })
}

/// Resumes one, as its tenant could.
pub async fn resume(
    parts: &Parts,
    service: Service,
    tenant: &TenantId,
    id: Uuid,
    from: Option<i64>,
) -> anyhow::Result<CallbackSummary> {
    let mut tx = TenantTx::begin(&parts.pool(service, Duty::Work)?, tenant).await?;
    let found = subscriptions::by_id(&mut tx, service.name(), tenant, id).await?;
    let expected = found.with_context(|| format!("{tenant} has no such callback at {service}"))?.version;
    let subscription = commands::resume(&mut tx, service.name(), tenant, Target { id, expected }, from).await?;
    tx.commit().await?;
    let callback = Callback { service: service.name(), tenant: tenant.to_string(), subscription };
    Ok(CallbackSummary { subscriptions: vec![callback] })
}

impl fmt::Display for CallbackSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Callback { service, tenant, subscription } in &self.subscriptions {
            let Subscription { id, callback, next_sequence, .. } = subscription;
            let state = match (subscription.suspended_at, subscription.suspended_because) {
                (Some(since), Some(because)) => format!("suspended since {since}: {}", because.word()),
                _ => "active".to_owned(),
            };
            writeln!(f, "{service:<10} {tenant:<16} {id}  at {next_sequence}, {state}\n{:<28}{callback}", "")?;
        }
        writeln!(f, "{} callbacks", self.subscriptions.len())
    }
}
