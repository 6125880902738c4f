//! Lists of quotes.

use axum::{Json, extract::State as Shared};
use kernel::{CustomerId, QuoteId};
use serde::Deserialize;
use service_runtime::{ApiResult, Caller, Limit, Page, Params, ProblemDocument};
use utoipa::IntoParams;

use super::{State, quotes::READING};
use crate::{
    model::{QuoteHeader, QuoteState},
    queries,
    rules::visibility::header_shown_to,
    store::headers::Filter,
};

/// Which quotes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// In this state.
    state: Option<QuoteState>,
    /// For this customer.
    customer_id: Option<CustomerId>,
    /// With this id in the tenant's own system, exactly.
    external_id: Option<String>,
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the previous page ended.
    cursor: Option<String>,
}

impl ListQuery {
    /// The list a cursor belongs to: another filter is another list.
    fn list_name(&self) -> String {
        format!("quotes {:?} {:?} {:?}", self.state, self.customer_id, self.external_id)
    }
}

/// Quotes with their current revisions, newest first.
#[utoipa::path(get, path = "/quotes", tag = "quotes", params(ListQuery),
    responses(
        (status = 200, description = "One page", body = Page<QuoteHeader>),
        (status = 400, description = "Unknown parameter or foreign cursor", body = ProblemDocument)))]
pub async fn list_quotes(
    Shared(service): Shared<State>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> ApiResult<Json<Page<QuoteHeader>>> {
    caller.require(READING)?;
    let (list, cursors) = (query.list_name(), &service.runtime.cursors);
    let open = |cursor: &String| cursors.open::<QuoteId>(&caller.tenant, &list, cursor);
    let before = query.cursor.as_ref().map(open).transpose()?;
    let filter = Filter { state: query.state, customer_id: query.customer_id, before };
    let (pool, limit) = (&service.runtime.pool, query.limit.plus_one());
    let rows = match &query.external_id {
        Some(external_id) => queries::quote_by_external_id(pool, &caller.tenant, external_id, &filter).await?,
        None => queries::quotes(pool, &caller.tenant, &filter, limit).await?,
    };
    let page =
        Page::from_rows(rows, query.limit, |last| cursors.seal(&caller.tenant, &list, &last.id).unwrap_or_default());
    let now = service.runtime.clock.now();
    Ok(Json(page.map(|header| header_shown_to(caller.roles, now, header))))
}
