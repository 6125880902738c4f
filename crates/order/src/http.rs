//! The order service over HTTP: every route on one screen.
//!
//! Handlers parse, ask for a role, run one command or query, and answer. Creating and cancelling need an Idempotency-Key.
//! Must never decide anything about an order.

mod bodies;
mod cancellations;
mod order_list;
mod orders;
mod problem;
mod tasks;
mod views;
mod workflow;

use service_runtime::Role;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::State;

/// Who reads orders.
const READING: &[Role] = &[
    Role::Buyer,
    Role::SalesRep,
    Role::DealDesk,
    Role::Approver,
    Role::OrderAgent,
    Role::FulfilmentAgent,
    Role::System,
];

/// Who orders, and who cancels.
const ORDERING: &[Role] = &[Role::Buyer, Role::SalesRep, Role::DealDesk, Role::OrderAgent, Role::System];

/// Who looks after tasks that fell out.
const FULFILLING: &[Role] = &[Role::OrderAgent, Role::FulfilmentAgent, Role::System];

/// Every route, relative to the service's base path.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(orders::create_order, orders::list_orders))
        .routes(routes!(order_list::order_list))
        .routes(routes!(orders::order_by_id))
        .routes(routes!(workflow::workflow_of_order))
        .routes(routes!(cancellations::request_cancellation, cancellations::list_cancellations))
        .routes(routes!(cancellations::cancellation_by_id))
        .routes(routes!(tasks::retry_task))
        .merge(webhooks::routes())
}
