//! `quoin events reconcile`, and the same in the background.

use std::{fmt, time::Duration};

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use events::{Divergence, Finish, Found, Reconciliation};
use kernel::{Clock, SystemClock};
use metrics::gauge;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::rebuild::{RebuildSummary, rebuild};
use crate::{
    app::{Log, Parts},
    config::Duty,
    progress::Progress,
    services::Service,
};

/// How much of the round before each round compares again.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// What to compare, and what to do about it.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Only events written then or later.
    pub since: Option<DateTime<Utc>>,
    /// Whether what is missing is published again.
    pub repair: bool,
}

/// How far facts diverge on their way.
#[derive(Debug, Serialize)]
pub struct ReconcileSummary {
    /// One entry a service.
    pub services: Vec<ServiceSummary>,
    /// Everything that diverges: must be 0.
    pub divergence: u64,
}

/// How far one service's facts do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSummary {
    /// The service.
    pub service: &'static str,
    /// Since when events were compared.
    pub since: Option<DateTime<Utc>>,
    /// Published events of its outbox.
    pub outbox: u64,
    /// Records of its topic.
    pub log: u64,
    /// In which ways they differ.
    pub found: Vec<Found>,
    /// Events published again.
    pub repaired: u64,
    /// Its projections against the log.
    pub projections: Vec<RebuildSummary>,
}

impl ServiceSummary {
    fn divergence(&self) -> u64 {
        let events: u64 = self.found.iter().map(|found| found.events).sum();
        events + self.projections.iter().map(|projection| projection.wrong_rows).sum::<u64>()
    }
}

/// Compares outboxes with topics and topics with projections. After a repair it compares again.
pub async fn reconcile(
    parts: &Parts,
    services: &[Service],
    asked: Asked,
    progress: &Progress,
) -> anyhow::Result<ReconcileSummary> {
    if matches!(parts.log, Log::InProcess(_)) {
        bail!("there is no Kafka: without it there is no log to compare with. Set QUOIN__KAFKA__BROKERS");
    }
    let mut summaries = Vec::new();
    for service in services {
        let summary = one(parts, *service, asked, progress).await;
        summaries.push(summary.with_context(|| format!("{service} could not be compared"))?);
    }
    let divergence = summaries.iter().map(ServiceSummary::divergence).sum();
    Ok(ReconcileSummary { services: summaries, divergence })
}

async fn one(parts: &Parts, service: Service, asked: Asked, progress: &Progress) -> anyhow::Result<ServiceSummary> {
    let reconciliation = Reconciliation::of(parts.pool(service, Duty::Work)?, service.name(), service.topic());
    let bar = progress.bar(service.name(), 0);
    let compare = async || {
        let source = parts.log.source(&format!("{service}.reconcile"))?;
        anyhow::Ok(reconciliation.compare(source, asked.since, |read| bar.set_position(read)).await?)
    };
    let mut compared = compare().await?;
    let mut repaired = 0;
    if asked.repair && compared.events(Divergence::Missing) > 0 {
        repaired = reconciliation.repair(&compared, &*parts.log.publisher()?).await?;
        compared = compare().await?;
    }
    bar.finish_and_clear();
    let mut projections = Vec::new();
    for projection in service.projections() {
        projections.push(rebuild(parts, service, projection.name(), Finish::Compare, progress).await?);
    }
    Ok(ServiceSummary {
        service: service.name(),
        since: compared.since,
        outbox: compared.outbox,
        log: compared.log,
        found: compared.found,
        repaired,
        projections,
    })
}

impl fmt::Display for ReconcileSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for summary in &self.services {
            let ServiceSummary { service, outbox, log, found, repaired, .. } = summary;
            writeln!(f, "{service}: {outbox} events of the outbox, {log} records of the log")?;
            for Found { kind, events, examples } in found {
                writeln!(f, "  {events} {}: {}", kind.as_str(), examples.join(", "))?;
            }
            if *repaired > 0 {
                writeln!(f, "  {repaired} events were published again")?;
            }
            for projection in summary.projections.iter().filter(|projection| projection.wrong_rows > 0) {
                let (name, rows) = (projection.projection, projection.wrong_rows);
                writeln!(f, "  {name}: {rows} rows are wrong: quoin events rebuild {service} --projection {name}")?;
            }
        }
        writeln!(f, "divergence: {}", self.divergence)
    }
}

/// Compares what was written since the last round, again and again until `stop`.
pub async fn patrol(
    log: Log,
    reconciliation: Reconciliation,
    service: Service,
    every: Duration,
    stop: CancellationToken,
) {
    // Rounds overlap, so that nothing falls between two of them.
    let window =
        TimeDelta::from_std(every).map_or(TimeDelta::MAX, |every| every.checked_add(&OVERLAP).unwrap_or(every));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let since = SystemClock.now().checked_sub_signed(window).unwrap_or_default();
        let measured = tokio::select! {
            () = stop.cancelled() => return,
            measured = measure(&log, &reconciliation, service, since) => measured,
        };
        if let Err(error) = measured {
            metrics::counter!("quoin_reconcile_failures_total", "service" => service.name()).increment(1);
            tracing::warn!(%service, error = format!("{error:#}"), "outbox and log could not be compared");
        }
    }
}

/// Sets the metrics to what is found.
async fn measure(
    log: &Log,
    reconciliation: &Reconciliation,
    service: Service,
    since: DateTime<Utc>,
) -> anyhow::Result<()> {
    let source = log.source(&format!("{service}.reconcile"))?;
    let compared = reconciliation.compare(source, Some(since), |_| ()).await?;
    for kind in Divergence::ALL {
        let events = u32::try_from(compared.events(kind)).unwrap_or(u32::MAX);
        gauge!("quoin_divergence_events", "service" => service.name(), "kind" => kind.as_str()).set(events);
    }
    for Found { kind, events, examples } in &compared.found {
        tracing::error!(%service, kind = kind.as_str(), events, ?examples, "outbox and log diverge");
    }
    Ok(())
}
