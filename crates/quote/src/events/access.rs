//! Facts about access, and the reaction that tells the cache about them.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{AccessCache, CacheUnavailable, UserKey};
use chrono::{DateTime, Utc};
use events::{
    Envelope, EventType, Guard, NewEvent, PublishedEvent, Reaction, ReactionError, RetryLater, UnwritablePayload,
};
use kernel::{ContentHash, TenantId, Version};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{TOPIC, id_within};
use crate::{
    commands::{Actor, SubjectAccess},
    model::AccessPolicy,
};

/// Another access policy is in force.
const ACCESS_POLICY_CHANGED: &str = "AccessPolicyChanged";
/// A subject may approve nothing any more.
const ACCESS_REVOKED: &str = "AccessRevoked";
/// A subject may approve again what it is granted.
const ACCESS_RESTORED: &str = "AccessRestored";

/// The payload of `AccessPolicyChanged`. The grants stay where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicyFact {
    /// The version in force.
    pub policy_version: Version,
    /// How many grants it has.
    pub grants: usize,
}

/// The payload of `AccessRevoked` and `AccessRestored`. It names nobody in the clear: what follows from it is done by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessFact {
    /// SHA-256 of tenant and subject.
    pub subject_hash: ContentHash,
    /// The policy in force at that moment.
    pub policy_version: Version,
}

const POLICY: EventType<AccessPolicyFact> = EventType::new(
    ACCESS_POLICY_CHANGED,
    "accessPolicy",
    Guard::StateCarrying,
    "Another version of the access policy is in force; the grants stay where they are.",
);
const REVOKED: EventType<AccessFact> =
    EventType::new(ACCESS_REVOKED, "accessSubject", Guard::StateCarrying, "A subject may approve nothing any more.");
const RESTORED: EventType<AccessFact> = EventType::new(
    ACCESS_RESTORED,
    "accessSubject",
    Guard::StateCarrying,
    "A subject may approve again what it is granted.",
);

/// Everything published about access.
pub(super) fn published_events() -> [PublishedEvent; 3] {
    [POLICY.published(), REVOKED.published(), RESTORED.published()]
}

/// The event of the version `policy` has.
pub fn access_policy_changed(
    actor: &Actor,
    policy: &AccessPolicy,
    at: DateTime<Utc>,
) -> Result<NewEvent, UnwritablePayload> {
    let version = policy.version;
    let fact = AccessPolicyFact { policy_version: version, grants: policy.roles.len() + policy.subjects.len() };
    let id = id_within(&actor.tenant, "accessPolicy");
    Ok(actor.sign(POLICY.fact(&actor.tenant, id, version, &fact, at)?))
}

/// The event of a revocation or a return.
pub fn access_changed(actor: &Actor, changed: &SubjectAccess) -> Result<NewEvent, UnwritablePayload> {
    let SubjectAccess { user, policy, revocation } = changed;
    let event_type = if revocation.revoked { REVOKED } else { RESTORED };
    let fact = AccessFact { subject_hash: user.hash(), policy_version: *policy };
    let id = id_within(&actor.tenant, &format!("accessSubject:{}", user.hash()));
    let (version, at) = (revocation.version, revocation.changed_at);
    Ok(actor.sign(event_type.fact(&actor.tenant, id, version, &fact, at)?))
}

/// Makes older profiles of a subject unacceptable. The pointer first: a reader whose pointer still names an older policy would
/// look under a key that nobody drops. Under a newer policy there are only profiles from after this change.
pub async fn drop_profile(
    cache: &dyn AccessCache,
    tenant: &TenantId,
    user: &UserKey,
    policy: Version,
    version: Version,
) -> Result<(), CacheUnavailable> {
    if policy > Version::ZERO {
        cache.policy_changed(tenant, policy).await?;
    }
    cache.subject_changed(tenant, user, policy, version).await
}

/// Drops cached profiles after a revocation or a return, and moves the pointer after the policy changed.
pub struct FollowAccess(pub Arc<dyn AccessCache>);

#[async_trait]
impl Reaction for FollowAccess {
    fn consumer(&self) -> &'static str {
        "quote.access"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            ACCESS_POLICY_CHANGED | ACCESS_REVOKED | ACCESS_RESTORED => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, _: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        // PostgreSQL has it already. A broken event goes to the parking lot here, and not after the commit.
        if event.event_type != ACCESS_POLICY_CHANGED {
            event.data::<AccessFact>()?;
        }
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let (tenant, version) = (&event.tenant, event.aggregate_version);
        let told = if event.event_type == ACCESS_POLICY_CHANGED {
            self.0.policy_changed(tenant, version).await
        } else {
            // The payload was read in `apply`; one that cannot be read never gets here.
            let Ok(fact) = event.data::<AccessFact>() else { return Ok(()) };
            drop_profile(self.0.as_ref(), tenant, &fact.subject_hash.into(), fact.policy_version, version).await
        };
        told.map_err(RetryLater::because)
    }
}
