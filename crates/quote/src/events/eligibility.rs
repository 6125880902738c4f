//! Facts about eligibility, and the reaction that tells the cache about them.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::EligibilityCache;
use chrono::{DateTime, Utc};
use events::{
    Envelope, EventType, Guard, NewEvent, PublishedEvent, Reaction, ReactionError, RetryLater, UnwritablePayload,
};
use kernel::{CustomerId, Version};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{TOPIC, id_within, published::CUSTOMER_CHANGED};
use crate::{
    commands::Actor,
    model::{EligibilityPolicy, Otherwise},
};

/// Another eligibility policy is in force.
const POLICY_CHANGED: &str = "PolicyChanged";

/// The payload of `PolicyChanged`. The rules stay where they are: readers ask for the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFact {
    /// The version in force.
    pub policy_version: Version,
    /// What holds where no rule decides.
    pub otherwise: Otherwise,
    /// How many rules it has.
    pub rules: usize,
}

const POLICY: EventType<PolicyFact> = EventType::new(
    POLICY_CHANGED,
    "eligibilityPolicy",
    Guard::StateCarrying,
    "Another version of the eligibility policy is in force; its rules stay where they are.",
);

/// Everything published about eligibility.
pub(super) fn published_events() -> [PublishedEvent; 1] {
    [POLICY.published()]
}

/// The event of the version `policy` has.
pub fn policy_changed(
    actor: &Actor,
    policy: &EligibilityPolicy,
    at: DateTime<Utc>,
) -> Result<NewEvent, UnwritablePayload> {
    let EligibilityPolicy { version, otherwise, .. } = *policy;
    let fact = PolicyFact { policy_version: version, otherwise, rules: policy.rules.len() };
    let id = id_within(&actor.tenant, "eligibilityPolicy");
    Ok(actor.sign(POLICY.fact(&actor.tenant, id, version, &fact, at)?))
}

/// Moves the cached pointers after the policy or a customer changed: older verdicts are no longer asked for.
pub struct FollowEligibility(pub Arc<dyn EligibilityCache>);

#[async_trait]
impl Reaction for FollowEligibility {
    fn consumer(&self) -> &'static str {
        "quote.eligibility"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            POLICY_CHANGED | CUSTOMER_CHANGED => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, _: &mut PgConnection, _: &Envelope) -> Result<(), ReactionError> {
        // PostgreSQL has it already, and the envelope says all that the cache needs.
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let (tenant, version) = (&event.tenant, event.aggregate_version);
        let told = if event.event_type == POLICY_CHANGED {
            self.0.policy_changed(tenant, version).await
        } else {
            self.0.customer_changed(tenant, CustomerId::from(event.aggregate_id), version).await
        };
        told.map_err(RetryLater::because)
    }
}
