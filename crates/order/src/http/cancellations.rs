//! Cancellations as task resources.

use axum::{Json, extract::State as Shared, response::Response};
use kernel::{CancellationId, OrderId};
use service_runtime::{
    ApiResult, Caller, CommandResponse, OptionalIfMatch, PathId, PathIds2, Problem, ProblemDocument,
    RequiredIdempotencyKey, Valid, idempotent,
};

use super::{
    ORDERING, READING, State,
    bodies::CancellationBody,
    views::{CancellationView, Cancellations, location},
};
use crate::{
    commands::{self, Actor, NewCancellation},
    queries,
};

/// Asks for a cancellation. It is carried out afterwards: look at it again by its id.
#[utoipa::path(post, path = "/orders/{id}/cancellations", tag = "cancellations", request_body = CancellationBody,
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header),
        ("If-Match" = Option<String>, Header, description = "The order's ETag")),
    responses(
        (status = 201, description = "The cancellation", body = CancellationView),
        (status = 200, description = "The cancellation with this external id, asked for before", body = CancellationView),
        (status = 404, description = "No such order", body = ProblemDocument),
        (status = 409, description = "Nothing is left to cancel", body = ProblemDocument),
        (status = 422, description = "More than was ordered, or not an item of the order", body = ProblemDocument)))]
pub async fn request_cancellation(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
    OptionalIfMatch(expected): OptionalIfMatch,
    RequiredIdempotencyKey(key): RequiredIdempotencyKey,
    Valid(body): Valid<CancellationBody>,
) -> ApiResult<Response> {
    caller.require(ORDERING)?;
    let items = body.wanted();
    let request = (order_id, &body);
    let asked = idempotent(&service.runtime, &caller, Some(&key), "order.cancel", &request, async |tx| {
        let (external_id, reason) = (body.external_id.clone(), body.reason.clone());
        let new = NewCancellation { order_id, expected, external_id, reason, items };
        let retries = service.config.task_retries;
        let (asked, is_new) = commands::request_cancellation(tx, &Actor::from(&caller), new, retries).await?;
        let place = format!("{}/cancellations/{}", location(order_id), asked.id);
        let view = CancellationView::from(asked);
        Ok::<_, Problem>(if is_new { CommandResponse::created(place, &view)? } else { CommandResponse::ok(&view)? })
    });
    Ok(asked.await)
}

/// Every cancellation of an order.
#[utoipa::path(get, path = "/orders/{id}/cancellations", tag = "cancellations", params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "Oldest first", body = Cancellations),
        (status = 404, description = "No such order", body = ProblemDocument)))]
pub async fn list_cancellations(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<Cancellations>> {
    caller.require(READING)?;
    let all = queries::cancellations(&service.runtime.pool, &caller.tenant, order).await?;
    Ok(Json(Cancellations { items: all.into_iter().map(Into::into).collect() }))
}

/// One cancellation.
#[utoipa::path(get, path = "/orders/{id}/cancellations/{cancellationId}", tag = "cancellations",
    params(("id" = OrderId, Path), ("cancellationId" = CancellationId, Path)),
    responses(
        (status = 200, description = "The cancellation", body = CancellationView),
        (status = 404, description = "No such cancellation", body = ProblemDocument)))]
pub async fn cancellation_by_id(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(order, id): PathIds2<OrderId, CancellationId>,
) -> ApiResult<Json<CancellationView>> {
    caller.require(READING)?;
    let found = queries::cancellation(&service.runtime.pool, &caller.tenant, order, id).await?;
    Ok(Json(found.into()))
}
