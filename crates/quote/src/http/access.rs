//! Access over HTTP: the policy, revocations, and what the caller may approve.

use axum::{
    Json,
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use cache_ports::UserKey;
use chrono::{DateTime, Utc};
use kernel::Version;
use rust_decimal::Decimal;
use serde::Serialize;
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfMatch, MinVersion, OptionalIdempotencyKey, PathId, Problem, ProblemDocument,
    Role, TenantTx, Valid, Versioned, cache_headers, idempotent,
};
use utoipa::ToSchema;

use super::{
    State,
    access_bodies::{AccessPolicyBody, RevocationBody},
};
use crate::{
    commands::{self, Actor, SubjectAccess},
    error::QuoteResult,
    events::drop_profile,
    model::{AccessPolicy, Revocation, Subject},
    queries::access as queries,
    rules::access::{ApprovalRight, approval_right},
};

/// Who decides about access.
const ADMINISTERING: &[Role] = &[Role::TenantAdmin];

/// What the caller may approve.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessProfileReport {
    /// The policy; 0 while there is none, and an approver may approve any discount.
    policy_version: Version,
    /// Whether the caller may approve any discount at all.
    may_approve: bool,
    /// The deepest discount the caller may approve, in percent; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    #[schema(value_type = Option<String>)]
    max_discount_percent: Option<Decimal>,
    /// Whether the caller was revoked.
    revoked: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

/// What the caller may approve, by the policy in force and the roles of his token, through the cache. For display: approve
/// asks again.
#[utoipa::path(get, path = "/access-profile", tag = "access",
    params(("Min-Version" = Option<u64>, Header, description = "By no older policy than this")),
    responses((status = 200, description = "What the caller may approve", body = AccessProfileReport)))]
pub async fn own_profile(
    Shared(service): Shared<State>,
    caller: Caller,
    MinVersion(min_policy): MinVersion,
) -> ApiResult<Response> {
    let (runtime, user) = (&service.runtime, UserKey::of(&caller.tenant, &caller.subject));
    let served = queries::profile(&runtime.pool, &runtime.caches.access, &caller.tenant, &user, min_policy).await?;
    let right = approval_right(&served.value, caller.roles);
    let limit = right.limit_percent();
    let report = AccessProfileReport {
        policy_version: served.value.policy_version,
        may_approve: limit.is_none_or(|limit| limit > Decimal::ZERO),
        max_discount_percent: limit,
        revoked: matches!(right, ApprovalRight::Revoked(_)),
        revoked_at: served.value.revoked_at,
    };
    let mut response = Json(report).into_response();
    cache_headers(response.headers_mut(), &served);
    Ok(response)
}

/// The policy in force; version 0 without grants while there is none.
#[utoipa::path(get, path = "/access-policy", tag = "access",
    responses((status = 200, description = "The policy in force", body = AccessPolicy)))]
pub async fn active_access_policy(
    Shared(service): Shared<State>,
    caller: Caller,
) -> ApiResult<Versioned<AccessPolicy>> {
    caller.require(ADMINISTERING)?;
    let policy = queries::active_policy(&service.runtime.pool, &caller.tenant).await?;
    let version = policy.version;
    Ok(Versioned(policy, version))
}

/// Puts a policy in force as the next version. Whom it grants nothing may approve nothing.
#[utoipa::path(put, path = "/access-policy", tag = "access", request_body = AccessPolicyBody,
    params(
        ("If-Match" = String, Header, description = "The ETag of the policy it replaces; \"0\" where there is none"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 200, description = "The policy, in force", body = AccessPolicy),
        (status = 412, description = "Another policy was put in force meanwhile", body = ProblemDocument),
        (status = 422, description = "The request breaks a rule", body = ProblemDocument)))]
