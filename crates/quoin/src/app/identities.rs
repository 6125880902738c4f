//! The development issuer over HTTP: tokens for anybody, for any tenant and role. Mounted in development only.
//!
//! Owns the people of the demo. Must never be reachable where somebody else's data are.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use kernel::{Clock, SystemClock, TenantId};
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Problem, Role, Roles,
    auth::{DevIssuer, Identity, jwks_router},
};

use crate::people;

/// How long a token is valid unless asked otherwise: a working day.
const TTL_SECS: u32 = 8 * 3_600;
/// The longest anybody may ask for.
const LONGEST_TTL_SECS: u32 = 30 * 24 * 3_600;

/// `POST /dev/v1/tokens`, `GET /dev/v1/identities` and the public key.
pub fn router(identity: &Identity) -> Router {
    Router::new()
        .route("/dev/v1/tokens", post(issue))
        .route("/dev/v1/identities", get(|| async { Json(people::directory()) }))
        .with_state(Arc::clone(&identity.issuer))
        .merge(jwks_router(&identity.issuer))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    tenant: TenantId,
    subject: String,
    roles: Vec<Role>,
    ttl_secs: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IssuedToken {
    token: String,
    expires_at: DateTime<Utc>,
}

async fn issue(State(issuer): State<Arc<DevIssuer>>, body: axum::body::Bytes) -> ApiResult<Json<IssuedToken>> {
    let wanted: NewToken = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation", "The request is not usable")
            .detail(error.to_string())
    })?;
    let ttl = TimeDelta::seconds(wanted.ttl_secs.unwrap_or(TTL_SECS).min(LONGEST_TTL_SECS).into());
    let roles: Roles = wanted.roles.into_iter().collect();
    let expires_at = SystemClock.now() + ttl;
    let token = issuer
        .issue(&wanted.tenant, &wanted.subject, roles, ttl)
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(IssuedToken { token: token.expose().to_owned(), expires_at }))
}
