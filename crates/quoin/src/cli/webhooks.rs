//! `quoin webhooks list`, `quoin webhooks resume`.

use clap::{Args, Subcommand};
use kernel::TenantId;
use uuid::Uuid;

use super::{Verdict, choice::Choice, print};
use crate::{
    app::{Log, Parts},
    config::Config,
    messaging::callbacks::{callbacks, resume},
    services::Service,
};

const LIST_ENDS: &str =
    "Exit codes: 0 everybody is served · 1 PostgreSQL is away · 2 wrong usage · 3 somebody is suspended";

#[derive(Debug, Args)]
pub struct WebhooksArgs {
    #[command(subcommand)]
    command: WebhooksCommand,
}

#[derive(Debug, Subcommand)]
enum WebhooksCommand {
    /// Callbacks of all tenants, and which are suspended
    #[command(after_help = LIST_ENDS)]
    List {
        /// Which services
        #[arg(value_name = "SERVICE", default_value = "all")]
        services: Vec<Choice>,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Serve a callback again: from where it stood, or from an event's number on
    Resume(ResumeArgs),
}

#[derive(Debug, Args)]
struct ResumeArgs {
    /// The service it listens to
    service: Service,
    /// Whose callback
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// Which one
    #[arg(long, value_name = "ID")]
    id: Uuid,
    /// Send everything from this event on; what waits before it is given up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    from_sequence: Option<i64>,
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: WebhooksArgs, config: Config) -> anyhow::Result<Verdict> {
    let log = Log::of(&config);
    let parts = Parts::new(config, log).await?;
    match args.command {
        WebhooksCommand::List { services, json } => {
            let summary = callbacks(&parts, &Choice::services(&services)).await?;
            print(&summary, json)?;
            Ok(Verdict::of(summary.holds()))
        }
        WebhooksCommand::Resume(ResumeArgs { service, tenant, id, from_sequence, json }) => {
            print(&resume(&parts, service, &tenant, id, from_sequence).await?, json)?;
            Ok(Verdict::Holds)
        }
    }
}
