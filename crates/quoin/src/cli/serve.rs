//! `quoin serve`, `quoin work`: one process of a deployment.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{Verdict, choice::Choice};
use crate::{
    app::{self, Doors, Duties, Log},
    config::Config,
    services::Service,
};

#[derive(Debug, Args)]
struct Process {
    /// Which services
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<Choice>,
    /// Address to answer on, instead of QUOIN__HTTP__BIND
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address for /live, /ready and /metrics, instead of QUOIN__HTTP__INTERNAL_BIND
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<SocketAddr>,
    /// Write the base URL here once the process listens
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Process {
    fn services(&self) -> Vec<Service> {
        Choice::services(&self.services)
    }

    async fn run(&self, mut config: Config, duties: Duties) -> anyhow::Result<Verdict> {
        let http = &mut config.runtime.http;
        http.bind = self.listen.unwrap_or(http.bind);
        http.internal_bind = self.internal_listen.unwrap_or(http.internal_bind);
        let doors = Doors::open(&config).await?;
        app::announce(self.ready_file.as_deref(), &doors.url()?)?;
        let log = Log::of(&config);
        app::run(config, log, duties, doors, async |_| ()).await?;
        Ok(Verdict::Holds)
    }
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    process: Process,
}

impl ServeArgs {
    #[cfg(test)]
    pub fn services(&self) -> Vec<Service> {
        self.process.services()
    }
}

#[derive(Debug, Args)]
pub struct WorkArgs {
    #[command(flatten)]
    process: Process,
}

pub async fn serve(args: ServeArgs, config: Config) -> anyhow::Result<Verdict> {
    let duties = Duties { serve: args.process.services(), work: Vec::new() };
    Box::pin(args.process.run(config, duties)).await
}

pub async fn work(args: WorkArgs, config: Config) -> anyhow::Result<Verdict> {
    let duties = Duties { serve: Vec::new(), work: args.process.services() };
    Box::pin(args.process.run(config, duties)).await
}
