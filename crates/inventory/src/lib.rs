//! Inventory: how much there is, to whom it is promised, and what customers have.
//!
//! Owns stock, the movements that explain it, reservations, and installed products. Must never know what a product costs or
//! why an order wants it. A product is named by the id of the catalog's offering.
//!
//! | | |
//! |---|---|
//! | tables | `inventory.product_stock`, `stock_level`, `movement`; `reservation`, `reservation_item`, `reservation_history`; `installed_product` |
//! | endpoints | `/inventory/v1/products`, `/imports/stock`, `/movements`, `/reservations`, `/installed-products`, `/reconciliation`; callbacks under `/hub` |
//! | events | publishes `StockChanged`, `StockReserved`, `ReservationCommitted`, `ReservationReleased`, `ReservationExpired`, `ProductInstalled`; reacts to its own `StockChanged` (cache) |
//! | keyspaces | inventory item by version, inventory version pointer |
//! | workers | `expiry`: ends reservations that ran out |
//!
//! Reading order: `model` (nouns) → `rules` → `commands` and `queries` → `store` → `http`, `events`, `expiry`.

pub mod audit;
pub mod commands;
pub mod config;
pub mod error;
pub mod events;
pub mod expiry;
pub mod http;
pub mod hub;
pub mod model;
pub mod queries;
pub mod rules;
pub mod store;

use std::sync::Arc;

use ::events::Reaction;
use axum::{Router, extract::FromRef};
use cache_ports::Witness;
use futures::{FutureExt, future::BoxFuture};
use service_runtime::{ServiceState, service_router};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use webhooks::Webhooks;

pub use config::{Config, DEFAULTS};
pub use events::{TOPIC, published_events};

/// The service's name, which is also its schema and the first part of its paths.
pub const SERVICE: &str = "inventory";

/// What every handler shares.
#[derive(Clone, FromRef)]
pub struct State {
    /// Pools, caches, clock and the other things every service has.
    pub runtime: ServiceState,
    /// This service's settings.
    pub config: Arc<Config>,
    /// The callbacks of integrators.
    pub webhooks: Webhooks,
}

impl State {
    /// Puts the parts together.
    pub fn new(runtime: ServiceState, config: Config) -> Self {
        let webhooks = Webhooks::new(&hub::HUB, &config.webhooks);
        Self { runtime, config: Arc::new(config), webhooks }
    }
}

/// The HTTP side.
pub fn router(state: State) -> Router {
    let (router, _) = service_router(SERVICE, "Inventory", http::routes());
    router.with_state(state)
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    let (_, document) = service_router(SERVICE, "Inventory", http::routes());
    document
}

/// The reactions this service works on; each is run by a consumer over the schema `inventory`.
pub fn reactions(state: &State) -> Vec<Arc<dyn Reaction>> {
    vec![Arc::new(events::StockReaction(state.runtime.caches.inventory.clone())), state.webhooks.reaction()]
}

/// The loops this service runs beside its reactions. The state's pool connects as `inventory_work`.
pub fn workers(state: State, stop: CancellationToken) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    let callbacks = state.webhooks.worker(state.runtime.pool.clone(), state.runtime.clock.clone(), stop.clone());
    vec![("inventory.expiry", expiry::run(state, stop).boxed()), callbacks]
}

/// What an auditor may ask this service about the keys it owns.
pub fn witnesses(state: &State) -> Vec<Witness> {
    audit::witnesses(state)
}
