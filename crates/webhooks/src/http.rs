//! Callbacks over HTTP, the same under every service: `/<service>/v1/hub`.
//!
//! Only who runs the tenant: what a service publishes holds fields that not everybody may read. A secret is in the answer
//! of the request that made it and nowhere else, not even in the repetition of that answer.

mod bodies;

use axum::{
    Json,
    body::Body,
    extract::{FromRef, State as Shared},
    http::{HeaderValue, header},
    response::Response,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Caller, CommandResponse, IfMatch, Limit, OptionalIdempotencyKey, Page, Params, PathId, Problem,
    ProblemDocument, Role, ServiceState, TenantTx, Valid, ValidOrDefault, Versioned, idempotent,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    Webhooks,
    commands::{self, Target},
    error::HubError,
    model::{Subscription, WaitingDelivery},
    rules::secret::Secret,
    store::{deliveries, subscriptions},
};

pub use bodies::{EventSubscriptionInput, ResumeBody};

/// Who registers callbacks.
const ADMINISTERING: &[Role] = &[Role::TenantAdmin];

/// Every route, relative to the service's base path.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    ServiceState: FromRef<S>,
    Webhooks: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(register_listener, list_listeners))
        .routes(routes!(listener_by_id, unregister_listener))
        .routes(routes!(resume_listener))
        .routes(routes!(rotate_secret))
        .routes(routes!(waiting_deliveries))
}

/// A subscription with the secret that was made for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionWithSecret {
    /// The subscription.
    #[serde(flatten)]
    subscription: Subscription,
    /// What deliveries are signed with: `whsec_` and base64. Shown in this answer only; absent from its repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Registers a callback. It hears the events that are published from now on.
#[utoipa::path(post, path = "/hub", tag = "hub", request_body = EventSubscriptionInput,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 201, description = "The subscription, with its secret", body = SubscriptionWithSecret),
        (status = 409, description = "There are as many subscriptions as there may be", body = ProblemDocument),
        (status = 422, description = "The callback cannot be used, or the filter cannot be read", body = ProblemDocument)))]
async fn register_listener(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<EventSubscriptionInput>,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    let new = body.new_subscription(webhooks.hub.vocabulary, &caller)?;
    webhooks.check_callback(&new.callback).await?;
    let (schema, mut made) = (webhooks.hub.service, None);
    let answer = idempotent(&runtime, &caller, key.as_ref(), "webhooks.register", &body, async |tx| {
        let new = commands::register(tx, schema, &caller.tenant, &new).await?;
        let location = format!("/{schema}/v1/hub/{}", new.id);
        let answer = CommandResponse::created(location, &new)?.version(new.version);
        made = Some(new);
        Ok::<_, Problem>(answer)
    });
    with_secret(answer.await, made, &new.secret)
}

/// Which page of the subscriptions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the previous page ended.
    cursor: Option<String>,
}

/// The tenant's subscriptions, in the order they were made.
#[utoipa::path(get, path = "/hub", tag = "hub", params(PageQuery),
    responses((status = 200, description = "One page", body = Page<Subscription>)))]
async fn list_listeners(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    Params(query): Params<PageQuery>,
) -> ApiResult<Json<Page<Subscription>>> {
    caller.require(ADMINISTERING)?;
    let (tenant, cursors, limit) = (&caller.tenant, &runtime.cursors, query.limit);
    let after = query.cursor.map(|cursor| cursors.open::<Uuid>(tenant, "hub", &cursor)).transpose()?;
    let mut tx = TenantTx::read(&runtime.pool, tenant).await?;
    let rows = subscriptions::page(&mut tx, webhooks.hub.service, tenant, after, limit.plus_one()).await?;
    tx.commit().await?;
    Ok(Json(Page::from_rows(rows, limit, |last| cursors.seal(tenant, "hub", &last.id).unwrap_or_default())))
}

/// One subscription.
#[utoipa::path(get, path = "/hub/{id}", tag = "hub", params(("id" = Uuid, Path, description = "The subscription")),
    responses((status = 200, description = "The subscription", body = Subscription)))]
async fn listener_by_id(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    PathId(id): PathId<Uuid>,
) -> ApiResult<Versioned<Subscription>> {
    caller.require(ADMINISTERING)?;
    let mut tx = TenantTx::read(&runtime.pool, &caller.tenant).await?;
    let found = subscriptions::by_id(&mut tx, webhooks.hub.service, &caller.tenant, id).await?;
    tx.commit().await?;
    let found = found.ok_or(HubError::NotFound)?;
    let version = found.version;
    Ok(Versioned(found, version))
}

/// Removes a callback, with everything that waits for it.
#[utoipa::path(delete, path = "/hub/{id}", tag = "hub",
    params(("id" = Uuid, Path, description = "The subscription"),
        ("If-Match" = String, Header, description = "The ETag of the subscription"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses((status = 204, description = "It is gone")))]
