//! `quoin events parked`, `redrive`, `discard`.

use std::{fmt, sync::Arc};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use events::{ParkedEvent, ParkedKey, ParkingLot, Reaction};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Age;
use crate::{
    app::{Parts, answering},
    config::{CacheBackend, Duty},
    progress::Progress,
    services::Service,
    upkeep,
};

/// What some services have parked.
#[derive(Debug, Serialize)]
pub struct ParkedSummary {
    /// Parked keys, the oldest of each service first.
    pub keys: Vec<KeySummary>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// A parked key and, where they were asked for, its events.
#[derive(Debug, Serialize)]
pub struct KeySummary {
    /// Whose consumer.
    pub service: &'static str,
    /// The key.
    #[serde(flatten)]
    pub key: ParkedKey,
    /// Its events in the order in which they will be applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<ParkedEvent>,
}

/// Which parked keys are meant; what is left out matches.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Of this consumer.
    pub consumer: Option<String>,
    /// This key.
    pub key: Option<String>,
}

impl Chosen {
    fn matches(&self, parked: &ParkedKey) -> bool {
        self.consumer.as_ref().is_none_or(|consumer| *consumer == parked.consumer)
            && self.key.as_ref().is_none_or(|key| *key == parked.event_key)
    }
}

fn lot(parts: &Parts, service: Service) -> anyhow::Result<ParkingLot> {
    Ok(ParkingLot::of(parts.pool(service, Duty::Work)?, service.name()))
}

async fn keys(lot: &ParkingLot, service: Service, chosen: &Chosen) -> anyhow::Result<Vec<ParkedKey>> {
    let mut keys = lot.keys().await.with_context(|| format!("the parking lot of {service} cannot be read"))?;
    keys.retain(|key| chosen.matches(key));
    Ok(keys)
}

/// Lists what is parked; of a single key its events too.
pub async fn parked(parts: &Parts, services: &[Service], chosen: &Chosen) -> anyhow::Result<ParkedSummary> {
    let mut found = Vec::new();
    for service in services {
        let lot = lot(parts, *service)?;
        for key in keys(&lot, *service, chosen).await? {
            let queue =
                if chosen.key.is_some() { lot.events(&key.consumer, &key.event_key).await? } else { Vec::new() };
            found.push(KeySummary { service: service.name(), key, queue });
        }
    }
    Ok(ParkedSummary { keys: found, now: parts.now() })
}

impl fmt::Display for ParkedSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.is_empty() {
            return writeln!(f, "nothing is parked");
        }
        for KeySummary { service, key, queue } in &self.keys {
            let age = Age::at(self.now, key.parked_at);
            writeln!(f, "{service} · {} · {}", key.consumer, key.event_key)?;
            let why = match key.wanted_version {
                Some(version) => format!("version {version} is missing"),
                None => key.error.clone().unwrap_or_else(|| key.reason.clone()),
            };
            writeln!(f, "  for {age}, {} events: {why}", key.events)?;
            for event in queue {
                let (kind, version) = (event.event_type.as_deref().unwrap_or("no event"), event.aggregate_version);
                let version = version.map_or_else(|| "–".to_owned(), |version| version.to_string());
                writeln!(
                    f,
                    "  {:>8}  {kind} version {version}, tried {} times: {}",
                    event.id, event.attempts, event.error
                )?;
            }
        }
        Ok(())
    }
}

/// What became of parked keys.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveSummary {
    /// Keys that were tried.
    pub keys: Vec<RedrivenKey>,
    /// Whether they were only to be named.
    pub dry_run: bool,
}

/// What became of one of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivenKey {
    /// Its consumer.
    pub consumer: String,
    /// The key.
    pub event_key: String,
    /// Events that left the lot.
    pub released: u64,
    /// Events that are still there.
    pub left: u64,
    /// Whether the key is free again.
    pub free: bool,
    /// What is wrong with the first event that is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RedriveSummary {
    /// Whether every key is free, or nothing was to be done.
    pub fn holds(&self) -> bool {
        self.dry_run || self.keys.iter().all(|key| key.free)
    }
}

