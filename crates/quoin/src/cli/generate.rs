//! `quoin generate`.

use std::path::PathBuf;

use clap::Args;

use super::Verdict;
use crate::generate::{stale, write};

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Only say which files are stale
    #[arg(long)]
    check: bool,
    /// The repository
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    root: PathBuf,
}

pub async fn run(args: GenerateArgs) -> anyhow::Result<Verdict> {
    if !args.check {
        for path in write(&args.root).await? {
            println!("wrote {path}");
        }
        return Ok(Verdict::Holds);
    }
    let stale = stale(&args.root).await?;
    for file in &stale {
        println!("stale {}", file.path);
    }
    Ok(Verdict::of(stale.is_empty()))
}
