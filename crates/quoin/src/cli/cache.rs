//! `quoin cache audit`, `quoin cache sweep`.

use cache_engine::audit::inspection::Extent;
use cache_ports::{
    keyspace::{Audit, Keyspace},
    registry,
};
use clap::{Args, Subcommand};
use kernel::TenantId;

use super::{Verdict, print};
use crate::{
    app::{Log, Parts},
    config::Config,
    progress::Progress,
    upkeep::{
        audit::{AuditOptions, audit},
        sweep::sweep,
    },
};

const AUDIT_ENDS: &str = "Exit codes: 0 nothing wrong is left · 1 Redis or PostgreSQL is away · 2 wrong usage · \
                          3 wrong entries are left, or some could not be judged";
const AUDIT_EXAMPLES: &str = "Examples:
  quoin cache audit                                       200 entries of each keyspace
  quoin cache audit --all --keyspace quote-summary        every quote summary of every tenant
  quoin cache audit --all --tenant acme --repair --json   everything of one tenant; what is wrong goes";

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Compare entries in Redis with what PostgreSQL says, and print a table
    ///
    /// Chooses live entries of each keyspace and asks PostgreSQL what they should be, through the loaders of the
    /// cached reads. What differs, and lag could explain, is looked at again after QUOIN__AUDIT__GRACE_MS.
    /// Prints keys, versions and the names of fields that differ, never a value. Safe while the product runs.
    #[command(verbatim_doc_comment, after_help = AUDIT_ENDS, after_long_help = format!("{AUDIT_ENDS}\n\n{AUDIT_EXAMPLES}"))]
    Audit(AuditArgs),
    /// Remove superseded versions from Redis; their time to live would do so later
    ///
    /// Of objects whose versions have keys of their own (price books, stock, orders) only the newest version stays.
    /// Entries younger than QUOIN__SWEEP__MIN_AGE_MS stay too: whoever asked for them may ask again.
    #[command(verbatim_doc_comment)]
    Sweep(SweepArgs),
}

#[derive(Debug, Args)]
struct AuditArgs {
    /// Only this keyspace; may be repeated. Names as in docs/keyspaces.md, with - for blanks if you like
    #[arg(long = "keyspace", value_name = "NAME", value_parser = keyspace_named)]
    keyspaces: Vec<&'static Keyspace>,
    /// Only this tenant's entries
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Look at so many entries of each keyspace, each live one with the same chance
    #[arg(long, value_name = "N", default_value_t = 200, conflicts_with = "all")]
    sample: usize,
    /// Look at every entry
    #[arg(long)]
    all: bool,
    /// Remove what is wrong: the next read asks PostgreSQL
    #[arg(long)]
    repair: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct SweepArgs {
    /// Only count, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: CacheArgs, config: Config) -> anyhow::Result<Verdict> {
    let log = Log::of(&config);
    let parts = Parts::new(config, log).await?;
    match args.command {
        CacheCommand::Audit(args) => {
            let extent = if args.all { Extent::All } else { Extent::Sample(args.sample) };
            let AuditArgs { keyspaces, tenant, repair, json, .. } = args;
            let options = AuditOptions { keyspaces, tenant, extent, repair };
            let summary = audit(&parts, options, &Progress::unless(json)).await?;
            print(&summary, json)?;
            Ok(Verdict::of(summary.holds()))
        }
        CacheCommand::Sweep(args) => {
            let summary = sweep(&parts, args.dry_run, &Progress::unless(args.json)).await?;
            print(&summary, args.json)?;
            Ok(Verdict::Holds)
        }
    }
}

/// A keyspace that can be audited, or the names of those that can.
fn keyspace_named(text: &str) -> Result<&'static Keyspace, String> {
    let plain = |name: &str| name.replace('-', " ").to_lowercase();
    let found = registry::all().find(|keyspace| plain(keyspace.name) == plain(text));
    match found {
        Some(keyspace) if keyspace.audit == Audit::NothingToJudge => {
            Err(format!("{} has nothing that it could be compared with", keyspace.name))
        }
        Some(keyspace) => Ok(keyspace),
        None => {
            let judged = registry::all().filter(|keyspace| keyspace.audit != Audit::NothingToJudge);
            let names: Vec<&str> = judged.map(|keyspace| keyspace.name).collect();
            Err(format!("no keyspace is called that. There are: {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_is_found_by_its_name_and_a_wrong_name_lists_all() {
        for name in ["inventory item", "inventory-item", "Inventory-Item"] {
            assert_eq!(keyspace_named(name).unwrap().name, "inventory item");
        }
        let error = keyspace_named("inventroy").unwrap_err();
        assert!(error.contains("inventory item") && error.contains("quote summary"), "{error}");
        assert!(!error.contains("rate limit"), "{error}");
        assert!(keyspace_named("rate-limit").unwrap_err().contains("nothing"));
    }
}
