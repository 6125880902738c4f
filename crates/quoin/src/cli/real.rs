//! `quoin real`.

use std::path::PathBuf;

use clap::Args;

use super::{Verdict, print};
use crate::{
    progress::Progress,
    real::{RealOptions, prove},
};

#[derive(Debug, Args)]
pub struct RealArgs {
    /// The online-retail file
    file: PathBuf,
    /// How many invoices
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    invoices: usize,
    /// Invoices under way at a time
    #[arg(long, value_name = "N", default_value_t = 8)]
    concurrency: usize,
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: RealArgs) -> anyhow::Result<Verdict> {
    let options = RealOptions { invoices: args.invoices, concurrency: args.concurrency };
    let proof = prove(&args.file, options, &Progress::unless(args.json)).await?;
    print(&proof, args.json)?;
    Ok(Verdict::of(proof.holds()))
}
