//! `quoin events rebuild`.

use std::{fmt, sync::Arc};

use anyhow::{Context, bail};
use events::{Difference, Finish, LeaseTimes, Projection, Rebuild, RebuildError, Rebuilt};
use serde::Serialize;

use crate::{
    app::{Log, Parts},
    config::Duty,
    progress::Progress,
    services::Service,
};

/// What became of a rebuild.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildSummary {
    /// Whose projection.
    pub service: &'static str,
    /// Which.
    pub projection: &'static str,
    /// Records read.
    pub read: u64,
    /// Of these applied.
    pub applied: u64,
    /// Records that could not be applied, and were passed over.
    pub skipped: u64,
    /// Rows it has now.
    pub rows: u64,
    /// Rows that were wrong before, and not only late.
    pub wrong_rows: u64,
    /// In which way rows differed.
    pub differences: Vec<Difference>,
    /// Records the live consumer had not read yet.
    pub live_behind: u64,
    /// Whether readers read the rebuilt rows.
    pub switched: bool,
}

impl RebuildSummary {
    fn of(service: Service, projection: &dyn Projection, rebuilt: Rebuilt) -> Self {
        Self {
            service: service.name(),
            projection: projection.name(),
            wrong_rows: rebuilt.wrong_rows(),
            read: rebuilt.read,
            applied: rebuilt.applied,
            skipped: rebuilt.skipped,
            rows: rebuilt.rows,
            differences: rebuilt.differences,
            live_behind: rebuilt.live_behind,
            switched: rebuilt.switched,
        }
    }

    /// Whether what readers read is right: it was rebuilt from every record, or nothing was wrong with it.
    pub fn holds(&self) -> bool {
        self.skipped == 0 && (self.switched || self.wrong_rows == 0)
    }
}

/// Makes a projection again from the beginning of its topics; with [`Finish::Compare`] only to compare.
pub async fn rebuild(
    parts: &Parts,
    service: Service,
    name: &str,
    finish: Finish,
    progress: &Progress,
) -> anyhow::Result<RebuildSummary> {
    let projection = named(service, name)?;
    if matches!(parts.log, Log::InProcess(_)) {
        bail!("there is no Kafka: without it no log reaches back to the beginning. Set QUOIN__KAFKA__BROKERS");
    }
    let pool = parts.pool(service, Duty::Work)?;
    let source = parts.log.source(&format!("{}.rebuild", projection.consumer()))?;
    let bar = progress.bar(projection.name(), 0);
    let heard = |read, of| {
        bar.set_length(of);
        bar.set_position(read);
    };
    let rebuild = Rebuild::new(pool, service.name(), Arc::clone(&projection), LeaseTimes::default());
    let outcome = rebuild.run(source, finish, heard).await;
    bar.finish_and_clear();
    match outcome {
        Ok(done) => Ok(RebuildSummary::of(service, &*projection, done)),
        Err(error @ RebuildError::BeginningLost { .. }) => Err(error).context(
            "nothing was changed. Topics must keep records without end (kafka.retention_days, and retention.ms = -1 of \
             topics that exist); what is gone already only a restored log brings back",
        ),
        Err(error) => Err(error).context("nothing was changed, and running it again is harmless"),
    }
}

fn named(service: Service, name: &str) -> anyhow::Result<Arc<dyn Projection>> {
    let projections = service.projections();
    let names: Vec<_> = projections.iter().map(|projection| projection.name()).collect();
    let known = match names.as_slice() {
        [] => "It has none".to_owned(),
        names => format!("There is: {}", names.join(", ")),
    };
    let found = projections.into_iter().find(|projection| projection.name() == name);
    found.with_context(|| format!("{service} has no projection {name}. {known}"))
}

impl fmt::Display for RebuildSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, projection, read, applied, rows, .. } = self;
        writeln!(f, "{service} {projection}: {read} records read, {applied} applied, {rows} rows")?;
        for Difference { table, kind, rows, examples } in &self.differences {
            writeln!(f, "  {table}: {rows} rows {}: {}", kind.as_str(), examples.join(", "))?;
        }
        if self.live_behind > 0 {
            writeln!(
                f,
                "  the consumer was {} records behind: missing and older rows were on their way",
                self.live_behind
            )?;
        }
        if self.skipped > 0 {
            writeln!(f, "  {} records could not be applied and were passed over; the log names them", self.skipped)?;
        }
        match (self.switched, self.wrong_rows) {
            (true, wrong) => writeln!(f, "readers read the rebuilt rows; {wrong} rows were wrong before"),
            (false, 0) => writeln!(f, "the live rows are what a rebuild makes"),
            (false, wrong) => writeln!(f, "{wrong} live rows are wrong; without --dry-run they are replaced"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_projection_is_refused_with_those_there_are() {
        let refused = |service, name| format!("{:#}", named(service, name).err().unwrap());
        assert!(refused(Service::Order, "orders").contains("There is: order-list"));
        assert!(refused(Service::Catalog, "order-list").contains("It has none"));
        assert_eq!(named(Service::Quote, "quote-list").unwrap().consumer(), "quote.quote-list");
    }

    #[test]
    fn a_comparison_holds_when_nothing_is_wrong_and_a_switch_when_nothing_was_passed_over() {
        let summary = |switched, wrong_rows, skipped| RebuildSummary {
            service: "order",
            projection: "order-list",
            read: 9,
            applied: 9,
            skipped,
            rows: 3,
            wrong_rows,
            differences: Vec::new(),
            live_behind: 0,
            switched,
        };
        assert!(summary(false, 0, 0).holds() && summary(true, 2, 0).holds());
        assert!(!summary(false, 2, 0).holds() && !summary(true, 0, 1).holds());
        assert!(summary(false, 2, 0).to_string().contains("2 live rows are wrong"));
    }
}
