//! Replacing the eligibility policy, and checking a quote against the one in force: always from its tables.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::{OfferingId, Version};
use sqlx::PgConnection;

use super::{Actor, OUTBOX};
use crate::{
    error::{NotEligible, QuoteError, QuoteResult},
    events::policy_changed,
    model::{EligibilityPolicy, EligibilityRule, Otherwise, Quote},
    rules::eligibility::{attributes, evaluate},
    store::{customers, eligibility},
};

/// A policy to be put in force.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// What holds where no rule decides.
    pub otherwise: Otherwise,
    /// The rules.
    pub rules: Vec<EligibilityRule>,
}

/// Writes the next version of the policy and puts it in force; the versions before it stay as they are.
pub async fn put_policy(
    conn: &mut PgConnection,
    actor: &Actor,
    expected: Version,
    new: NewPolicy,
) -> QuoteResult<EligibilityPolicy> {
    let (current, now) = eligibility::lock_pointer(conn, &actor.tenant).await?;
    if current != expected {
        return Err(QuoteError::VersionChanged { current });
    }
    let policy = EligibilityPolicy {
        version: current.next(),
        otherwise: new.otherwise,
        rules: new.rules,
        created_by: Some(actor.subject.clone()),
        created_at: Some(now),
    };
    eligibility::insert_policy(conn, &actor.tenant, &policy).await?;
    OUTBOX.append(conn, &[policy_changed(actor, &policy, now)?]).await?;
    Ok(policy)
}

/// Refuses unless the quote's customer may have every line by the policy in force now. A quote without a customer is judged
/// as one for somebody of whom nothing is known.
pub(super) async fn check_eligible(
    conn: &mut PgConnection,
    actor: &Actor,
    quote: &Quote,
    now: DateTime<Utc>,
) -> QuoteResult<()> {
    let Some(policy) = eligibility::active_policy(conn, &actor.tenant).await? else { return Ok(()) };
    let customer = match quote.customer_id {
        Some(id) => customers::customer_by_id(conn, &actor.tenant, id).await?,
        None => None,
    };
    let mut verdicts = BTreeMap::new();
    let mut refused = Vec::new();
    for (position, item) in quote.revision.items.iter().enumerate() {
        let judge = || evaluate(&policy, attributes(customer.as_ref()), item.offering_id, now);
        let verdict = verdicts.entry(OfferingId::uuid(item.offering_id)).or_insert_with(judge);
        if !verdict.eligible {
            refused.push(NotEligible { position, reasons: verdict.reasons.clone() });
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(QuoteError::NotEligible { policy: policy.version, refused }) }
}
