//! Creating and reading orders.

use axum::http::{HeaderValue, header};
use axum::{
    Json,
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use kernel::{OrderId, QuoteId};
use serde::Deserialize;
use service_runtime::{
    ApiResult, Caller, CommandResponse, Limit, Page, Params, PathId, Problem, ProblemDocument, RequiredIdempotencyKey,
    Valid, cache_headers, etag, idempotent,
};
use utoipa::IntoParams;

use super::{
    ORDERING, READING, State,
    bodies::NewOrderBody,
    views::{OrderView, location, order_view},
};
use crate::{
    commands::{self, Actor},
    error::OrderError,
    events::summary_of,
    model::{Acceptance, OrderHeader, OrderState},
    queries,
    store::headers::Filter,
};

/// Orders an accepted revision; answers the order that was made of it before, if there is one.
#[utoipa::path(post, path = "/orders", tag = "orders", request_body = NewOrderBody,
    params(("Idempotency-Key" = String, Header)),
    responses(
        (status = 201, description = "The order", body = OrderView),
        (status = 200, description = "The order that was made before", body = OrderView),
        (status = 400, description = "No Idempotency-Key", body = ProblemDocument),
        (status = 422, description = "The revision was not accepted", body = ProblemDocument)))]
pub async fn create_order(
    Shared(service): Shared<State>,
    caller: Caller,
    RequiredIdempotencyKey(key): RequiredIdempotencyKey,
    Valid(body): Valid<NewOrderBody>,
) -> ApiResult<Response> {
    caller.require(ORDERING)?;
    let runtime = &service.runtime;
    // Before the transaction, so that none is open meanwhile. A repetition by key is answered from its record even if this
    // fails.
    let accepted = accepted(&service, &caller, &body).await;
    let created = idempotent(runtime, &caller, Some(&key), "order.create", &body, async |tx| {
        let (actor, now) = (Actor::from(&caller), runtime.clock.now());
        let created = commands::create_order(tx, &actor, accepted?, service.config.task_retries, now).await?;
        let (id, version) = (created.order.id, created.order.version);
        let view = order_view(summary_of(&created.order), created.tasks);
        let response =
            if created.is_new { CommandResponse::created(location(id), &view) } else { CommandResponse::ok(&view) };
        Ok::<_, Problem>(response?.version(version))
    });
    Ok(created.await)
}

async fn accepted(service: &State, caller: &Caller, body: &NewOrderBody) -> Result<Acceptance, OrderError> {
    match service.clients.acceptance(caller, body.quote_id, body.revision_no).await {
        Ok(acceptance) if (acceptance.quote_id, acceptance.revision_no) == (body.quote_id, body.revision_no) => {
            Ok(acceptance)
        }
        Ok(_) => Err(OrderError::Unreadable("acceptance")),
        Err(error) if error.status() == Some(axum::http::StatusCode::NOT_FOUND) => Err(OrderError::NotAccepted),
        Err(error) => Err(OrderError::Refused(Box::new(error.into()))),
    }
}

/// The order, by versioned key through the cache, with its tasks as they are now.
#[utoipa::path(get, path = "/orders/{id}", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "No such order", body = ProblemDocument)))]
pub async fn order_by_id(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<OrderId>,
) -> ApiResult<Response> {
    caller.require(READING)?;
    let runtime = &service.runtime;
    let (served, tasks) = queries::order_summary(&runtime.pool, &runtime.caches.order, &caller.tenant, id).await?;
    let mut response = Json(order_view((*served.value).clone(), tasks)).into_response();
    cache_headers(response.headers_mut(), &served);
    // The tag names the order's version; its tasks move without one, so nobody may keep the body.
    response.headers_mut().insert(header::ETAG, etag(served.version));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Made of this quote.
    quote_id: Option<QuoteId>,
    /// In this state.
    state: Option<OrderState>,
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the previous page ended.
    cursor: Option<String>,
}

/// Orders, newest first.
#[utoipa::path(get, path = "/orders", tag = "orders", params(ListQuery),
    responses(
        (status = 200, description = "One page", body = Page<OrderHeader>),
        (status = 400, description = "Unknown parameter or foreign cursor", body = ProblemDocument)))]
pub async fn list_orders(
    Shared(service): Shared<State>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> ApiResult<Json<Page<OrderHeader>>> {
    caller.require(READING)?;
    // A cursor belongs to its filters: another filter is another list.
    let list = format!("orders {:?} {:?}", query.quote_id, query.state);
    let cursors = &service.runtime.cursors;
    let open = |cursor: &String| cursors.open::<OrderId>(&caller.tenant, &list, cursor);
    let before = query.cursor.as_ref().map(open).transpose()?;
    let filter = Filter { state: query.state, before };
    let (pool, limit) = (&service.runtime.pool, query.limit.plus_one());
    let rows = match query.quote_id {
        Some(quote) => queries::orders_of_quote(pool, &caller.tenant, quote, &filter).await?,
        None => queries::orders(pool, &caller.tenant, &filter, limit).await?,
    };
    let page =
        Page::from_rows(rows, query.limit, |last| cursors.seal(&caller.tenant, &list, &last.id).unwrap_or_default());
    Ok(Json(page))
}
