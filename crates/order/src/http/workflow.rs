//! How far an order's plan has come.

use axum::{
    extract::State as Shared,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use cache_ports::order::WorkflowSummary;
use kernel::OrderId;
use service_runtime::{ApiResult, Cached, Caller, MinVersion, PathId, Problem, ProblemDocument};

use super::{READING, State};
use crate::queries;

/// How far the order's plan has come, through the cache: up to half a minute old, and `generatedAt` says when it was read.
#[utoipa::path(get, path = "/orders/{id}/workflow", tag = "orders",
    params(("id" = OrderId, Path),
        ("Min-Version" = Option<u64>, Header, description = "Nothing older than this version of the order")),
    responses(
        (status = 200, description = "The picture of the plan", body = WorkflowSummary),
        (status = 404, description = "No such order", body = ProblemDocument)))]
pub async fn workflow_of_order(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<OrderId>,
    MinVersion(min_version): MinVersion,
) -> ApiResult<Response> {
    caller.require(READING)?;
    let runtime = &service.runtime;
    let read = queries::workflow(&runtime.pool, &runtime.caches.order, &caller.tenant, id, min_version).await?;
    let mut response = Cached::whole(read.ok_or_else(|| Problem::not_found("order"))?).into_response();
    // The tag names the order's version; its tasks move without one, so nobody may keep the body.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
