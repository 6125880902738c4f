//! The way of facts: from a commit to the acknowledgement of the log, by the product's relay and by the one many write.
//!
//! Each relay runs in a process of its own, on a durable PostgreSQL and a real Kafka that this program starts; the two take
//! turns within a round. An event's time counts from the moment the statement that writes and commits it was sent, and,
//! in a column of its own, from the moment it was due.

mod carried;
mod drain;
mod figures;
pub mod ground;
mod growth;
mod held;
mod rival;
mod watched;
pub mod worker;
mod writers;

use std::{
    fmt::{self, Write as _},
    fs,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::cache::load_average;
use carried::{Carried, carry};
use drain::Drain;
use figures::Figures;
use ground::Ground;
use growth::Growth;

/// How much is measured, and what.
#[derive(clap::Args)]
pub struct Options {
    /// Rounds; the tables show the median and the spread over them.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Parts to measure; all when absent.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Seconds an even load lasts.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Events a second of the even loads.
    #[arg(long, value_delimiter = ',', default_values_t = [500, 1_000])]
    rates: Vec<u64>,
    /// Events of the backlog.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Most events published at once.
    #[arg(long, default_value_t = 1_000)]
    batch: u16,
    /// Published rows that lie in the outbox, smallest first.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000_000])]
    history: Vec<u64>,
    /// Seconds somebody else's transaction stays open, for each relay.
    #[arg(long, default_value_t = 30)]
    held_seconds: u64,
    /// Events a second meanwhile.
    #[arg(long, default_value_t = 800)]
    held_rate: u64,
    /// Writes the tables to this file as well.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// S10: from the commit to the acknowledgement, under an even load.
    Latency,
    /// S11: how fast a backlog leaves.
    Drain,
    /// S15: S10 with much history in the outbox.
    Growth,
    /// A transaction of somebody else stays open.
    Held,
}

/// Whose relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The product's.
    Ours,
    /// `for update skip locked`.
    Rival,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Rival, Self::Ours];

    /// As it is given on the command line.
    const fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Rival => "rival",
        }
    }

    /// Where its outbox is.
    const fn schema(self) -> &'static str {
        match self {
            Self::Ours => ground::SCHEMA,
            Self::Rival => "rival",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "quoin",
            Self::Rival => "skip locked",
        })
    }
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Measures everything asked for and prints the tables.
pub async fn run(options: &Options) -> Result<()> {
    let before = load_average();
    let ground = Ground::start().await?;
    let measured = Tables::default().measure(&ground, options).await;
    ground.stop().await?;
    let text = format!(
        "{} rounds; load average {before} before, {} after.\n\n{}",
        options.rounds,
        load_average(),
        measured?.markdown(options)
    );
    println!("{text}");
    if let Some(path) = &options.write {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

struct Tables {
    latency: Figures,
    drain: Figures,
    growth: Figures,
    held: Figures,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            latency: Figures::new(&["S10", "events/s"], &Carried::COLUMNS),
            drain: Figures::new(&["row", "what"], &Drain::COLUMNS),
            growth: Figures::new(&["S15", "rows before"], &Growth::COLUMNS),
            held: Figures::new(&["open transaction", "when"], &held::COLUMNS),
        }
    }
}

impl Tables {
    async fn measure(mut self, ground: &Ground, options: &Options) -> Result<Self> {
        let even = if options.wants(Part::Latency) { Some(ground.database("latency").await?) } else { None };
        let drain = if options.wants(Part::Drain) { Some(Drain::prepare(ground, options).await?) } else { None };
        let growth = if options.wants(Part::Growth) { Some(Growth::prepare(ground, options).await?) } else { None };
        for round in 1..=options.rounds {
            eprintln!("round {round}");
            if let Some(database) = &even {
                for rate in &options.rates {
                    for kind in Kind::ALL {
                        let load = (*rate, Duration::from_secs(options.seconds));
                        let (carried, ()) = carry(kind, ground, database, load, async |_| Ok(())).await?;
                        self.latency.add(&[&kind, rate], &carried.figures()?);
                    }
                }
            }
            if let Some(drain) = &drain {
                drain.measure(ground, options, &mut self.drain).await?;
            }
            if let Some(growth) = &growth {
                growth.measure(ground, options, &mut self.growth).await?;
            }
            if options.wants(Part::Held) {
                held::measure(ground, options, round, &mut self.held).await?;
            }
        }
        Ok(self)
    }

    fn markdown(&self, options: &Options) -> String {
        let mut text = self.latency.markdown();
        if options.wants(Part::Drain) {
            let (events, batch) = (options.events, options.batch);
            let _ = write!(text, "A backlog of {events} events with payloads of 1,024 bytes, {batch} at once.\n\n");
        }
        text += &self.drain.markdown();
        text += &self.growth.markdown();
        if options.wants(Part::Held) {
            let (rate, seconds) = (options.held_rate, options.held_seconds);
            let _ = write!(text, "{rate} events a second while somebody's transaction stays open for {seconds} s.\n\n");
        }
        text + &self.held.markdown()
    }
}
