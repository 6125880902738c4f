//! Tasks that fell out.

use axum::{extract::State as Shared, response::Response};
use kernel::{OrderId, TaskId};
use service_runtime::{
    ApiResult, Caller, CommandResponse, OptionalIdempotencyKey, OptionalIfMatch, PathIds2, Problem, ProblemDocument,
    idempotent,
};

use super::{
    FULFILLING, State,
    views::{OrderView, order_view},
};
use crate::{
    commands::{self, Actor},
    events::summary_of,
};

/// Has a task that fell out tried again, with fresh retries.
#[utoipa::path(post, path = "/orders/{id}/tasks/{taskId}/retry", tag = "tasks",
    params(("id" = OrderId, Path), ("taskId" = TaskId, Path), ("Idempotency-Key" = Option<String>, Header),
        ("If-Match" = Option<String>, Header, description = "The order's ETag")),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "No such task", body = ProblemDocument),
        (status = 409, description = "The task has not fallen out", body = ProblemDocument)))]
pub async fn retry_task(
    Shared(service): Shared<State>,
    caller: Caller,
    PathIds2(order, task): PathIds2<OrderId, TaskId>,
    OptionalIfMatch(expected): OptionalIfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(FULFILLING)?;
    let request = (order, task);
    let retried = idempotent(&service.runtime, &caller, key.as_ref(), "order.retryTask", &request, async |tx| {
        let (actor, retries) = (Actor::from(&caller), service.config.task_retries);
        let (order, tasks) = commands::retry_task(tx, &actor, order, task, expected, retries).await?;
        let version = order.version;
        Ok::<_, Problem>(CommandResponse::ok(&order_view(summary_of(&order), tasks))?.version(version))
    });
    Ok(retried.await)
}
