//! `quoin cache sweep`: one sweep from beginning to end, and its table.

use std::fmt;

use anyhow::Context;
use cache_engine::sweep::{SweepError, Sweeper, Swept};
use cache_ports::keyspace::Keyspace;
use serde::Serialize;

use super::{all_witnesses, broken_off, reached};
use crate::{app::Parts, progress::Progress};

/// Removes superseded versions once; with `dry_run` it only counts them.
pub async fn sweep(parts: &Parts, dry_run: bool, progress: &Progress) -> anyhow::Result<SweepSummary> {
    let sweeper =
        Sweeper::new(parts.stores.scan.clone(), all_witnesses(parts).await?, parts.config.sweep.rules(dry_run));
    let keyspaces: Vec<&'static Keyspace> = sweeper.keyspaces().collect();
    reached(parts, &keyspaces).await.context("nothing was looked at")?;
    let bar = progress.bar("sweeping", 0);
    let mut seen = 0;
    let told = |keyspace: &'static Keyspace, swept: Swept| {
        bar.set_message(format!("{}: {} superseded", keyspace.name, swept.removed));
        bar.set_length(seen + swept.seen);
        bar.set_position(seen + swept.seen);
        seen = bar.position();
    };
    let outcome = sweeper.sweep(told).await;
    bar.finish_and_clear();
    let swept = outcome.map_err(|error| match error {
        SweepError::Store(why) => broken_off(why),
        SweepError::Authority(why) => anyhow::anyhow!("{why}"),
    });
    let swept = swept.context("the sweep ended early; what was removed was superseded")?;
    Ok(SweepSummary { dry_run, keyspaces: swept.into_iter().map(|(keyspace, swept)| row(keyspace, swept)).collect() })
}

fn row(keyspace: &Keyspace, swept: Swept) -> SweptSummary {
    SweptSummary { keyspace: keyspace.name, seen: swept.seen, removed: swept.removed, bytes: swept.bytes }
}

/// What a sweep removed, or would remove.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepSummary {
    /// Nothing was removed: it was only counted.
    pub dry_run: bool,
    /// By keyspace.
    pub keyspaces: Vec<SweptSummary>,
}

/// The counts of one keyspace.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweptSummary {
    /// Its name.
    pub keyspace: &'static str,
    /// Keys seen.
    pub seen: u64,
    /// Keys removed, or that would be.
    pub removed: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl fmt::Display for SweepSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let removed = if self.dry_run { "would go" } else { "removed" };
        writeln!(f, "{:<28} {:>9} {:>9} {:>12}", "keyspace", "keys", removed, "bytes")?;
        for row in &self.keyspaces {
            writeln!(f, "{:<28} {:>9} {:>9} {:>12}", row.keyspace, row.seen, row.removed, row.bytes)?;
        }
        Ok(())
    }
}
