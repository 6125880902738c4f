//! What was proved, for people and for machines.

use std::fmt;

use serde::Serialize;

use super::stock::StockCount;
use crate::{import::ImportSummary, replay::ReplaySummary};

/// One run: import, replay, count.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunProof {
    /// In this tenant.
    pub tenant: &'static str,
    /// What the import made.
    pub import: ImportSummary,
    /// What the replay did.
    pub replay: ReplaySummary,
    /// Whether doing both again changed nothing; in the storm it is not tried.
    pub repeatable: bool,
    /// The warehouse afterwards.
    pub stock: StockCount,
    /// What was broken on the way.
    pub faults: Vec<String>,
}

impl RunProof {
    /// Whether everything is as it must be.
    pub const fn holds(&self) -> bool {
        self.replay.settled && self.repeatable && self.stock.holds()
    }
}

/// Both runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// In calm weather, twice over.
    pub calm: RunProof,
    /// With faults.
    pub storm: RunProof,
}

impl Proof {
    /// Whether both hold, and both came to the same account.
    pub fn holds(&self) -> bool {
        self.calm.holds() && self.storm.holds() && self.calm.replay.closing == self.storm.replay.closing
    }
}

impl fmt::Display for RunProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {}: {}{}", self.tenant, self.import, self.replay)?;
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        let stock = &self.stock;
        writeln!(
            f,
            "{} products, {} movements; {} differ from their movements, {} from the plan",
            stock.products,
            stock.movements,
            stock.mismatches,
            stock.unexpected.len()
        )?;
        for unexpected in stock.unexpected.iter().take(5) {
            writeln!(f, "  {unexpected}")?;
        }
        if self.faults.is_empty() {
            writeln!(
                f,
                "a second import and replay {}",
                if self.repeatable { "changed nothing" } else { "CHANGED SOMETHING" }
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "— calm —\n{}", self.calm)?;
        writeln!(f, "— storm —\n{}", self.storm)?;
        let same = self.calm.replay.closing == self.storm.replay.closing;
        writeln!(f, "both runs came to {} account", if same { "the same" } else { "ANOTHER" })?;
        writeln!(f, "{}", if self.holds() { "PROVED" } else { "NOT PROVED" })
    }
}
