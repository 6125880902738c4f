//! The command line: what can be said, and the exit codes.
//!
//! One file a command: its arguments, and the few lines that call what does the work. Nothing here is used by another
//! program; whatever is, lives outside this folder.

mod cache;
mod choice;
mod demo;
mod dev;
mod doctor;
mod events;
mod generate;
mod import;
mod migrate;
mod outbox;
mod real;
mod replay;
mod retail;
mod serve;
mod token;
mod webhooks;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::Config;

/// Configure, price, quote, approve, accept, order, fulfil: the services and their tools in one executable.
#[derive(Debug, Parser)]
#[command(
    name = "quoin",
    version,
    after_help = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 done, but the result does not hold"
)]
struct Cli {
    /// Settings beside the environment, TOML.
    #[arg(long, global = true, value_name = "FILE", env = "QUOIN_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer HTTP for one service, several, or all
    Serve(serve::ServeArgs),
    /// Run relays, consumers, expirers and task runners for one service, several, or all
    Work(serve::WorkArgs),
    /// Everything in one process, over servers found or started on this machine
    Dev(dev::DevArgs),
    /// The guided tour: a telecom catalog, a quote that becomes an order, Redis stopped on the way
    Demo(demo::DemoArgs),
    /// Bring the database and the topics up to date
    Migrate(migrate::MigrateArgs),
    /// Turn a file into a tenant's catalog, price books, customers and stock
    Import(import::ImportArgs),
    /// Send a file's invoices through the API as quotes and orders
    Replay(replay::ReplayArgs),
    /// Prove it on real input: import, replay, count; then again with Redis and the relay killed on the way
    Real(real::RealArgs),
    /// Issue a token for development
    Token(token::TokenArgs),
    /// Look after what lies in Redis: audit it, sweep it
    Cache(cache::CacheArgs),
    /// Look after outboxes: how much waits to be published; publish events again
    Outbox(outbox::OutboxArgs),
    /// Look after consumers: what is parked and why; apply it again, throw it away
    Events(events::EventsArgs),
    /// Look after callbacks of integrators: which are suspended; serve them again
    Webhooks(webhooks::WebhooksArgs),
    /// Say what is wrong with this installation, and what to do about it
    Doctor(doctor::DoctorArgs),
    /// Write the files that are generated from the code: API documents, events and their schemas, keyspaces, Redis users
    Generate(generate::GenerateArgs),
    /// Print shell completions
    Completions {
        /// For this shell.
        shell: Shell,
    },
}

/// How a command ended when nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Holds,
    /// It ran to its end, but what it found is not as it should be.
    DoesNotHold,
}

impl Verdict {
    /// The verdict of a check.
    pub const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::DoesNotHold }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Both TLS stacks of the tree may be linked; one must be named the process's own before the first handshake.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(Verdict::Holds) => ExitCode::SUCCESS,
        Ok(Verdict::DoesNotHold) => ExitCode::from(3),
        Err(error) => {
            eprintln!("quoin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Verdict> {
    let config = || Config::load(cli.config.as_deref());
    match cli.command {
        Command::Serve(args) => Box::pin(serve::serve(args, config()?)).await,
        Command::Work(args) => Box::pin(serve::work(args, config()?)).await,
        Command::Dev(args) => Box::pin(dev::run(args, config()?)).await,
        Command::Demo(args) => Box::pin(demo::run(args, config()?)).await,
        Command::Migrate(args) => migrate::run(args, config()?).await,
        Command::Import(args) => import::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Real(args) => real::run(args).await,
        Command::Token(args) => token::run(args, config()?).await,
        Command::Cache(args) => Box::pin(cache::run(args, config()?)).await,
        Command::Outbox(args) => Box::pin(outbox::run(args, config()?)).await,
        Command::Events(args) => Box::pin(events::run(args, config()?)).await,
        Command::Webhooks(args) => Box::pin(webhooks::run(args, config()?)).await,
        Command::Doctor(args) => doctor::run(args, config()?).await,
        Command::Generate(args) => Box::pin(generate::run(args)).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "quoin", &mut std::io::stdout());
            Ok(Verdict::Holds)
        }
    }
}

/// Prints a result for machines or for people.
fn print<T: serde::Serialize + std::fmt::Display>(result: &T, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(result)?);
    } else {
        print!("{result}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn all_means_every_service_and_a_wrong_name_is_refused() {
        let serve = |words: &[&str]| match Cli::try_parse_from(words).map(|cli| cli.command) {
            Ok(Command::Serve(args)) => Some(args.services()),
            _ => None,
        };
        assert_eq!(serve(&["quoin", "serve", "all"]).unwrap().len(), 5);
        assert_eq!(serve(&["quoin", "serve", "quote", "order", "quote"]).unwrap().len(), 2);
        assert_eq!(serve(&["quoin", "serve", "qoute"]), None);
        assert_eq!(serve(&["quoin", "serve"]), None);
    }

    #[test]
    fn a_replay_or_a_redrive_of_everything_is_asked_for_by_name() {
        let refused = |words: &str| Cli::try_parse_from(words.split(' ')).is_err();
        assert!(refused("quoin outbox replay quote"));
        assert!(!refused("quoin outbox replay quote --all --dry-run"));
        assert!(!refused("quoin outbox replay quote --tenant acme --since 2026-01-31T00:00:00Z"));
        assert!(refused("quoin outbox replay quote --tenant acme --from-version 3"), "of which aggregate?");
        assert!(refused("quoin outbox replay all --all"), "one service at a time");
        assert!(refused("quoin events redrive quote"));
        assert!(refused("quoin events redrive quote --all --key acme:quote:1"));
        assert!(!refused("quoin events redrive quote --all --consumer quote.orders"));
        assert!(refused("quoin events discard quote --consumer quote.orders --key k"));
        assert!(refused("quoin events rebuild order"), "which list?");
        assert!(!refused("quoin events rebuild order --projection order-list --dry-run"));
    }

    #[test]
    fn a_callback_is_resumed_by_its_name_and_from_a_number() {
        let refused = |words: &str| Cli::try_parse_from(words.split(' ')).is_err();
        let resume = "quoin webhooks resume quote --tenant acme --id 0198f000-0000-7000-8000-000000000001";
        assert!(!refused(resume));
        assert!(!refused(&format!("{resume} --from-sequence 1")));
        assert!(refused(&format!("{resume} --from-sequence 0")), "numbers begin with one");
        assert!(refused("quoin webhooks resume quote --tenant acme"), "which one?");
        assert!(!refused("quoin webhooks list order --json"));
    }
}