async fn unregister_listener(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    PathId(id): PathId<Uuid>,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    let request = (id, expected);
    let answer = idempotent(&runtime, &caller, key.as_ref(), "webhooks.unregister", &request, async |tx| {
        commands::unregister(tx, webhooks.hub.service, &caller.tenant, Target { id, expected }).await?;
        Ok::<_, Problem>(CommandResponse::no_content())
    });
    Ok(answer.await)
}

/// Sends again at once what waits; or, from an event's number on, everything that is kept.
#[utoipa::path(post, path = "/hub/{id}/resume", tag = "hub", request_body = ResumeBody,
    params(("id" = Uuid, Path, description = "The subscription"),
        ("If-Match" = String, Header, description = "The ETag of the subscription"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 200, description = "The subscription, active", body = Subscription),
        (status = 422, description = "There is no such event any more, or not yet", body = ProblemDocument)))]
async fn resume_listener(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    PathId(id): PathId<Uuid>,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    ValidOrDefault(body): ValidOrDefault<ResumeBody>,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    let (schema, target, request) = (webhooks.hub.service, Target { id, expected }, (id, expected, &body));
    let answer = idempotent(&runtime, &caller, key.as_ref(), "webhooks.resume", &request, async |tx| {
        let resumed = commands::resume(tx, schema, &caller.tenant, target, body.from_sequence).await?;
        Ok::<_, Problem>(CommandResponse::ok(&resumed)?.version(resumed.version))
    });
    Ok(answer.await)
}

/// Makes another secret. The present one signs beside it for a day.
#[utoipa::path(post, path = "/hub/{id}/secrets", tag = "hub",
    params(("id" = Uuid, Path, description = "The subscription"),
        ("If-Match" = String, Header, description = "The ETag of the subscription"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses((status = 201, description = "The subscription, with its new secret", body = SubscriptionWithSecret)))]
async fn rotate_secret(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    PathId(id): PathId<Uuid>,
    IfMatch(expected): IfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(ADMINISTERING)?;
    let secret = Secret::generate().map_err(HubError::from)?;
    let (schema, target, mut made) = (webhooks.hub.service, Target { id, expected }, None);
    let request = (id, expected);
    let answer = idempotent(&runtime, &caller, key.as_ref(), "webhooks.rotateSecret", &request, async |tx| {
        let rotated = commands::rotate(tx, schema, &caller.tenant, target, &secret).await?;
        let answer = CommandResponse::created(format!("/{schema}/v1/hub/{id}"), &rotated)?.version(rotated.version);
        made = Some(rotated);
        Ok::<_, Problem>(answer)
    });
    with_secret(answer.await, made, &secret)
}

/// What was not acknowledged yet, and what went wrong with it, in the order of the feed.
#[utoipa::path(get, path = "/hub/{id}/deliveries", tag = "hub",
    params(("id" = Uuid, Path, description = "The subscription"), PageQuery),
    responses((status = 200, description = "One page", body = Page<WaitingDelivery>)))]
async fn waiting_deliveries(
    Shared(webhooks): Shared<Webhooks>,
    Shared(runtime): Shared<ServiceState>,
    caller: Caller,
    PathId(id): PathId<Uuid>,
    Params(query): Params<PageQuery>,
) -> ApiResult<Json<Page<WaitingDelivery>>> {
    caller.require(ADMINISTERING)?;
    let (tenant, cursors, schema) = (&caller.tenant, &runtime.cursors, webhooks.hub.service);
    let list = format!("hub deliveries {id}");
    let after = query.cursor.map(|cursor| cursors.open::<i64>(tenant, &list, &cursor)).transpose()?;
    let mut tx = TenantTx::read(&runtime.pool, tenant).await?;
    subscriptions::by_id(&mut tx, schema, tenant, id).await?.ok_or(HubError::NotFound)?;
    let (after, limit) = (after.unwrap_or_default(), query.limit.plus_one());
    let rows = deliveries::waiting(&mut tx, schema, tenant, id, after, limit).await?;
    tx.commit().await?;
    let cursor = |last: &WaitingDelivery| cursors.seal(tenant, &list, &last.sequence).unwrap_or_default();
    Ok(Json(Page::from_rows(rows, query.limit, cursor)))
}

/// Adds the secret to the answer of the request that made it. What is stored for repetitions was written without.
fn with_secret(answer: Response, made: Option<Subscription>, secret: &Secret) -> ApiResult<Response> {
    let Some(subscription) = made.filter(|_| answer.status().is_success()) else { return Ok(answer) };
    let shown = SubscriptionWithSecret { subscription, secret: Some(secret.written().expose_secret().to_owned()) };
    let body = serde_json::to_vec(&shown).map_err(Problem::internal)?;
    let (mut parts, _) = answer.into_parts();
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Response::from_parts(parts, Body::from(body)))
}
