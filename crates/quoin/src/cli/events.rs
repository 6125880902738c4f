//! `quoin events parked`, `redrive`, `discard`, `rebuild`, `reconcile`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use events::Finish;

use super::{Verdict, choice::Choice, print};
use crate::{
    app::{Log, Parts},
    config::Config,
    messaging::{
        parked::{Chosen, discard, parked, redrive},
        rebuild::rebuild,
        reconcile::{Asked, reconcile},
    },
    progress::Progress,
    services::Service,
};

const PARKED_ENDS: &str =
    "Exit codes: 0 nothing is parked · 1 PostgreSQL is away · 2 wrong usage · 3 something is parked";
const REDRIVE_ENDS: &str =
    "Exit codes: 0 every key is free · 1 Redis or PostgreSQL is away · 2 wrong usage · 3 a key is still held up";
const REBUILD_ENDS: &str = "Exit codes: 0 readers read what the events say · 1 it could not be rebuilt, nothing was changed \
     · 2 wrong usage · 3 rows are wrong (--dry-run), or records could not be applied";
const RECONCILE_ENDS: &str =
    "Exit codes: 0 nothing diverges · 1 it could not be compared · 2 wrong usage · 3 something diverges";

#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    command: EventsCommand,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// What consumers could not apply, and why
    ///
    /// An event that cannot be applied is parked with its key: later events of the key queue up behind it, all other
    /// keys flow. With --key its queue is shown too.
    #[command(verbatim_doc_comment, after_help = PARKED_ENDS)]
    Parked {
        /// Which services
        #[arg(value_name = "SERVICE", default_value = "all")]
        services: Vec<Choice>,
        /// Only what this consumer has parked
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        /// Only this key, tenant:aggregateType:aggregateId, and its queue
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Apply parked events in order, once their cause is mended
    ///
    /// Stops at the first event of a key that fails again. Safe while the consumers run.
    #[command(verbatim_doc_comment, after_help = REDRIVE_ENDS)]
    Redrive(RedriveArgs),
    /// Throw one parked event away: it is no event, or its effect was made by hand
    ///
    /// It does not come back. `quoin events parked --key` shows the numbers of a key's events.
    #[command(verbatim_doc_comment)]
    Discard(DiscardArgs),
    /// Make a list again from the first event on, and let readers read it
    ///
    /// It is made beside the one that is read; readers change over in one step, and consumers lose nothing meanwhile. The
    /// summary says what the old rows said differently.
    #[command(verbatim_doc_comment, after_help = REBUILD_ENDS)]
    Rebuild(RebuildArgs),
    /// Compare what outboxes published with the log, and lists with what the log says
    ///
    /// Events are compared by id over what the outboxes retain, seven days, or since --since. What is missing in the log can
    /// be published again; what is wrong in it stays, because nothing can be taken out of a log.
    #[command(verbatim_doc_comment, after_help = RECONCILE_ENDS)]
    Reconcile(ReconcileArgs),
}

#[derive(Debug, Args)]
struct ReconcileArgs {
    /// Which services
    #[arg(value_name = "SERVICE", default_value = "all")]
    services: Vec<Choice>,
    /// Only events written at this time or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Publish again what is missing, then compare again
    #[arg(long)]
    repair: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RebuildArgs {
    /// Whose list
    service: Service,
    /// Which, such as order-list
    #[arg(long, value_name = "NAME")]
    projection: String,
    /// Only compare it with the list that is read
    #[arg(long)]
    dry_run: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RedriveArgs {
    /// Whose consumers
    service: Service,
    /// Only what this consumer has parked
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    #[command(flatten)]
    keys: Keys,
    /// Only say what would be tried
    #[arg(long)]
    dry_run: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Keys {
    /// This key, tenant:aggregateType:aggregateId
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Every parked key
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
struct DiscardArgs {
    /// Whose consumer
    service: Service,
    /// The consumer
    #[arg(long, value_name = "NAME")]
    consumer: String,
    /// The key, tenant:aggregateType:aggregateId
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The event's number in the parking lot
    #[arg(long, value_name = "N")]
    id: i64,
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: EventsArgs, config: Config) -> anyhow::Result<Verdict> {
    let log = Log::of(&config);
    let parts = Parts::new(config, log).await?;
    match args.command {
        EventsCommand::Parked { services, consumer, key, json } => {
            let summary = parked(&parts, &Choice::services(&services), &Chosen { consumer, key }).await?;
            print(&summary, json)?;
            Ok(Verdict::of(summary.keys.is_empty()))
        }
        EventsCommand::Redrive(RedriveArgs { service, consumer, keys, dry_run, json }) => {
            let chosen = Chosen { consumer, key: keys.key };
            let summary = redrive(&parts, service, &chosen, dry_run, &Progress::unless(json)).await?;
            print(&summary, json)?;
            Ok(Verdict::of(summary.holds()))
        }
        EventsCommand::Discard(DiscardArgs { service, consumer, key, id, json }) => {
            print(&discard(&parts, service, &consumer, &key, id).await?, json)?;
            Ok(Verdict::Holds)
        }
        EventsCommand::Reconcile(ReconcileArgs { services, since, repair, json }) => {
            let (services, asked) = (Choice::services(&services), Asked { since, repair });
            let summary = reconcile(&parts, &services, asked, &Progress::unless(json)).await?;
            print(&summary, json)?;
            Ok(Verdict::of(summary.divergence == 0))
        }
        EventsCommand::Rebuild(RebuildArgs { service, projection, dry_run, json }) => {
            let finish = if dry_run { Finish::Compare } else { Finish::Switch };
            let summary = rebuild(&parts, service, &projection, finish, &Progress::unless(json)).await?;
            print(&summary, json)?;
            Ok(Verdict::of(summary.holds()))
        }
    }
}
