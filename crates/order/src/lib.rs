//! Order: from an accepted quote to delivered, handed to invoicing, and given back where it is cancelled.
//!
//! Owns orders with their items, the tasks that fulfil them, cancellations and the hand-off to invoicing (schema `order`,
//! quoted in SQL because it is a reserved word); the paths under `/order/v1`; the events on `quoin.order.v1`; the keyspaces
//! of order and workflow summaries; the order list, made from events. Asks the quote service what was accepted and inventory for stock. Must never price anything: amounts
//! come from the acceptance, credits are parts of them.
//!
//! Reading order: [`model`] → [`rules`] → [`commands`] → [`runner`] → [`queries`] → [`store`] → [`http`] → [`events`] →
//! [`mod@workers`].

pub mod audit;
pub mod clients;
pub mod commands;
pub mod config;
pub mod error;
pub mod events;
pub mod http;
pub mod hub;
pub mod model;
pub mod queries;
pub mod rules;
pub mod runner;
pub mod store;
pub mod workers;

use std::sync::Arc;

use ::events::{Projection, Reaction};
use axum::{Router, extract::FromRef};
use cache_ports::Witness;
use futures::{FutureExt, future::BoxFuture};
use service_runtime::{ServiceState, service_router};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use webhooks::Webhooks;

use crate::{clients::Clients, runner::RunnerParts};

pub use config::{Config, DEFAULTS};
pub use events::{TOPIC, published_events};

/// The service's name, which is also its schema and the first part of its paths.
pub const SERVICE: &str = "order";

/// What every handler shares.
#[derive(Clone, FromRef)]
pub struct State {
    /// Pools, caches, clock and the other things every service has.
    pub runtime: ServiceState,
    /// This service's settings.
    pub config: Arc<Config>,
    /// The callbacks of integrators.
    pub webhooks: Webhooks,
    /// The services it calls.
    pub clients: Arc<Clients>,
}

impl State {
    /// Puts the parts together.
    pub fn new(runtime: ServiceState, config: Config) -> Self {
        let clients = Arc::new(Clients::new(&config));
        let webhooks = Webhooks::new(&hub::HUB, &config.webhooks);
        Self { runtime, config: Arc::new(config), webhooks, clients }
    }
}

/// The HTTP side.
pub fn router(state: State) -> Router {
    let (router, _) = service_router(SERVICE, "Order", http::routes());
    router.with_state(state)
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    let (_, document) = service_router(SERVICE, "Order", http::routes());
    document
}

/// The reactions this service works on; each is run by a consumer over the schema `order`.
pub fn reactions(state: &State) -> Vec<Arc<dyn Reaction>> {
    let mut reactions = workers::reactions(&state.config, &state.runtime.caches);
    reactions.push(state.webhooks.reaction());
    reactions
}

/// The tables this service makes from events; each is kept up to date by a consumer over the schema `order`.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    workers::projections()
}

/// The loops this service runs beside its reactions. The state's pool connects as `order_work`.
pub fn workers(state: State, stop: CancellationToken) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    let callbacks = state.webhooks.worker(state.runtime.pool.clone(), state.runtime.clock.clone(), stop.clone());
    vec![("order.fulfilment", workers::run_fulfilment(RunnerParts::of(&state), stop).boxed()), callbacks]
}

/// What an auditor may ask this service about the keys it owns.
pub fn witnesses(state: &State) -> Vec<Witness> {
    audit::witnesses(state)
}
