//! Quote: from a first draft to the customer's yes, and the right to one order.
//!
//! Owns quotes with their numbered revisions and lines, requests for approval, acceptances, customers, the policy that says
//! which customer may have what, and the one that says how deep a discount somebody may approve (schema `quote`); the quote list,
//! made from events; the paths
//! under `/quote/v1`; the events on `quoin.quote.v1`; the keyspaces of quote summaries, of eligibility, of access and of
//! unsaved edits.
//! Asks the catalog what an offering is and pricing what it costs. Must never compute an amount: money comes only from a
//! sealed price. Must never know how an order is fulfilled.
//!
//! Reading order: [`model`] → [`rules`] (start with [`rules::transitions`]) → [`commands`] → [`queries`] → [`store`] →
//! [`http`] → [`events`] → [`mod@workers`].

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

use crate::{clients::Clients, http::Waiting};

pub use config::{Config, DEFAULTS};
pub use events::{TOPIC, published_events};

/// The service's name, which is also its schema and the first part of its paths.
pub const SERVICE: &str = "quote";

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
    /// Places of requests that wait for something to happen.
    pub waiting: Waiting,
}

impl State {
    /// Puts the parts together.
    pub fn new(runtime: ServiceState, config: Config) -> Self {
        let clients = Arc::new(Clients::new(&config));
        let webhooks = Webhooks::new(&hub::HUB, &config.webhooks);
        Self { runtime, config: Arc::new(config), webhooks, clients, waiting: Waiting::default() }
    }
}

/// The HTTP side.
pub fn router(state: State) -> Router {
    let (router, _) = service_router(SERVICE, "Quote", http::routes());
    router.with_state(state)
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    let (_, document) = service_router(SERVICE, "Quote", http::routes());
    document
}

/// The reactions this service works on; each is run by a consumer over the schema `quote`.
pub fn reactions(state: &State) -> Vec<Arc<dyn Reaction>> {
    let mut reactions = workers::reactions(&state.runtime.caches, &state.runtime.pool, &state.runtime.clock);
    reactions.push(state.webhooks.reaction());
    reactions
}

/// The tables this service makes from events; each is kept up to date by a consumer over the schema `quote`.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    workers::projections()
}

/// The loops this service runs beside its reactions. The state's pool connects as `quote_work`.
pub fn workers(state: State, stop: CancellationToken) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    let (pool, every) = (state.runtime.pool.clone(), state.config.expiry_interval());
    let callbacks = state.webhooks.worker(pool.clone(), state.runtime.clock.clone(), stop.clone());
    let sweep = workers::run_expiry(pool, every, state.runtime.hints.clone(), stop);
    vec![("quote.expiry", sweep.boxed()), callbacks]
}

/// What an auditor may ask this service about the keys it owns.
pub fn witnesses(state: &State) -> Vec<Witness> {
    audit::witnesses(state)
}