/// Applies the events of parked keys in order, after their cause was mended.
pub async fn redrive(
    parts: &Parts,
    service: Service,
    chosen: &Chosen,
    dry_run: bool,
    progress: &Progress,
) -> anyhow::Result<RedriveSummary> {
    let lot = lot(parts, service)?;
    let parked = keys(&lot, service, chosen).await?;
    if let (true, Some(key)) = (parked.is_empty(), &chosen.key) {
        bail!("{key} is not parked in {service}");
    }
    if dry_run {
        let keys = parked.into_iter().map(untouched).collect();
        return Ok(RedriveSummary { keys, dry_run });
    }
    if parts.config.cache.backend == CacheBackend::Redis
        && let Err(error) = upkeep::pools_reached(parts).await
    {
        // Most consumers touch no cache. Of those that do, an event leaves the lot only once its keys are dropped too.
        tracing::warn!(
            error = &*error as &dyn std::error::Error,
            "keys whose consumers drop cached values may stay parked"
        );
    }
    let reactions = reactions(parts, service)?;
    let bar = progress.bar(service.name(), parked.len());
    let mut redriven = Vec::new();
    for key in parked {
        let reaction = reactions.iter().find(|reaction| reaction.consumer() == key.consumer);
        let reaction = reaction.with_context(|| format!("{service} has no consumer {} any more", key.consumer))?;
        redriven.push(redriven_key(&lot, Arc::clone(reaction), key).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(RedriveSummary { keys: redriven, dry_run })
}

fn reactions(parts: &Parts, service: Service) -> anyhow::Result<Vec<Arc<dyn Reaction>>> {
    let pool = parts.pool(service, Duty::Work)?;
    let state = parts.state(service, pool.clone());
    let mut reactions = service.workers(state, &parts.config, CancellationToken::new())?.reactions;
    reactions.push(answering(service, pool, parts.log.publisher()?));
    Ok(reactions)
}

async fn redriven_key(lot: &ParkingLot, reaction: Arc<dyn Reaction>, key: ParkedKey) -> anyhow::Result<RedrivenKey> {
    let outcome = lot.redrive(reaction, &key.event_key).await;
    let outcome =
        outcome.with_context(|| format!("{} was left half-way; running it again is harmless", key.event_key))?;
    let left = if outcome.free { Vec::new() } else { lot.events(&key.consumer, &key.event_key).await? };
    Ok(RedrivenKey {
        released: outcome.released,
        left: left.len() as u64,
        free: outcome.free,
        error: left.first().map(|event| event.error.clone()),
        consumer: key.consumer,
        event_key: key.event_key,
    })
}

fn untouched(key: ParkedKey) -> RedrivenKey {
    RedrivenKey {
        released: 0,
        left: u64::try_from(key.events).unwrap_or_default(),
        free: false,
        error: key.error,
        consumer: key.consumer,
        event_key: key.event_key,
    }
}

impl fmt::Display for RedriveSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in &self.keys {
            let RedrivenKey { consumer, event_key, released, left, free, error } = key;
            let error = error.as_deref().unwrap_or("a version is missing");
            match (self.dry_run, free) {
                (true, _) => writeln!(f, "{consumer} · {event_key}: {left} events would be tried")?,
                (false, true) => writeln!(f, "{consumer} · {event_key}: {released} events applied, the key is free")?,
                (false, false) => {
                    writeln!(f, "{consumer} · {event_key}: {released} events applied, {left} left: {error}")?;
                }
            }
        }
        if self.keys.is_empty() { writeln!(f, "nothing is parked") } else { Ok(()) }
    }
}

/// What was thrown away.
#[derive(Debug, Serialize)]
pub struct DiscardSummary {
    /// The event.
    pub discarded: ParkedEvent,
    /// Events of its key that are left.
    pub left: u64,
}

/// Throws the first parked event of a key away: it is no event, or its effect was made by hand.
pub async fn discard(
    parts: &Parts,
    service: Service,
    consumer: &str,
    key: &str,
    id: i64,
) -> anyhow::Result<DiscardSummary> {
    let lot = lot(parts, service)?;
    let reactions = reactions(parts, service)?;
    let Some(reaction) = reactions.iter().find(|reaction| reaction.consumer() == consumer) else {
        let names: Vec<_> = reactions.iter().map(|reaction| reaction.consumer()).collect();
        bail!("{service} has no consumer {consumer}. There are: {}", names.join(", "));
    };
    let events = lot.events(consumer, key).await?;
    let left = events.len().saturating_sub(1) as u64;
    let found = events.into_iter().find(|event| event.id == id);
    let discarded = found.with_context(|| format!("{key} has no parked event {id} for {consumer}"))?;
    lot.discard(&**reaction, key, id).await?;
    Ok(DiscardSummary { discarded, left })
}

impl fmt::Display for DiscardSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.discarded.event_type.as_deref().unwrap_or("the record");
        writeln!(f, "{kind} ({}) is thrown away; {} events of its key are left", self.discarded.id, self.left)
    }
}
