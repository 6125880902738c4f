//! The HTTP face of inventory: routes on one screen, and what each refusal is called on the wire.
//!
//! - `stock`: products, their movements, imports, reconciliation; `reservations`: reserve, commit, release;
//!   `installed`: installed products; `views`: the JSON of all of them

pub mod installed;
pub mod reservations;
pub mod stock;
pub mod views;

use http::StatusCode;
use service_runtime::{Caller, FieldProblem, Problem, Role};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    State,
    error::InventoryError,
    events::Occasion,
    model::{Finding, Shortage},
};

/// Who moves stock.
const STOCK_KEEPERS: &[Role] = &[Role::CatalogAdmin, Role::OrderAgent, Role::FulfilmentAgent, Role::System];
/// Who promises stock to orders, takes it, and installs products.
const FULFILLERS: &[Role] = &[Role::OrderAgent, Role::FulfilmentAgent, Role::System];

/// Every route, relative to the service's base path.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(stock::list_products))
        .routes(routes!(stock::get_stock))
        .routes(routes!(stock::list_movements))
        .routes(routes!(stock::record_movement))
        .routes(routes!(stock::import_stock))
        .routes(routes!(stock::get_reconciliation))
        .routes(routes!(reservations::reserve_stock))
        .routes(routes!(reservations::get_reservation))
        .routes(routes!(reservations::commit_reservation))
        .routes(routes!(reservations::release_reservation))
        .routes(routes!(installed::install_products, installed::list_installed_products))
        .merge(webhooks::routes())
}

/// What the facts of a request have in common.
fn occasion<'a>(state: &State, caller: &'a Caller) -> Occasion<'a> {
    Occasion {
        tenant: &caller.tenant,
        actor: &caller.subject,
        correlation_id: Some(&caller.correlation_id),
        at: state.runtime.clock.now(),
    }
}

impl From<InventoryError> for Problem {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::NotFound(what) => Self::not_found(what),
            InventoryError::Invalid(findings) => Self::invalid().fields(findings.into_iter().map(field)),
            InventoryError::InsufficientStock(shortages) => {
                Self::conflict("insufficient-stock", "Not everything can be promised")
                    .fields(shortages.iter().map(shortage))
            }
            InventoryError::StockGone => Self::conflict("insufficient-stock", "The stock is not there any more"),
            InventoryError::ReferenceTaken => {
                Self::conflict("reference-taken", "The reference already reserves something else").pointer(
                    "/reference",
                    "reference-taken",
                    "a reservation with other items is held or committed for this reference",
                )
            }
            InventoryError::ReferenceReused(findings) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "reference-reused", "A reference names one movement")
                    .fields(findings.into_iter().map(field))
            }
            InventoryError::IllegalTransition { from, to, allowed } => {
                Self::conflict("illegal-transition", "The reservation is in another state")
                    .detail(format!("{} cannot become {}", from.word(), to.word()))
                    .allowed(allowed.into_iter().map(crate::model::ReservationState::word))
            }
            InventoryError::Stale { current } => Self::precondition_failed(current),
            InventoryError::ExternalIdTaken => {
                Self::conflict("external-id-taken", "Another product has this external id")
            }
            InventoryError::Contended => Self::conflict("contended", "Somebody did the same at the same time")
                .retry_after(std::time::Duration::from_secs(1)),
            InventoryError::Read(error) => error.into(),
            InventoryError::Database(error) | InventoryError::Outbox(events::OutboxError::Database(error)) => {
                error.into()
            }
            error @ (InventoryError::UnknownWord(_)
            | InventoryError::NotCanonical(_)
            | InventoryError::Outbox(_)
            | InventoryError::Payload(_)) => Self::internal(error),
        }
    }
}

fn field(finding: Finding) -> FieldProblem {
    FieldProblem::new(finding.pointer, finding.code, finding.detail)
}

fn shortage(shortage: &Shortage) -> FieldProblem {
    let detail = format!("{} wanted, {} available", shortage.wanted.normalize(), shortage.available.normalize());
    FieldProblem::new(format!("/items/{}/quantity", shortage.line), "insufficient-stock", detail)
}
