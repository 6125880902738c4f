//! The catalog service: what a tenant sells, drafted in a working copy and frozen into publications.
//!
//! **Owns** specifications, offerings, prices, publications and which of them is in force; whether a configuration is
//! legal. **Must never know** what anything costs in a quote (pricing), how much is in stock (inventory), or a cache's
//! keys.
//!
//! | | |
//! |---|---|
//! | Tables | `catalog.specification`, `offering`, `price`, `lifecycle_transition`, `lifecycle_history`; `publication`, `publication_offering`, `active_publication`, `activation_history`; outbox, positions, idempotency records |
//! | Endpoints | `/catalog/v1/{specifications,offerings,prices}`, `/imports`, `/publications` with `active`, `{id}/activate`, `{id}/offerings`, `{id}/configurations/validate`; callbacks under `/hub` |
//! | Publishes | `SpecificationChanged`, `OfferingChanged`, `PriceChanged`, `CatalogPublished`, `CatalogPublicationActivated` |
//! | Reacts to | its own `CatalogPublicationActivated`: moves the cached pointer, queues what is worth warming |
//! | Keyspaces | catalog offering, missing catalog item, active publication pointer, catalog search page, live counter, most counted, warm queue |
//!
//! Reading order: `model` → `rules` → `commands` and `queries` → `store` → `http` → `events`.

pub mod audit;
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
pub mod warming;
pub mod words;

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
pub const SERVICE: &str = "catalog";

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
    let (router, _) = service_router(SERVICE, "Catalog", http::routes());
    router.with_state(state)
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    let (_, document) = service_router(SERVICE, "Catalog", http::routes());
    document
}

/// The reactions this service works on; each is run by a consumer over the schema `catalog`.
pub fn reactions(state: &State) -> Vec<Arc<dyn Reaction>> {
    vec![
        Arc::new(events::ActivePublicationReaction(state.runtime.caches.catalog.clone())),
        Arc::new(events::WarmReaction(state.clone())),
        state.webhooks.reaction(),
    ]
}

/// The loops this service runs beside its reactions. The state's pool connects as `catalog_work`.
pub fn workers(state: State, stop: CancellationToken) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    let worker = format!("{SERVICE}:{}", uuid::Uuid::now_v7());
    let callbacks = state.webhooks.worker(state.runtime.pool.clone(), state.runtime.clock.clone(), stop.clone());
    vec![("catalog.warming", warming::run(state, worker, stop).boxed()), callbacks]
}

/// What an auditor may ask this service about the keys it owns.
pub fn witnesses(state: &State) -> Vec<Witness> {
    audit::witnesses(state)
}
