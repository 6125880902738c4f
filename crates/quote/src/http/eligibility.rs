//! Eligibility over HTTP: the policy, and what it says.

use axum::{
    Json,
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use cache_ports::eligibility::EligibilityVerdict;
use chrono::{DateTime, Utc};
use kernel::{CustomerId, OfferingId, Version};
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfMatch, MinVersion, OptionalIdempotencyKey, PathId, Problem, ProblemDocument,
    Role, Valid, Versioned, cache_headers, idempotent,
};
use utoipa::ToSchema;
use validator::Validate;

use super::{State, bodies::repeated, eligibility_bodies::PolicyBody, quotes::READING};
use crate::{
    commands::{self, Actor},
    model::{EligibilityPolicy, MAX_ASKED},
    queries::eligibility::{self as queries, Answer, Reading},
};

/// Most offerings of one question, as validation counts.
const MAX_OFFERINGS: u64 = MAX_ASKED as u64;

/// Whom, and what for.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckBody {
    /// The customer.
    customer_id: CustomerId,
    /// The offerings, each once.
    #[validate(length(min = 1, max = MAX_OFFERINGS))]
    offering_ids: Vec<OfferingId>,
}

/// What the policy says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The customer.
    customer_id: CustomerId,
    /// The policy; 0 while there is none, and everything is eligible.
    policy_version: Version,
    /// When the oldest of the verdicts was given.
    generated_at: DateTime<Utc>,
    /// In the order of the question.
    items: Vec<EligibilityVerdict>,
}

/// Whether a customer may have these offerings, and why (not). An answer is for display: submit and accept ask again.
#[utoipa::path(post, path = "/eligibility-checks", tag = "eligibility", request_body = CheckBody,
    params(("Min-Version" = Option<u64>, Header, description = "By no older policy than this")),
    responses(
        (status = 200, description = "One verdict an offering", body = CheckReport),
        (status = 422, description = "The request breaks a rule, or there is no such customer", body = ProblemDocument)))]
pub async fn check_eligibility(
    Shared(service): Shared<State>,
    caller: Caller,
    MinVersion(min_policy): MinVersion,
    Valid(body): Valid<CheckBody>,
) -> ApiResult<Response> {
    caller.require(READING)?;
    if let Some(position) = repeated(body.offering_ids.iter()).first() {
        let pointer = format!("/offeringIds/{position}");
        return Err(Problem::invalid().pointer(pointer, "duplicate", "is asked for already"));
    }
    let runtime = &service.runtime;
    let reading = Reading { pool: runtime.pool.clone(), caches: runtime.caches.clone(), clock: runtime.clock.clone() };
    let asked =
        queries::eligibility(&reading, &caller.tenant, body.customer_id, &body.offering_ids, min_policy).await?;
    let unknown = || Problem::invalid().pointer("/customerId", "unknown-customer", "there is no such customer");
    Ok(report(body.customer_id, asked.ok_or_else(unknown)?, runtime.clock.now()))
}

/// The age shown is that of the oldest verdict.
fn report(customer_id: CustomerId, answer: Answer, now: DateTime<Utc>) -> Response {
    let oldest = answer.verdicts.iter().max_by_key(|served| served.age).cloned();
    let generated_at = answer.verdicts.iter().map(|served| served.value.evaluated_at).min().unwrap_or(now);
    let items = answer.verdicts.iter().map(|served| (*served.value).clone()).collect();
    let report = CheckReport { customer_id, policy_version: answer.policy, generated_at, items };
    let mut response = Json(report).into_response();
    if let Some(oldest) = oldest {
        cache_headers(response.headers_mut(), &oldest);
    }
    response
}

/// The policy in force; version 0 without rules while there is none.
#[utoipa::path(get, path = "/eligibility-policy", tag = "eligibility",
    responses((status = 200, description = "The policy in force", body = EligibilityPolicy)))]
pub async fn active_policy(Shared(service): Shared<State>, caller: Caller) -> ApiResult<Versioned<EligibilityPolicy>> {
    caller.require(&[Role::CatalogAdmin, Role::SalesRep, Role::DealDesk, Role::System])?;
    let policy = queries::active_policy(&service.runtime.pool, &caller.tenant).await?;
    let version = policy.version;
    Ok(Versioned(policy, version))
}

/// One version of the policy, as it was written.
#[utoipa::path(get, path = "/eligibility-policy/versions/{version}", tag = "eligibility",
    params(("version" = u64, Path)),
    responses(
        (status = 200, description = "That version", body = EligibilityPolicy),
        (status = 404, description = "No such version", body = ProblemDocument)))]
pub async fn policy_by_version(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(version): PathId<u64>,
) -> ApiResult<Versioned<EligibilityPolicy>> {
    caller.require(&[Role::CatalogAdmin, Role::SalesRep, Role::DealDesk, Role::System])?;
    let version = Version::new(version);
    let policy = queries::policy_by_version(&service.runtime.pool, &caller.tenant, version).await?;
    Ok(Versioned(policy, version))
}

/// Puts a policy in force as the next version; the versions before it stay readable.
#[utoipa::path(put, path = "/eligibility-policy", tag = "eligibility", request_body = PolicyBody,
    params(
        ("If-Match" = String, Header, description = "The ETag of the policy it replaces; \"0\" where there is none"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 200, description = "The policy, in force", body = EligibilityPolicy),
        (status = 412, description = "Another policy was put in force meanwhile", body = ProblemDocument),
        (status = 422, description = "The request breaks a rule", body = ProblemDocument)))]
pub async fn put_policy(
    Shared(service): Shared<State>,
    caller: Caller,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<PolicyBody>,
) -> ApiResult<Response> {
    caller.require(&[Role::CatalogAdmin])?;
    body.check()?;
    let fingerprint = serde_json::to_value((&body, expected)).map_err(Problem::internal)?;
    let new = body.into_new();
    let mut changed = None;
    let put =
        idempotent(&service.runtime, &caller, key.as_ref(), "quote.putEligibilityPolicy", &fingerprint, async |tx| {
            let policy = commands::put_policy(tx, &Actor::from(&caller), expected, new).await?;
            changed = Some(policy.version);
            Ok::<_, Problem>(CommandResponse::ok(&policy)?.version(policy.version))
        });
    let response = put.await;
    if let Some(version) = changed.filter(|_| response.status().is_success()) {
        let (cache, tenant) = (service.runtime.caches.eligibility.clone(), caller.tenant.clone());
        // The fast path, best effort; the event does the same for certain.
        tokio::spawn(async move { cache.policy_changed(&tenant, version).await });
    }
    Ok(response)
}