pub async fn put_access_policy(
    Shared(service): Shared<State>,
    caller: Caller,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<AccessPolicyBody>,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    body.check()?;
    let fingerprint = serde_json::to_value((&body, expected)).map_err(Problem::internal)?;
    let new = body.into_new();
    let mut changed = None;
    let put = idempotent(&service.runtime, &caller, key.as_ref(), "quote.putAccessPolicy", &fingerprint, async |tx| {
        let policy = commands::put_access_policy(tx, &Actor::from(&caller), expected, new).await?;
        changed = Some(policy.version);
        Ok::<_, Problem>(CommandResponse::ok(&policy)?.version(policy.version))
    });
    let response = put.await;
    if let Some(version) = changed.filter(|_| response.status().is_success()) {
        let (cache, tenant) = (service.runtime.caches.access.clone(), caller.tenant.clone());
        // The fast path, best effort; the event does the same for certain.
        tokio::spawn(async move { cache.policy_changed(&tenant, version).await });
    }
    Ok(response)
}

/// From now on the subject may approve nothing. One who is revoked already stays so since then.
#[utoipa::path(put, path = "/access-revocations/{subject}", tag = "access", request_body = RevocationBody,
    params(("subject" = String, Path, description = "Who, as tokens name him"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 200, description = "How the subject stands", body = Revocation),
        (status = 404, description = "Nobody can have such a name", body = ProblemDocument),
        (status = 422, description = "The reason is missing", body = ProblemDocument)))]
pub async fn revoke_access(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(subject): PathId<Subject>,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<RevocationBody>,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    let about = Request { key, route: "quote.revokeAccess", fingerprint: (subject.clone(), body.reason.clone()) };
    let revoke =
        async |tx: &mut TenantTx, actor: &Actor| commands::revoke_access(tx, actor, &subject, body.reason).await;
    Ok(change_access(&service, &caller, about, revoke).await)
}

/// The subject may approve again what the policy grants him. Nobody restores himself.
#[utoipa::path(delete, path = "/access-revocations/{subject}", tag = "access",
    params(("subject" = String, Path, description = "Who, as tokens name him"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 200, description = "How the subject stands", body = Revocation),
        (status = 403, description = "The caller's own revocation", body = ProblemDocument),
        (status = 404, description = "The subject is not revoked", body = ProblemDocument)))]
pub async fn restore_access(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(subject): PathId<Subject>,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    let about = Request { key, route: "quote.restoreAccess", fingerprint: (subject.clone(), String::new()) };
    let restore = async |tx: &mut TenantTx, actor: &Actor| commands::restore_access(tx, actor, &subject).await;
    Ok(change_access(&service, &caller, about, restore).await)
}

/// What makes a request on a subject's access the same request again.
struct Request {
    key: Option<service_runtime::IdempotencyKey>,
    route: &'static str,
    fingerprint: (Subject, String),
}

/// Runs a command on a subject's access; after the commit it drops the cached profile.
async fn change_access<F>(service: &State, caller: &Caller, request: Request, command: F) -> Response
where
    F: AsyncFnOnce(&mut TenantTx, &Actor) -> QuoteResult<SubjectAccess>,
{
    let Request { key, route, fingerprint } = request;
    let actor = Actor::from(caller);
    let mut changed = None;
    let response = idempotent(&service.runtime, caller, key.as_ref(), route, &fingerprint, async |tx| {
        let done = command(tx, &actor).await?;
        let answer = CommandResponse::ok(&done.revocation)?.version(done.revocation.version);
        changed = Some((done.user, done.policy, done.revocation.version));
        Ok::<_, Problem>(answer)
    })
    .await;
    if let Some((user, policy, version)) = changed.filter(|_| response.status().is_success()) {
        let (cache, tenant) = (service.runtime.caches.access.clone(), caller.tenant.clone());
        // The fast path, best effort; the event does the same for certain.
        tokio::spawn(async move { drop_profile(cache.as_ref(), &tenant, &user, policy, version).await });
    }
    response
}
