//! `quoin replay`.

use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use clap::Args;
use secrecy::SecretString;

use super::{Verdict, print, retail::Target};
use crate::{
    import::Source,
    progress::Progress,
    replay::{self, ReplayOptions},
    retail::plan::Window,
};

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    target: Target,
    /// From this day on, e.g. 2010-12-01
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// To the end of this day
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// Only so many invoices
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Invoices under way at a time
    #[arg(long, value_name = "N", default_value_t = 8)]
    concurrency: usize,
    /// Seconds to wait at the end for orders that are still being fulfilled
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    settle_within: u64,
    /// The approver's token; must not be the one who asks
    #[arg(long, env = "QUOIN_APPROVER_TOKEN", hide_env_values = true)]
    approver_token: Option<SecretString>,
}

pub async fn run(args: ReplayArgs) -> anyhow::Result<Verdict> {
    let source = Source::open(&args.target.file)?;
    let speakers = args.target.speakers(args.approver_token.as_ref())?;
    let options = ReplayOptions {
        window: Window {
            from: args.from.map(midnight),
            to: args.to.and_then(|day| day.succ_opt()).map(midnight),
            limit: args.limit,
        },
        concurrency: args.concurrency,
        settle_within: Duration::from_secs(args.settle_within),
    };
    let progress = Progress::unless(args.target.json);
    let summary = replay::online_retail(&speakers, &source, options, &progress).await?;
    print(&summary, args.target.json)?;
    Ok(Verdict::of(summary.settled))
}

fn midnight(day: NaiveDate) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN)
}
