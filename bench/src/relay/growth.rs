//! S10 once more with much that was published lying in the outbox (a part of S15).

use std::time::Duration;

use anyhow::Result;

use super::{
    Kind, Options,
    carried::{Carried, carry},
    figures::Figures,
    ground::{Database, Ground},
};

/// Small, because ten million of them must fit; what is read is the index.
const PAYLOAD_BYTES: u32 = 24;
/// Events a second, as S10 has it.
const RATE: u64 = 500;

/// A database for each size.
pub struct Growth(Vec<(u64, Database)>);

impl Growth {
    /// Headings of the table.
    pub const COLUMNS: [&str; 9] = {
        let [p50, p99, longest, due, relay, backend] = Carried::COLUMNS;
        [p50, p99, longest, due, relay, backend, "p50 over the first size's", "p99", "backend"]
    };

    /// Writes the histories.
    pub async fn prepare(ground: &Ground, options: &Options) -> Result<Self> {
        let mut sizes = Vec::new();
        for rows in &options.history {
            eprintln!("a history of {rows} rows");
            let database = ground.database(&format!("growth_{rows}")).await?;
            database.fill_history(*rows, PAYLOAD_BYTES).await?;
            sizes.push((*rows, database));
        }
        Ok(Self(sizes))
    }

    /// Carries the load once at each size by each relay.
    pub async fn measure(&self, ground: &Ground, options: &Options, table: &mut Figures) -> Result<()> {
        for kind in Kind::ALL {
            let mut first = None;
            for (rows, database) in &self.0 {
                let load = (RATE, Duration::from_secs(options.seconds));
                let (carried, ()) = carry(kind, ground, database, load, async |_| Ok(())).await?;
                let figures = carried.figures()?;
                let [p50, p99, .., backend] = figures;
                let [p50_first, p99_first, backend_first] = *first.get_or_insert([p50, p99, backend]);
                let ratios = [p50 / p50_first, p99 / p99_first, backend / backend_first];
                table.add(&[&kind, rows], &[&figures[..], &ratios].concat());
            }
        }
        Ok(())
    }
}
