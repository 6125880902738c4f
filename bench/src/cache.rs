//! The cache beside what it is built on: bare in-process caches, the bare Redis client, plain cache-aside, hitbox.
//!
//! Every part measures its floor and the product's way one after the other in the same round, in this process (hitbox in its
//! own), on a Redis of its own. Ratios are taken within a round, because these machines are shared.

mod freshness;
mod hitbox;
mod hits;
mod limits;
mod outage;
mod race;
mod redis;
mod rival;
mod table;
pub mod timing;
mod writes;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use dev_stack::{Component, test::own};

use table::Table;

/// How much is measured, and what.
#[derive(clap::Args)]
pub struct Options {
    /// Rounds; the table shows the median and the spread over them.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Milliseconds one measurement lasts.
    #[arg(long, default_value_t = 1000)]
    millis: u64,
    /// Seconds a round of the stale-read race lasts, for each of the two that race.
    #[arg(long, default_value_t = 10)]
    race_seconds: u64,
    /// Parts to measure; all when absent.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// The quoin executable (release build), for what is measured on the product.
    #[arg(long, default_value = "target/release/quoin")]
    quoin: PathBuf,
    /// The rival's executable, for hits (`scripts/bench cache` builds it).
    #[arg(long, default_value = "target/hitbox/release/bench-hitbox")]
    hitbox: PathBuf,
    /// Changes of each kind of which it is measured when others see them.
    #[arg(long, default_value_t = 500)]
    changes: u64,
    /// Seconds of each phase of the outage.
    #[arg(long, default_value_t = 5)]
    phase_seconds: u64,
    /// Requests a second during the outage.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Writes the tables to this file as well.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// S7: a hit in this process.
    Memory,
    /// S8: a hit in Redis, and what the guards of a read cost.
    Redis,
    /// What the guards of a write cost.
    Writes,
    /// S9: rate limits.
    Limits,
    /// Who serves stale values when readers are slow.
    Race,
    /// S12: for how long another process shows what was before.
    Freshness,
    /// Redis stopped under an even load on the product.
    Outage,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    const fn time(&self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

/// Measures everything asked for and prints the tables.
pub async fn run(options: &Options) -> Result<()> {
    let (rounds, millis, before) = (options.rounds, options.millis, load_average());
    let mut text = figures(options).await?;
    if options.wants(Part::Race) {
        let server = own(Component::Redis).await?;
        text += &race::run(server.url(), options.rounds, Duration::from_secs(options.race_seconds)).await?;
    }
    if options.wants(Part::Freshness) {
        text += &freshness::run(options).await?;
    }
    if options.wants(Part::Outage) {
        text += &outage::run(options).await?;
    }
    let after = load_average();
    text = format!(
        "{rounds} rounds of {millis} ms, 2 worker threads; load average {before} before, {after} after.\n\n{text}"
    );
    println!("{text}");
    if let Some(path) = &options.write {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

async fn figures(options: &Options) -> Result<String> {
    let mut table = Table::default();
    let needs_redis = [Part::Redis, Part::Writes, Part::Limits].into_iter().any(|part| options.wants(part));
    let server = if needs_redis { Some(own(Component::Redis).await?) } else { None };
    let redis = match &server {
        Some(server) => Some(Arc::new(redis::Redis::filled(server.url()).await?)),
        None => None,
    };
    let hitbox = hitbox::Hitbox::at(&options.hitbox)?;
    let memory = hits::Memory::filled().await?;
    for round in 1..=options.rounds {
        eprintln!("round {round}");
        if options.wants(Part::Memory) {
            memory.measure(&hitbox, &mut table, options.time()).await?;
        }
        let Some(redis) = &redis else { continue };
        if options.wants(Part::Redis) {
            hits::measure_redis(redis, &hitbox, &mut table, options.time()).await?;
        }
        if options.wants(Part::Writes) {
            writes::measure(redis, &mut table).await?;
        }
        if options.wants(Part::Limits) {
            limits::measure(redis, &mut table, options.time()).await?;
        }
    }
    if table.is_empty() {
        return Ok(String::new());
    }
    let size = redis.map(|redis| format!("Values in Redis are {} bytes long.\n\n", redis.frame_bytes()));
    Ok(size.unwrap_or_default() + &table.markdown())
}

/// How busy the machine is: over one, five and fifteen minutes.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
