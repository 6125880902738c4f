//! `quoin import online-retail FILE`: the file's master data become a tenant's catalog, price books, customers and stock.
//!
//! Owns the order of the steps and their summary. What the file means is decided in `crate::retail`; here it is only
//! sent, in batches, through the public API. Every step is idempotent by external id or reference, so a second run
//! changes nothing and says so.

mod catalog;
mod file;
mod people_and_stock;
mod prices;
mod summary;

use std::{collections::HashMap, path::Path};

use anyhow::Context;
use kernel::OfferingId;

pub use self::{
    file::read_sheet,
    prices::book_external_id,
    summary::{Counts, ImportSummary},
};
use crate::{
    api::Api,
    progress::Progress,
    retail::{
        finding::{Finding, count, findings},
        masters::{Descriptions, Masters},
        row::Sheet,
    },
};

/// Who imports, unless a token says otherwise.
pub const SUBJECT: &str = "import";
/// The role that takes: catalog, prices, customers and stock at once.
pub const ROLES: [&str; 1] = ["tenantAdmin"];

/// Items in one request: the API takes 1,000.
const BATCH: usize = 1_000;

/// Offering ids by stock code.
pub type OfferingIds = HashMap<String, OfferingId>;

/// The file, understood.
pub struct Source {
    /// Its rows.
    pub sheet: Sheet,
    /// Its master data.
    pub masters: Masters,
    /// What is dirty in it.
    pub findings: Vec<Finding>,
}

impl Source {
    /// Reads and understands a file, gzipped or plain.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let sheet = read_sheet(path).with_context(|| format!("cannot read {}", path.display()))?;
        let descriptions = Descriptions::of(&sheet);
        let masters = Masters::of(&sheet, &descriptions);
        let findings = findings(&sheet, &descriptions);
        Ok(Self { sheet, masters, findings })
    }
}

/// Sends the master data of a file.
pub async fn online_retail(api: &Api, source: &Source, progress: &Progress) -> anyhow::Result<ImportSummary> {
    let (offerings, ids) = catalog::send(api, &source.masters, progress).await?;
    let publication = catalog::publish(api).await?;
    let books = prices::send(api, &source.masters, &ids, progress).await?;
    let customers = people_and_stock::send_customers(api, &source.masters, progress).await?;
    let stock = people_and_stock::send_opening_stock(api, &source.masters, &ids, progress).await?;
    Ok(ImportSummary {
        rows: source.sheet.rows.len(),
        file_total: source.sheet.total(),
        offerings,
        publication,
        books,
        customers,
        stock,
        findings: count(&source.findings),
    })
}
