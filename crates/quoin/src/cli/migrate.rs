//! `quoin migrate`.

use std::fmt;

use clap::Args;

use super::{Verdict, print};
use crate::{
    config::Config,
    migrate::{Migrated, migrate},
};

#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: MigrateArgs, config: Config) -> anyhow::Result<Verdict> {
    print(&migrate(&config).await?, args.json)?;
    Ok(Verdict::Holds)
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for migration in &self.applied {
            writeln!(f, "applied {migration}")?;
        }
        writeln!(f, "{} applied, {} known before, {} topics made", self.applied.len(), self.known, self.topics)
    }
}
