//! Customers over HTTP.

use std::collections::HashSet;

use axum::{Json, extract::State as Shared, response::Response};
use kernel::{CustomerId, Version};
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Caller, CommandResponse, FieldProblem, Limit, OptionalIdempotencyKey, Page, Params, PathId, Problem,
    ProblemDocument, Role, Valid, Versioned, idempotent,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    State,
    bodies::{CustomerBody, ImportBody},
    quotes::READING,
};
use crate::{
    commands::{self, Actor, ImportedCustomer, Outcome},
    model::Customer,
    queries,
};

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// New customers.
    created: usize,
    /// Customers that were known with other properties.
    updated: usize,
    /// Customers that were known as they are.
    unchanged: usize,
    /// In the order of the request.
    items: Vec<ImportedItem>,
}

/// What an import did with one customer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedItem {
    /// The id in the tenant's own system.
    external_id: String,
    /// Ours.
    customer_id: CustomerId,
    /// What was done.
    outcome: Outcome,
}

impl From<Vec<ImportedCustomer>> for ImportReport {
    fn from(imported: Vec<ImportedCustomer>) -> Self {
        let count = |outcome| imported.iter().filter(|customer| customer.outcome() == outcome).count();
        let (created, updated, unchanged) =
            (count(Outcome::Created), count(Outcome::Updated), count(Outcome::Unchanged));
        let item = |customer: ImportedCustomer| {
            let outcome = customer.outcome();
            ImportedItem { external_id: customer.external_id, customer_id: customer.customer_id, outcome }
        };
        Self { created, updated, unchanged, items: imported.into_iter().map(item).collect() }
    }
}

/// Imports customers, all or none; the same import again changes nothing.
#[utoipa::path(post, path = "/imports/customers", tag = "customers", request_body = ImportBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition answer the first result")),
    responses(
        (status = 200, description = "What was done", body = ImportReport),
        (status = 422, description = "The request breaks a rule; nothing was imported", body = ProblemDocument)))]
pub async fn import_customers(
    Shared(service): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<ImportBody>,
) -> ApiResult<Response> {
    caller.require(&[Role::SalesRep, Role::DealDesk, Role::CatalogAdmin, Role::System])?;
    check_distinct(&body.items)?;
    let now = service.runtime.clock.now();
    let fingerprint = serde_json::to_value(&body).map_err(Problem::internal)?;
    let new = body.items.into_iter().map(CustomerBody::into_new).collect();
    let mut changed = Vec::new();
    let imported =
        idempotent(&service.runtime, &caller, key.as_ref(), "quote.importCustomers", &fingerprint, async |tx| {
            let done = commands::import_customers(tx, &Actor::from(&caller), new, now).await?;
            changed = done.iter().filter_map(|one| one.changed.map(|version| (one.customer_id, version))).collect();
            CommandResponse::ok(&ImportReport::from(done))
        });
    let response = imported.await;
    if response.status().is_success() {
        tell_soon(&service, &caller, changed);
    }
    Ok(response)
}

/// The fast path of invalidation: best effort, off the request's path. The events do the same for certain.
fn tell_soon(service: &State, caller: &Caller, changed: Vec<(CustomerId, Version)>) {
    let (cache, tenant) = (service.runtime.caches.eligibility.clone(), caller.tenant.clone());
    tokio::spawn(async move {
        for (customer, version) in changed {
            if cache.customer_changed(&tenant, customer, version).await.is_err() {
                // A store that is away would cost its whole budget for each of the others.
                return;
            }
        }
    });
}

fn check_distinct(items: &[CustomerBody]) -> ApiResult<()> {
    let mut seen = HashSet::new();
    let repeated = items.iter().enumerate().filter(|(_, item)| !seen.insert(item.external_id.as_str()));
    let fields: Vec<FieldProblem> = repeated
        .map(|(position, _)| {
            FieldProblem::new(format!("/items/{position}/externalId"), "duplicate", "is in this import already")
        })
        .collect();
    if fields.is_empty() { Ok(()) } else { Err(Problem::invalid().fields(fields)) }
}

/// Which customers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CustomersQuery {
    /// With this id in the tenant's own system, exactly.
    external_id: Option<String>,
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the previous page ended.
    cursor: Option<String>,
}

/// Customers, oldest first.
#[utoipa::path(get, path = "/customers", tag = "customers", params(CustomersQuery),
    responses(
        (status = 200, description = "One page", body = Page<Customer>),
        (status = 400, description = "Unknown parameter or foreign cursor", body = ProblemDocument)))]
pub async fn list_customers(
    Shared(service): Shared<State>,
    caller: Caller,
    Params(query): Params<CustomersQuery>,
) -> ApiResult<Json<Page<Customer>>> {
    caller.require(READING)?;
    let list = format!("customers {:?}", query.external_id);
    let runtime = &service.runtime;
    let open = |cursor: &String| runtime.cursors.open::<CustomerId>(&caller.tenant, &list, cursor);
    let after = query.cursor.as_ref().map(open).transpose()?;
    let external_id = query.external_id.as_deref();
    let rows = queries::customers(&runtime.pool, &caller.tenant, external_id, after, query.limit.plus_one()).await?;
    let page = Page::from_rows(rows, query.limit, |last| {
        runtime.cursors.seal(&caller.tenant, &list, &last.id).unwrap_or_default()
    });
    Ok(Json(page))
}

/// One customer.
#[utoipa::path(get, path = "/customers/{id}", tag = "customers", params(("id" = CustomerId, Path)),
    responses(
        (status = 200, description = "The customer", body = Customer),
        (status = 404, description = "No such customer", body = ProblemDocument)))]
pub async fn customer_by_id(
    Shared(service): Shared<State>,
    caller: Caller,
    PathId(id): PathId<CustomerId>,
) -> ApiResult<Versioned<Customer>> {
    caller.require(READING)?;
    let customer = queries::customer(&service.runtime.pool, &caller.tenant, id).await?;
    let version = customer.version;
    Ok(Versioned(customer, version))
}
