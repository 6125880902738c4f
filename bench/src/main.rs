//! Benchmarks: the product beside its floors, interleaved in the same rounds.

mod floors;
mod load;
mod pgbench;
mod process;
mod report;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Floors { address, database_url, redis_url } => floors::serve(address, &database_url, &redis_url).await,
    }
}
