//! The services by name, and what each brings along. The only file that has to learn of a new one.

use std::{fmt, sync::Arc};

use anyhow::Context;
use axum::Router;
use cache_ports::Witness;
use events::{Projected, Projection, PublishedEvent, Reaction, RepublishNames};
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use service_runtime::ServiceState;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::config::{Config, Duty, Place};

/// One of the five services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Service {
    /// Specifications, offerings, publications.
    Catalog,
    /// Price books, previews, final prices.
    Pricing,
    /// Customers, quotes, approvals.
    Quote,
    /// Orders and their fulfilment.
    Order,
    /// Stock, reservations, installed products.
    Inventory,
}

/// The same words in the crate of a service: every service crate has the same map in its `lib.rs`.
macro_rules! in_crate_of {
    ($service:expr, $it:ident => $words:expr) => {
        match $service {
            Service::Catalog => {
                use ::catalog as $it;
                $words
            }
            Service::Pricing => {
                use ::pricing as $it;
                $words
            }
            Service::Quote => {
                use ::quote as $it;
                $words
            }
            Service::Order => {
                use ::order as $it;
                $words
            }
            Service::Inventory => {
                use ::inventory as $it;
                $words
            }
        }
    };
}

/// A loop of a service's own, by name.
pub type Loop = (&'static str, BoxFuture<'static, ()>);

/// What runs for a service beside its requests.
pub struct Workers {
    /// What it does about facts; each is run as one consumer.
    pub reactions: Vec<Arc<dyn Reaction>>,
    /// Its own loops.
    pub loops: Vec<Loop>,
}

impl Service {
    /// All of them, in the order a quote passes through them.
    pub const ALL: [Self; 5] = [Self::Catalog, Self::Pricing, Self::Quote, Self::Order, Self::Inventory];

    /// Its name: schema, path, section of the settings.
    pub const fn name(self) -> &'static str {
        in_crate_of!(self, it => it::SERVICE)
    }

    /// The database role of a duty.
    pub fn role(self, duty: Duty) -> String {
        match duty {
            Duty::Serve => format!("{self}_serve"),
            Duty::Work => format!("{self}_work"),
        }
    }

    /// Where its facts are published.
    pub const fn topic(self) -> &'static str {
        in_crate_of!(self, it => it::TOPIC)
    }

    /// Where it is asked to publish facts again, and who answers.
    pub const fn requests(self) -> RepublishNames {
        match self {
            Self::Catalog => RepublishNames { consumer: "catalog.requests", topics: &["quoin.catalog.v1.requests"] },
            Self::Pricing => RepublishNames { consumer: "pricing.requests", topics: &["quoin.pricing.v1.requests"] },
            Self::Quote => RepublishNames { consumer: "quote.requests", topics: &["quoin.quote.v1.requests"] },
            Self::Order => RepublishNames { consumer: "order.requests", topics: &["quoin.order.v1.requests"] },
            Self::Inventory => {
                RepublishNames { consumer: "inventory.requests", topics: &["quoin.inventory.v1.requests"] }
            }
        }
    }

    /// What it publishes there.
    pub fn published_events(self) -> Vec<PublishedEvent> {
        in_crate_of!(self, it => it::published_events())
    }

    /// Its settings' defaults, TOML.
    pub const fn defaults(self) -> &'static str {
        in_crate_of!(self, it => it::DEFAULTS)
    }

    /// Its API.
    pub fn openapi(self) -> OpenApi {
        in_crate_of!(self, it => it::openapi())
    }

    /// Its routes. The state's pool connects for answering.
    pub fn router(self, runtime: ServiceState, config: &Config) -> anyhow::Result<Router> {
        Ok(in_crate_of!(self, it => it::router(it::State::new(runtime, self.settings(config)?))))
    }

    /// What it can say about the keys it owns.
    pub fn witnesses(self, runtime: ServiceState, config: &Config) -> anyhow::Result<Vec<Witness>> {
        Ok(in_crate_of!(self, it => it::witnesses(&it::State::new(runtime, self.settings(config)?))))
    }

    /// What it does about facts. The state's pool connects for working.
    pub fn reactions(self, runtime: ServiceState, config: &Config) -> anyhow::Result<Vec<Arc<dyn Reaction>>> {
        Ok(in_crate_of!(self, it => it::reactions(&it::State::new(runtime, self.settings(config)?))))
    }

    /// What runs beside its requests. The state's pool connects for working.
    pub fn workers(self, runtime: ServiceState, config: &Config, stop: CancellationToken) -> anyhow::Result<Workers> {
        Ok(in_crate_of!(self, it => {
            let state = it::State::new(runtime, self.settings(config)?);
            let mut reactions = it::reactions(&state);
            let live = |projection| Arc::new(Projected::live(self.name(), projection)) as Arc<dyn Reaction>;
            reactions.extend(self.projections().into_iter().map(live));
            Workers { reactions, loops: it::workers(state, stop) }
        }))
    }

    /// The tables it makes from events.
    pub fn projections(self) -> Vec<Arc<dyn Projection>> {
        match self {
            Self::Quote => ::quote::projections(),
            Self::Order => ::order::projections(),
            Self::Catalog | Self::Pricing | Self::Inventory => Vec::new(),
        }
    }

    /// Its section of the settings, without what is ours, and with the addresses of the services it calls and what all
    /// services have in common.
    fn settings<T: DeserializeOwned>(self, config: &Config) -> anyhow::Result<T> {
        let urls = Self::ALL.map(|other| (format!("{other}_url"), config.url_of(other).to_owned()));
        let section = config.settings.section_of(self.name(), &Place::KEYS, &urls, &["webhooks"]);
        section.with_context(|| format!("section {self}"))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_called_what_its_folder_is_called() {
        let names: Vec<&str> = Service::ALL.iter().map(|service| service.name()).collect();
        assert_eq!(names, ["catalog", "pricing", "quote", "order", "inventory"]);
        for service in Service::ALL {
            assert_eq!(service.topic(), format!("quoin.{service}.v1"));
            assert_eq!(service.requests().topics, [events::requests_topic(service.topic())]);
            assert_eq!(service.requests().consumer, format!("{service}.requests"));
        }
    }
}
