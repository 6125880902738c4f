//! The quote service over HTTP: every route on one screen.
//!
//! Handlers parse, ask for a role, run one command or query, and answer. Mutations of an existing quote need If-Match;
//! accept, approve, reject and cancel need an Idempotency-Key instead. Must never decide anything about a quote.

mod bodies;
mod customers;
mod decisions;
mod items;
mod lists;
mod offers;
mod problem;
mod quotes;
mod respond;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use service_runtime::{ServiceState, service_router};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{clients::Clients, config::QuoteConfig};

/// What the handlers of this service share.
#[derive(Clone, FromRef)]
pub struct QuoteService {
    /// What every service has.
    pub runtime: ServiceState,
    /// The service's settings.
    pub config: Arc<QuoteConfig>,
    /// The services it calls.
    pub clients: Arc<Clients>,
}

/// The routes and their document.
pub fn router(service: QuoteService) -> (Router, OpenApi) {
    let routes = OpenApiRouter::new()
        .routes(routes!(customers::import_customers))
        .routes(routes!(customers::list_customers))
        .routes(routes!(customers::customer_by_id))
        .routes(routes!(quotes::create_quote, lists::list_quotes))
        .routes(routes!(quotes::quote_by_id))
        .routes(routes!(quotes::history_of_quote))
        .routes(routes!(quotes::revision_by_no))
        .routes(routes!(quotes::acceptance_of_revision))
        .routes(routes!(items::add_item))
        .routes(routes!(items::change_item, items::remove_item))
        .routes(routes!(decisions::price_revision))
        .routes(routes!(decisions::submit_revision))
        .routes(routes!(decisions::approve_revision))
        .routes(routes!(decisions::reject_revision))
        .routes(routes!(decisions::recall_revision))
        .routes(routes!(offers::present_revision))
        .routes(routes!(offers::accept_revision))
        .routes(routes!(offers::decline_revision))
        .routes(routes!(offers::request_changes))
        .routes(routes!(offers::unable_to_provide))
        .routes(routes!(offers::open_revision))
        .routes(routes!(offers::cancel_quote))
        .routes(routes!(offers::lose_quote));
    let (paths, document) = service_router(crate::SERVICE, "quoin quote", routes);
    (paths.with_state(service), document)
}
