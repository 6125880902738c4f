//! The catalog over HTTP: all routes on this screen, one file a resource beneath.
//!
//! Owns paths, roles, bodies, and what an error means to a client. Must never decide about catalogs: a handler takes the
//! request apart, calls one command or query, and puts the answer together.

mod configurations;
mod imports;
mod offerings;
mod prices;
mod problems;
mod publications;
mod specifications;
mod views;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use service_runtime::{ApiResult, Caller, IfNoneMatch, Limit, Page, Problem, Role, Versioned, etag, parse_valid};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use validator::{Validate, ValidationErrors};

use crate::{
    State,
    events::Occasion,
    rules::merge_patch::{Patch, merge_patch},
};

/// Every route, below `/catalog/v1`.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(specifications::create_specification, specifications::list_specifications))
        .routes(routes!(specifications::read_specification, specifications::patch_specification))
        .routes(routes!(offerings::create_offering, offerings::list_offerings))
        .routes(routes!(offerings::read_offering, offerings::patch_offering))
        .routes(routes!(prices::create_price, prices::list_prices))
        .routes(routes!(prices::read_price, prices::patch_price))
        .routes(routes!(imports::import_offerings))
        .routes(routes!(publications::publish, publications::list_publications))
        .routes(routes!(publications::read_active_publication))
        .routes(routes!(publications::read_publication))
        .routes(routes!(publications::activate_publication))
        .routes(routes!(publications::search_publication))
        .routes(routes!(publications::read_frozen_offering))
        .routes(routes!(views::most_viewed_offerings))
        .routes(routes!(configurations::validate_configuration))
        .merge(webhooks::routes())
}

/// Who may change the catalog.
const EDITORS: [Role; 2] = [Role::CatalogAdmin, Role::System];

/// A body whose rules are in [`crate::rules`]: the command judges it, and says what is wrong with the same pointers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct ByRules<T>(T);

impl<T> Validate for ByRules<T> {
    fn validate(&self) -> Result<(), ValidationErrors> {
        Ok(())
    }
}

/// What every list of the working copy takes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DraftListParams {
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the page before said the next begins.
    cursor: Option<String>,
    /// Only the one with this external id.
    external_id: Option<String>,
}

/// The occasion of a command: who, for whom, when.
fn occasion<'a>(state: &State, caller: &'a Caller) -> Occasion<'a> {
    Occasion {
        tenant: &caller.tenant,
        actor: &caller.subject,
        correlation_id: &caller.correlation_id,
        at: state.runtime.clock.now(),
    }
}

/// A draft after a merge patch (RFC 7396), parsed by the same rules as a new one.
fn patched<T: Serialize + DeserializeOwned>(draft: &T, Patch(patch): Patch) -> ApiResult<T> {
    let merged = merge_patch(serde_json::to_value(draft).map_err(Problem::internal)?, patch);
    let text = serde_json::to_vec(&merged).map_err(Problem::internal)?;
    parse_valid::<ByRules<T>>(&text).map(|ByRules(draft)| draft)
}

/// 304 if the caller has this version already, else the object.
fn not_modified_or<T: Serialize>(held: &IfNoneMatch, found: Versioned<T>) -> Response {
    let Versioned(_, version) = found;
    if held.matches(version) {
        (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(version))]).into_response()
    } else {
        found.into_response()
    }
}

/// Opens a cursor of the list `list`.
fn opened<P: DeserializeOwned>(
    state: &State,
    caller: &Caller,
    list: &str,
    cursor: Option<&str>,
) -> ApiResult<Option<P>> {
    cursor.map(|cursor| state.runtime.cursors.open(&caller.tenant, list, cursor)).transpose()
}

/// A page of `limit + 1` rows of the list `list`; `position` is the sort key of a row.
fn page<T, P: Serialize>(
    state: &State,
    caller: &Caller,
    list: &str,
    mut rows: Vec<T>,
    limit: Limit,
    position: impl FnOnce(&T) -> P,
) -> ApiResult<Page<T>> {
    let size = limit.get() as usize;
    let more = rows.len() > size;
    rows.truncate(size);
    let end = rows.last().filter(|_| more).map(position);
    let next_cursor = end.map(|end| state.runtime.cursors.seal(&caller.tenant, list, &end)).transpose()?;
    Ok(Page { items: rows, next_cursor })
}
