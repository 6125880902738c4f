//! `quoin outbox status`, `quoin outbox replay`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use events::Replay;
use kernel::{TenantId, Version};
use uuid::Uuid;

use super::{Verdict, choice::Choice, print};
use crate::{
    app::{Log, Parts},
    config::Config,
    messaging::outbox::{replay, status},
    progress::Progress,
    services::Service,
};

const REPLAY_EXAMPLES: &str = "Examples:
  quoin outbox replay quote --tenant acme --dry-run
  quoin outbox replay order --aggregate-id 0198f000-0000-7000-8000-000000000001 --from-version 3
  quoin outbox replay pricing --all --since 2026-01-31T00:00:00Z";

#[derive(Debug, Args)]
pub struct OutboxArgs {
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// How many events wait to be published, since when, and how many are kept
    Status {
        /// Which services
        #[arg(value_name = "SERVICE", default_value = "all")]
        services: Vec<Choice>,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Publish events of a service again: for a consumer that misses some, or a log that lost its end
    ///
    /// Only events that were published once are published again, in their order, with their ids and versions:
    /// consumers recognise what they have. The reach is the outbox's retention, seven days.
    #[command(verbatim_doc_comment, after_long_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// Whose events
    service: Service,
    #[command(flatten)]
    chosen: ChosenEvents,
    /// Only count them, and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct ChosenEvents {
    /// Of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Of this kind of aggregate, such as quote
    #[arg(long, value_name = "TYPE")]
    aggregate_type: Option<String>,
    /// Of this aggregate
    #[arg(long, value_name = "ID")]
    aggregate_id: Option<Uuid>,
    /// From this version of the aggregate on
    #[arg(long, value_name = "N", requires = "aggregate_id")]
    from_version: Option<u64>,
    /// Of this type, such as QuoteChanged
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Written at this time or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Written before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    before: Option<DateTime<Utc>>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl From<ChosenEvents> for Replay {
    fn from(chosen: ChosenEvents) -> Self {
        Self {
            tenant: chosen.tenant,
            aggregate_type: chosen.aggregate_type,
            aggregate_id: chosen.aggregate_id,
            from_version: chosen.from_version.map(Version::new),
            event_type: chosen.event_type,
            since: chosen.since,
            before: chosen.before,
        }
    }
}

pub async fn run(args: OutboxArgs, config: Config) -> anyhow::Result<Verdict> {
    let log = Log::of(&config);
    let parts = Parts::new(config, log).await?;
    match args.command {
        OutboxCommand::Status { services, json } => {
            print(&status(&parts, &Choice::services(&services)).await?, json)?;
        }
        OutboxCommand::Replay(ReplayArgs { service, chosen, dry_run, json }) => {
            let summary = replay(&parts, service, &chosen.into(), dry_run, &Progress::unless(json)).await?;
            print(&summary, json)?;
        }
    }
    Ok(Verdict::Holds)
}
