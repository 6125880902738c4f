//! The proof of order at full size: many writers, rollbacks, savepoints and transactions that stay open for up to a minute, read
//! three ways at once.
//!
//! The product's relay carries everything to a real Kafka, in small batches, and the topic is read back; two readers that
//! are wrong stand beside it as negative controls. The run fails unless the relay shows no fault and each control shows its
//! own: a proof that cannot fail proves nothing. The small form of it is a test of the crate `events`.

mod topic;
mod writers;

use std::{fmt::Write as _, fs, path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use events::{
    Relay, RelayConfig,
    order_proof::{Verdict, committed, judge, read_by_seq, read_by_xid},
};
use events_kafka::KafkaPublisher;
use sqlx::postgres::PgPoolOptions;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    cache::load_average,
    relay::ground::{Database, Ground, SCHEMA, TOPIC},
};
use topic::Topic;

/// The size of the proof.
#[derive(clap::Args)]
pub struct Options {
    /// Events to commit.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Writers at once.
    #[arg(long, default_value_t = 32)]
    writers: usize,
    /// Aggregates they change.
    #[arg(long, default_value_t = 2_000)]
    aggregates: usize,
    /// Longest time a transaction stays open, in seconds.
    #[arg(long, default_value_t = 60)]
    open_seconds: u64,
    /// Most events the relay publishes at once: few, so that differences are paged while writers go on.
    #[arg(long, default_value_t = 20)]
    batch: u16,
    /// Writes the table to this file as well.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What each reader showed.
struct Verdicts {
    relay: Verdict,
    by_seq: Verdict,
    by_xid: Verdict,
}

/// Runs the proof, prints its table, and fails where it proves nothing.
pub async fn run(options: &Options) -> Result<()> {
    let ground = Ground::start().await?;
    let proved = prove(options, &ground).await;
    ground.stop().await?;
    let (verdicts, text) = proved?;
    println!("{text}");
    if let Some(path) = &options.write {
        fs::write(path, &text).with_context(|| format!("writing {}", path.display()))?;
    }
    verdicts.check()
}

async fn prove(options: &Options, ground: &Ground) -> Result<(Verdicts, String)> {
    let database = ground.database("proof").await?;
    let prefix = ground.topic().await?;
    let stop = CancellationToken::new();
    let relaying = start_relay(options, ground, &database, &prefix, &stop).await?;
    let by_seq = tokio::spawn(read_by_seq(database.admin.clone(), SCHEMA, stop.clone()));
    let by_xid = tokio::spawn(read_by_xid(database.admin.clone(), SCHEMA, stop.clone()));

    let began = Instant::now();
    let tally = writers::write(options, &database.admin).await?;
    let wrote = began.elapsed();
    let expected = committed(&database.admin, SCHEMA).await?;
    let mut topic = Topic::open(ground.brokers()?, &prefix).await?;
    topic.holds(expected.len()).await?;
    let carried = began.elapsed();
    stop.cancel();
    relaying.await?;
    let relayed = topic.read_back().await?;

    let (by_seq, by_xid) = (by_seq.await??, by_xid.await??);
    let verdicts = Verdicts {
        relay: judge(&relayed, &expected),
        by_seq: judge(&by_seq, &expected),
        by_xid: judge(&by_xid, &expected),
    };
    let mut text = format!(
        "{} events committed by {} writers in {:.0} s, the last one acknowledged after {:.0} s; load average {}.\n{tally}\n\n",
        expected.len(),
        options.writers,
        wrote.as_secs_f64(),
        carried.as_secs_f64(),
        load_average(),
    );
    text += "| reader | events | lost | duplicated | inversions | version gaps | never committed |\n|---|---|---|---|---|---|---|\n";
    line(&mut text, "the relay, read back from Kafka", relayed.len(), &verdicts.relay);
    line(&mut text, "control: `seq > last`", by_seq.len(), &verdicts.by_seq);
    line(&mut text, "control: `(xid, seq)` below xmin", by_xid.len(), &verdicts.by_xid);
    Ok((verdicts, text))
}

async fn start_relay(
    options: &Options,
    ground: &Ground,
    database: &Database,
    prefix: &str,
    stop: &CancellationToken,
) -> Result<JoinHandle<()>> {
    let publisher = Arc::new(KafkaPublisher::new(ground.brokers()?, prefix)?);
    let pool = PgPoolOptions::new().max_connections(1).connect(&database.work_url).await?;
    let config = RelayConfig { batch: options.batch, ..RelayConfig::default() };
    let relay = Relay::new(pool, SCHEMA, TOPIC, publisher, Arc::new(Notify::new()), config);
    Ok(tokio::spawn(relay.run(stop.clone())))
}

fn line(text: &mut String, reader: &str, events: usize, verdict: &Verdict) {
    let Verdict { lost, duplicated, inversions, gaps, invented } = verdict;
    let _ = writeln!(text, "| {reader} | {events} | {lost} | {duplicated} | {inversions} | {gaps} | {invented} |");
}

impl Verdicts {
    /// The relay is right and both controls are wrong in their own way.
    fn check(&self) -> Result<()> {
        if self.relay != Verdict::default() {
            bail!("the relay failed: {:?}", self.relay);
        }
        if self.by_seq.lost == 0 {
            bail!("the control `seq > last` lost nothing, so the run proves nothing");
        }
        if self.by_xid.inversions == 0 {
            bail!("the control `(xid, seq)` inverted nothing, so the run proves nothing");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_relay_and_a_right_control_both_fail_the_run() {
        let right = Verdict::default();
        let (loses, inverts) = (Verdict { lost: 1, ..right }, Verdict { inversions: 1, ..right });
        let checked = |relay, by_seq, by_xid| Verdicts { relay, by_seq, by_xid }.check().is_ok();
        assert!(checked(right, loses, inverts));
        assert!(!checked(Verdict { duplicated: 1, ..right }, loses, inverts));
        assert!(!checked(Verdict { gaps: 1, ..right }, loses, inverts));
        assert!(!checked(right, right, inverts));
        assert!(!checked(right, loses, right));
    }
}
