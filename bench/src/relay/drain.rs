//! S11: how fast a backlog leaves, and what that costs.

use std::time::Instant;

use anyhow::Result;

use super::{
    Kind, Options,
    figures::Figures,
    ground::{Database, Ground},
    watched::Watched,
    worker::Say,
};
use crate::process;

/// Size of a payload: the goal names 1 kB.
const PAYLOAD_BYTES: u32 = 1_024;

/// A database with a backlog.
pub struct Drain(Database);

impl Drain {
    /// Headings of the table.
    pub const COLUMNS: [&str; 4] =
        ["events/s", "events per core-second of the relay", "of everything", "peak memory of the relay, MiB"];

    /// Writes the backlog.
    pub async fn prepare(ground: &Ground, options: &Options) -> Result<Self> {
        let database = ground.database("drain").await?;
        database.fill(options.events, PAYLOAD_BYTES).await?;
        Ok(Self(database))
    }

    /// Drains it once by each relay.
    pub async fn measure(&self, ground: &Ground, options: &Options, table: &mut Figures) -> Result<()> {
        for kind in Kind::ALL {
            match kind {
                Kind::Ours => self.0.rewind().await?,
                Kind::Rival => self.0.give_to_rival().await?,
            }
            let figures = once(kind, ground, &self.0, options).await?;
            table.add(&[&"S11", &kind], &figures);
        }
        Ok(())
    }
}

/// From the start of the relay's process to the last acknowledgement.
async fn once(kind: Kind, ground: &Ground, database: &Database, options: &Options) -> Result<[f64; 4]> {
    let (began, everything_before) = (Instant::now(), process::offspring_cpu_seconds()?);
    let (relay, mut said) = Watched::start(kind, ground, database, options.batch, Say::Count).await?;
    let mut acknowledged = 0;
    while acknowledged < options.events {
        acknowledged += said.next().await?.numbers.iter().sum::<u64>();
    }
    let seconds = began.elapsed().as_secs_f64();
    let (own, everything) = (relay.cpu_seconds()?, process::offspring_cpu_seconds()? - everything_before);
    let peak = relay.peak_mib()?;
    relay.stop().await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let events = acknowledged as f64;
    Ok([events / seconds, events / own, events / everything, peak])
}
