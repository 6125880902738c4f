//! `quoin doctor`.

use clap::Args;

use super::{Verdict, print};
use crate::{config::Config, doctor::examine};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: DoctorArgs, config: Config) -> anyhow::Result<Verdict> {
    let report = examine(&config).await;
    print(&report, args.json)?;
    Ok(Verdict::of(report.is_healthy()))
}
