//! The order list: orders with what other services know of them, for screens that look for one.

use axum::{Json, extract::State as Shared};
use chrono::{DateTime, Utc};
use kernel::{CustomerId, OrderId};
use serde::{Deserialize, Serialize};
use service_runtime::{ApiResult, Caller, Limit, Moment, NamePrefix, Page, Params, ProblemDocument};
use utoipa::{IntoParams, ToSchema};

use super::{READING, State};
use crate::{
    model::{ListedOrder, OrderState},
    queries,
    store::order_list::Filter,
};

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrderListQuery {
    /// In this state.
    state: Option<OrderState>,
    /// For this customer.
    customer_id: Option<CustomerId>,
    /// Whose customer's name begins with this, in whatever case.
    customer_name: Option<NamePrefix>,
    /// Created then or later.
    created_from: Option<Moment>,
    /// Created before.
    created_before: Option<Moment>,
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the previous page ended.
    cursor: Option<String>,
}

impl OrderListQuery {
    /// The list a cursor belongs to: another filter is another list.
    fn list_name(&self) -> String {
        let (from, before) = (self.created_from, self.created_before);
        format!("orderList {:?} {:?} {:?} {from:?} {before:?}", self.state, self.customer_id, self.customer_name)
    }
}

/// One page of the order list. It is made from events and follows the orders by their delay, usually well below a second;
/// what must be certain is read from `/orders`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderList {
    /// The orders.
    items: Vec<ListedOrder>,
    /// Where the next page begins; absent after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Everything that was published before is in the list; absent before the list was ever kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<DateTime<Utc>>,
}

/// Orders with the names of their customers, newest first.
#[utoipa::path(get, path = "/order-list", tag = "orders", params(OrderListQuery),
    responses(
        (status = 200, description = "One page", body = OrderList),
        (status = 400, description = "Unknown parameter or foreign cursor", body = ProblemDocument)))]
pub async fn order_list(
    Shared(service): Shared<State>,
    caller: Caller,
    Params(query): Params<OrderListQuery>,
) -> ApiResult<Json<OrderList>> {
    caller.require(READING)?;
    let (list, cursors) = (query.list_name(), &service.runtime.cursors);
    let open = |cursor: &String| cursors.open::<OrderId>(&caller.tenant, &list, cursor);
    let filter = Filter {
        state: query.state,
        customer_id: query.customer_id,
        customer_name: query.customer_name.as_ref().map(NamePrefix::pattern),
        created_from: query.created_from.map(|Moment(at)| at),
        created_before: query.created_before.map(|Moment(at)| at),
        before: query.cursor.as_ref().map(open).transpose()?,
    };
    let limit = query.limit.plus_one();
    let (rows, as_of) = queries::order_list(&service.runtime.pool, &caller.tenant, &filter, limit).await?;
    let seal = |last: &ListedOrder| cursors.seal(&caller.tenant, &list, &last.header.id).unwrap_or_default();
    let Page { items, next_cursor } = Page::from_rows(rows, query.limit, seal);
    Ok(Json(OrderList { items, next_cursor, as_of }))
}
