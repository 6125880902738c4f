//! Who reads which events: asked of the services' own reactions.
//!
//! Owns putting the reactions together without any server. They are asked what they read and never run.

use std::sync::Arc;

use events::{Guard, InProcessBus, Reaction};

use crate::{
    app::{Log, Parts},
    config::{CacheBackend, Config, Duty},
    services::Service,
};

/// Where nobody will connect.
const NOWHERE: &str = "postgres://nobody@127.0.0.1/nothing";

/// A consumer of the product.
pub struct ReadingService {
    /// Whose it is.
    pub service: Service,
    /// What it does.
    pub reaction: Arc<dyn Reaction>,
}

impl ReadingService {
    /// How it treats an event of `publisher`; nothing where it does not read it.
    pub fn guard(&self, publisher: Service, event_type: &str) -> Option<Guard> {
        let reads = self.reaction.topics().contains(&publisher.topic());
        let guard = reads.then(|| self.reaction.guard(event_type));
        guard.filter(|guard| *guard != Guard::Ignore)
    }
}

/// All consumers of the product.
pub async fn all() -> anyhow::Result<Vec<ReadingService>> {
    let mut config = Config::load(None)?;
    config.owner.database_url = NOWHERE.into();
    config.cache.backend = CacheBackend::None;
    of(&Parts::new(config, Log::InProcess(InProcessBus::new())).await?)
}

/// All consumers over the parts of a process.
pub fn of(parts: &Parts) -> anyhow::Result<Vec<ReadingService>> {
    let mut all = Vec::new();
    for service in Service::ALL {
        let state = parts.state(service, parts.pool(service, Duty::Work)?);
        let reactions = service.reactions(state, &parts.config)?;
        all.extend(reactions.into_iter().map(|reaction| ReadingService { service, reaction }));
    }
    Ok(all)
}

/// A guard in words.
pub(super) const fn in_words(guard: Guard) -> &'static str {
    match guard {
        Guard::Ignore => "not read",
        Guard::CountOnly => "counted only",
        Guard::StateCarrying => "whole state: if newer",
        Guard::Delta => "change: only if next",
        Guard::EveryOnce => "every one, once",
    }
}
