//! The caller of a request: the one way a handler learns the tenant.
//!
//! Extracting it checks the token and the rate limits, so neither can be forgotten. Put it right after `State`.

use std::{sync::Arc, time::Duration};

use axum::extract::{FromRef, FromRequestParts, MatchedPath};
use cache_ports::RateDecision;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use kernel::TenantId;

use super::{BearerToken, Role, Roles, TokenRejected, VerifiedToken};
use crate::{Problem, ServiceState, context};

/// Who is asking.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant, from the verified token only.
    pub tenant: TenantId,
    /// The user or service.
    pub subject: Arc<str>,
    /// What the caller is in this tenant.
    pub roles: Roles,
    /// Names the chain of requests this one belongs to.
    pub correlation_id: String,
    /// To be passed on to other services.
    pub token: BearerToken,
}

impl Caller {
    /// Refuses with 403 unless the caller has one of `roles`. A tenant administrator may do everything
    /// (separation of duties is checked where somebody decides about his own work).
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        if self.roles.contains(Role::TenantAdmin) || self.roles.contains_any(roles) {
            return Ok(());
        }
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        Err(Problem::forbidden(format!("This needs one of the roles: {}", names.join(", "))))
    }

    /// Whether the caller has `role`.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(role)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    ServiceState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        context::note_route(parts.extensions.get::<MatchedPath>());
        let state = ServiceState::from_ref(state);
        let verified = authenticate(&state, &parts.headers).await?;
        if let Some(note) = state.limits.check(state.caches.rate.as_ref(), &verified, parts).await {
            let refused = (!note.decision.allowed).then(|| too_many_requests(&note.decision, parts));
            context::note_rate(note);
            refused.map_or(Ok(()), Err)?;
        }
        Ok(Self {
            tenant: verified.tenant.clone(),
            subject: Arc::clone(&verified.subject),
            roles: verified.roles,
            correlation_id: context::correlation_id().unwrap_or_else(context::new_correlation_id),
            token: verified.token.clone(),
        })
    }
}

async fn authenticate(state: &ServiceState, headers: &HeaderMap) -> Result<Arc<VerifiedToken>, Problem> {
    let token = bearer_token(headers)?;
    let result = match (state.verifier.verify(token), &state.keys) {
        (Err(TokenRejected::UnknownKey), Some(keys)) if keys.refresh_for_unknown_key().await => {
            state.verifier.verify(token)
        }
        (result, _) => result,
    };
    result.map_err(|rejected| {
        metrics::counter!("auth_tokens_rejected_total", "reason" => rejected.reason()).increment(1);
        unauthenticated("invalid-token", "The token is not valid").caused_by(rejected)
    })
}

/// The token of the one `Authorization: Bearer` header (RFC 6750 §2.1).
fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || unauthenticated("missing-token", "A bearer token is required");
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(unauthenticated("invalid-token", "More than one Authorization header"));
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

fn unauthenticated(code: &'static str, title: &'static str) -> Problem {
    let challenge = if code == "missing-token" {
        HeaderValue::from_static(r#"Bearer realm="quoin""#)
    } else {
        HeaderValue::from_static(r#"Bearer realm="quoin", error="invalid_token""#)
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, title).header(header::WWW_AUTHENTICATE, challenge)
}

fn too_many_requests(decision: &RateDecision, parts: &Parts) -> Problem {
    // Policies and routes are named in configuration and code: few.
    let route = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let (policy, route) = (decision.policy.to_string(), route.to_owned());
    metrics::counter!("cache_rate_limited_total", "keyspace" => "rate limit", "policy" => policy, "route" => route)
        .increment(1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests")
        .detail(format!("The limit {} allows {} requests", decision.policy, decision.limit))
        .retry_after(decision.retry_after.max(Duration::from_millis(1)))
}
