//! Pricing: price books, previews, and final prices that are evidence.
//!
//! Owns what an offering costs and how a price came about. Must never know what a quote is worth to anyone, or whether an
//! offering exists: it is given ids.
//!
//! | | |
//! |---|---|
//! | tables | `pricing.price_book`, `price_book_version`, `price_book_entry` (immutable versions); `price_result`, `price_component`, `price_seal`, `evidence_chain` (evidence) |
//! | endpoints | `/pricing/v1/price-books`, `/price-previews`, `/final-prices`, `/price-results`; callbacks under `/hub` |
//! | events | publishes `PriceBookUpdated`, `FinalPriceSealed`; reacts to its own `PriceBookUpdated` (cache) |
//! | keyspaces | price book, price book version pointer, price preview, final price display |
//!
//! Reading order: `model` (nouns) → `rules` (the engine) → `commands` and `queries` → `store` → `http`, `events`.

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

use std::sync::Arc;

use ::events::Reaction;
use axum::{Router, extract::FromRef};
use cache_ports::Witness;
use futures::future::BoxFuture;
use service_runtime::{ServiceState, service_router};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use webhooks::Webhooks;

pub use config::{Config, DEFAULTS};
pub use events::{TOPIC, published_events};

/// The service's name, which is also its schema and the first part of its paths.
pub const SERVICE: &str = "pricing";

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
    let (router, _) = service_router(SERVICE, "Pricing", http::routes());
    router.with_state(state)
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> OpenApi {
    let (_, document) = service_router(SERVICE, "Pricing", http::routes());
    document
}

/// The reactions this service works on; each is run by a consumer over the schema `pricing`.
pub fn reactions(state: &State) -> Vec<Arc<dyn Reaction>> {
    vec![Arc::new(events::PriceBookReaction(state.runtime.caches.pricing.clone())), state.webhooks.reaction()]
}

/// The loops this service runs beside its reactions: it serves callbacks. Nothing in pricing happens because time passes.
/// The state's pool connects as `pricing_work`.
pub fn workers(state: State, stop: CancellationToken) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    vec![state.webhooks.worker(state.runtime.pool.clone(), state.runtime.clock.clone(), stop)]
}

/// What an auditor may ask this service about the keys it owns.
pub fn witnesses(state: &State) -> Vec<Witness> {
    audit::witnesses(state)
}
