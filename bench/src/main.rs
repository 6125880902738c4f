//! Benchmarks: the product beside its floors, interleaved in the same rounds.
//!
//! `run` starts its own durable PostgreSQL and Redis, fills the product through its API, then measures every row of the quality page it knows
//! at 1, 32 and 128 connections, floor next to product, round after round. Ratios are taken within a round, because these machines are shared.
//! `cache` does the same for the cache alone, in this process; `relay` for the way of events from a commit to Kafka. `order` proves that
//! the relay loses nothing and keeps the order, where two other readers fail.

mod cache;
mod floors;
mod load;
mod measure;
mod order;
mod pgbench;
mod process;
mod product;
mod relay;
mod report;
mod rounds;
mod seed;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The product's own: a floor on another allocator would be another machine's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
#[command(name = "bench", about = "Measures quoin beside its floors, in the same rounds")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the floors (started by `run`).
    Floors {
        /// Address to listen on.
        #[arg(long)]
        address: SocketAddr,
        /// Database with the table floor.document.
        #[arg(long)]
        database_url: String,
        /// Redis.
        #[arg(long)]
        redis_url: String,
    },
    /// Measures and prints the table.
    Run(Options),
    /// Measures the cache beside what it is built on, and prints the tables.
    Cache(cache::Options),
    /// Measures the relay beside the one many programs write, and prints the tables.
    Relay(relay::Options),
    /// A relay in a process of its own (started by `relay`).
    RelayWorker(relay::worker::Options),
    /// Proves order and completeness against many writers; fails unless the relay is right and the controls are wrong.
    Order(order::Options),
}

/// How much is measured.
#[derive(clap::Args)]
pub struct Options {
    /// The quoin executable (release build).
    #[arg(long, default_value = "target/release/quoin")]
    quoin: PathBuf,
    /// Rounds; the table shows the median and the spread over them.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds a measurement lasts.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Connection counts.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 128])]
    connections: Vec<u32>,
    /// Rows to measure, e.g. `S1,S6`; all when absent.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Writes the table to this file as well.
    #[arg(long)]
    write: Option<PathBuf>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Floors { address, database_url, redis_url } => floors::serve(address, &database_url, &redis_url).await,
        Command::Run(options) => measure::run(&options).await,
        Command::Cache(options) => cache::run(&options).await,
        Command::Relay(options) => relay::run(&options).await,
        Command::RelayWorker(options) => relay::worker::run(&options).await,
        Command::Order(options) => order::run(&options).await,
    }
}
