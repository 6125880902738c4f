//! Webhooks: integrators register a callback at a service and receive its events there, signed, in each aggregate's order,
//! again and again until they are acknowledged, and once more from any number on while they are kept.
//!
//! The way of an event: the service's topic → [`mod@feed`] (a number without gaps in the tenant's feed) → the queue of each
//! subscription → `dispatch` (taken under a term, sent, acknowledged) → the receiver.
//!
//! Owns the tables `platform.create_webhooks` makes in a service's schema, and `/<service>/v1/hub`, TM Forum's word for
//! registering listeners (TMF630). Must never know what an event means, and never change its payload.
//!
//! Reading order: [`model`] → [`rules`] → [`commands`] → [`store`] → [`http`] → [`mod@feed`] → `dispatch` → [`upkeep`].

pub mod commands;
pub mod config;
mod dispatch;
pub mod error;
pub mod feed;
pub mod http;
pub mod model;
pub mod resolver;
pub mod rules;
pub mod sender;
pub mod store;
pub mod upkeep;

use std::sync::Arc;

use events::Reaction;
use futures::future::BoxFuture;
use kernel::SharedClock;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use config::{Config, DEFAULTS};
pub use http::routes;

use crate::{
    dispatch::Dispatcher,
    error::{HubError, HubResult},
    feed::Feed,
    resolver::Reach,
    rules::{callback, filter::Vocabulary},
};

/// What a service says about the events it lets integrators hear.
#[derive(Debug)]
pub struct Hub {
    /// The service's name, which is also its schema.
    pub service: &'static str,
    /// The stable name of the consumer that writes the feed: `quote.webhooks`.
    pub consumer: &'static str,
    /// The service's topic.
    pub topics: &'static [&'static str],
    /// What a filter may name.
    pub vocabulary: Vocabulary,
}

/// The callbacks of one service, shared by its handlers and its workers.
#[derive(Clone)]
pub struct Webhooks {
    hub: &'static Hub,
    config: Arc<Config>,
    hint: Arc<Notify>,
}

impl Webhooks {
    /// Those of `hub`.
    pub fn new(hub: &'static Hub, config: &Config) -> Self {
        Self { hub, config: Arc::new(config.clone()), hint: Arc::default() }
    }

    /// What writes the feed.
    pub fn reaction(&self) -> Arc<dyn Reaction> {
        Arc::new(Feed::new(self.hub, Arc::clone(&self.hint)))
    }

    /// The loop that sends and looks after the feed, with its name. `pool` connects as the work role.
    pub fn worker(
        &self,
        pool: PgPool,
        clock: SharedClock,
        stop: CancellationToken,
    ) -> (&'static str, BoxFuture<'static, ()>) {
        let (hub, config, hint) = (self.hub, Arc::clone(&self.config), Arc::clone(&self.hint));
        let sending = Dispatcher::new(hub, Arc::clone(&config), pool.clone(), clock.clone(), hint).run(stop.clone());
        let upkeep = upkeep::run(hub, config, pool, clock, stop);
        let both = async move {
            tokio::join!(sending, upkeep);
        };
        (hub.consumer, Box::pin(both))
    }

    /// Refuses a callback that could not be sent to: what it looks like, and where it is now.
    async fn check_callback(&self, text: &str) -> HubResult<()> {
        let url = callback::parse(text, self.config.allow_http).map_err(HubError::Callback)?;
        let reach = if self.config.allow_private_addresses { Reach::Anywhere } else { Reach::Public };
        reach.find(&url).await.map(drop).map_err(HubError::Callback)
    }
}
