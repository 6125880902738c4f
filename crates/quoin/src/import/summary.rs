//! What an import did, for people and for machines.

use std::{collections::BTreeMap, fmt};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::retail::finding::{Reason, ReasonCount};

/// How many things were made, changed, or found as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// New ones.
    pub created: u64,
    /// Changed ones; movements of stock never change.
    #[serde(default)]
    pub updated: u64,
    /// Untouched ones.
    pub unchanged: u64,
}

impl Counts {
    /// Adds another batch.
    pub fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
    }

    /// Whether nothing was made or changed.
    pub const fn is_quiet(self) -> bool {
        self.created == 0 && self.updated == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} created, {} updated, {} unchanged", self.created, self.updated, self.unchanged)
    }
}

/// What an import did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportSummary {
    /// Readable rows.
    pub rows: usize,
    /// Their exact sum.
    #[serde(with = "rust_decimal::serde::str")]
    pub file_total: Decimal,
    /// Offerings.
    pub offerings: Counts,
    /// Publications: created when the working copy differed from the last one.
    pub publication: Counts,
    /// Price books: updated when a new version was made.
    pub books: Counts,
    /// Customers.
    pub customers: Counts,
    /// Opening movements of stock.
    pub stock: Counts,
    /// Dirty rows by reason.
    pub findings: BTreeMap<Reason, ReasonCount>,
}

impl ImportSummary {
    /// Whether the import found everything as it is.
    pub const fn changed_nothing(&self) -> bool {
        self.offerings.is_quiet()
            && self.publication.is_quiet()
            && self.books.is_quiet()
            && self.customers.is_quiet()
            && self.stock.is_quiet()
    }
}

impl fmt::Display for ImportSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows, exact sum {}", self.rows, self.file_total)?;
        for (what, counts) in [
            ("offerings", self.offerings),
            ("publication", self.publication),
            ("price books", self.books),
            ("customers", self.customers),
            ("opening stock", self.stock),
        ] {
            writeln!(f, "  {what:<14} {counts}")?;
        }
        writeln!(f, "dirty rows, by reason (each with its row: --report FILE):")?;
        for (reason, count) in &self.findings {
            let rows: Vec<String> = count.examples.iter().map(ToString::to_string).collect();
            let dots = if count.rows > rows.len() { ", …" } else { "" };
            let (words, rows) = (reason.words(), rows.join(", "));
            writeln!(
                f,
                "  {words:<42} {:>6} rows, {} of them traded all the same (rows {rows}{dots})",
                count.rows, count.kept
            )?;
        }
        Ok(())
    }
}
