//! `quoin dev`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::Verdict;
use crate::{
    config::Config,
    demo::Demo,
    dev::{DevOptions, Development, Surroundings},
};

#[derive(Debug, Args)]
pub struct DevArgs {
    /// Address of services and console, instead of QUOIN__HTTP__BIND; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Write the base URL here once everything answers
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Load the demo catalog of both demo tenants
    #[arg(long)]
    demo_data: bool,
}

pub async fn run(args: DevArgs, config: Config) -> anyhow::Result<Verdict> {
    let options = DevOptions { listen: args.listen, ready_file: args.ready_file };
    let development = Development::prepare(config, options).await?;
    print!("{}", development.banner()?);
    let beside = async |around: Surroundings<'_>| {
        if args.demo_data {
            Demo::at(&around.url)?.load().await?;
            println!("the demo catalog is loaded");
        }
        println!("Ctrl-C ends everything");
        Ok(())
    };
    // On the heap: the whole product is inside this future.
    Box::pin(development.run(beside)).await?;
    Ok(Verdict::Holds)
}
