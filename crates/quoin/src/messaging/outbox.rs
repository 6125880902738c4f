//! `quoin outbox status`, `quoin outbox replay`.

use std::fmt;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use events::{OutboxStatus, Replay};
use serde::Serialize;

use super::Age;
use crate::{
    app::{Log, Parts},
    config::Duty,
    progress::Progress,
    services::Service,
};

/// The outboxes of some services.
#[derive(Debug, Serialize)]
pub struct StatusSummary {
    /// One row a service.
    pub services: Vec<ServiceStatus>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// The outbox of one service.
#[derive(Debug, Serialize)]
pub struct ServiceStatus {
    /// The service.
    pub service: &'static str,
    /// How far its outbox is published.
    #[serde(flatten)]
    pub outbox: OutboxStatus,
}

/// Asks the outboxes.
pub async fn status(parts: &Parts, services: &[Service]) -> anyhow::Result<StatusSummary> {
    let mut rows = Vec::new();
    for service in services {
        let pool = parts.pool(*service, Duty::Work)?;
        let outbox = OutboxStatus::of(&pool, service.name()).await;
        let outbox = outbox.with_context(|| format!("the outbox of {service} cannot be read"))?;
        rows.push(ServiceStatus { service: service.name(), outbox });
    }
    Ok(StatusSummary { services: rows, now: parts.now() })
}

impl fmt::Display for StatusSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:>11} {:>14} {:>10}  since", "service", "unpublished", "oldest", "retained")?;
        for ServiceStatus { service, outbox } in &self.services {
            let age = |since: Option<DateTime<Utc>>| {
                since.map_or_else(|| "–".to_owned(), |since| Age::at(self.now, since).to_string())
            };
            let (oldest, retained) = (age(outbox.oldest_unpublished_at), age(outbox.oldest_retained_at));
            writeln!(f, "{service:<10} {:>11} {oldest:>14} {:>10}  {retained}", outbox.unpublished, outbox.retained)?;
        }
        Ok(())
    }
}

/// What was published again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySummary {
    /// Whose events.
    pub service: &'static str,
    /// Published events that match.
    pub matching: u64,
    /// Of these published again.
    pub published: u64,
    /// Whether they were only to be counted.
    pub dry_run: bool,
}

/// Publishes events of a service again, or counts them.
pub async fn replay(
    parts: &Parts,
    service: Service,
    replay: &Replay,
    dry_run: bool,
    progress: &Progress,
) -> anyhow::Result<ReplaySummary> {
    if matches!(parts.log, Log::InProcess(_)) {
        bail!(
            "there is no Kafka: without it events stay in the process that publishes them. Set QUOIN__KAFKA__BROKERS"
        );
    }
    let pool = parts.pool(service, Duty::Work)?;
    let matching = replay.count(&pool, service.name()).await;
    let matching = matching.with_context(|| format!("the outbox of {service} cannot be read"))?;
    let mut summary = ReplaySummary { service: service.name(), matching, published: 0, dry_run };
    if dry_run {
        return Ok(summary);
    }
    let bar = progress.bar(service.name(), usize::try_from(matching).unwrap_or(usize::MAX));
    let publisher = parts.log.publisher()?;
    let heard = |so_far| bar.set_position(so_far);
    let outcome = replay.publish(&pool, service.name(), service.topic(), &*publisher, heard).await;
    bar.finish_and_clear();
    summary.published = outcome.context("broken off half-way; running it again is harmless")?;
    Ok(summary)
}

impl fmt::Display for ReplaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, matching, published, dry_run } = self;
        if *dry_run {
            writeln!(f, "{matching} events of {service} would be published again")
        } else {
            writeln!(f, "{published} events of {service} were published again; consumers recognise what they have")
        }
    }
}
