//! `quoin demo`.

use std::net::SocketAddr;

use clap::Args;

use super::Verdict;
use crate::{
    config::Config,
    demo::Demo,
    dev::{DevOptions, Development, Surroundings},
};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Address of services and console, instead of QUOIN__HTTP__BIND
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// End after the tour instead of staying up
    #[arg(long)]
    once: bool,
}

/// The tour stops Redis; everybody who misses it says so, and the tour is what people came to read.
const LOG: &str = "error,fred=off";

pub async fn run(args: DemoArgs, mut config: Config) -> anyhow::Result<Verdict> {
    if std::env::var_os("QUOIN__TELEMETRY__LOG").is_none() {
        LOG.clone_into(&mut config.runtime.telemetry.log);
    }
    println!("starting PostgreSQL, Redis and Kafka …");
    let options = DevOptions { listen: args.listen, ready_file: None };
    let development = Development::prepare(config, options).await?;
    print!("{}", development.banner()?);
    let beside = async |around: Surroundings<'_>| {
        let demo = Demo::at(&around.url)?;
        demo.load().await?;
        demo.tour(around.stack).await?;
        if args.once {
            around.lifecycle.stop();
        } else {
            print!("{}", demo.how_to_go_on());
        }
        Ok(())
    };
    // On the heap: the whole product is inside this future.
    Box::pin(development.run(beside)).await?;
    Ok(Verdict::Holds)
}
