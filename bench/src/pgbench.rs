//! The durable-write floors: `pgbench` inserting a state row and an outbox row, in four round trips and in one; and `pgbench`
//! writing what a quote's creation writes, as the service's own role.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Tables the scripts write, shaped like a small aggregate and its outbox row.
pub const SCHEMA: &str = "
create schema if not exists floor;
create table if not exists floor.state (id uuid primary key default gen_random_uuid(), tenant text not null, version bigint not null, body jsonb not null);
create table if not exists floor.outbox (seq bigint generated always as identity primary key, tenant text not null, aggregate_id uuid not null, payload bytea not null);
create table if not exists floor.document (id uuid primary key, body bytea not null);
";

/// How the two rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `begin`, two inserts, `commit`: what a plain service does.
    FourTrips,
    /// One statement with a data-modifying `with`.
    OneStatement,
    /// The rows of one quote, by the product's statements, a round trip each: key claimed, quote with revision, line and
    /// history, event, answer kept.
    SameStatements,
}

impl Form {
    const fn script(self) -> &'static str {
        match self {
            Self::FourTrips => concat!(
                "\\set n random(1, 1000000000)\nbegin;\n",
                "insert into floor.state (tenant, version, body) values ('bench', 1, jsonb_build_object('n', cast(:n as bigint), 'state', 'draft'));\n",
                "insert into floor.outbox (tenant, aggregate_id, payload) values ('bench', gen_random_uuid(), convert_to(repeat('x', 400), 'UTF8'));\n",
                "commit;\n"
            ),
            Self::OneStatement => concat!(
                "\\set n random(1, 1000000000)\n",
                "with s as (insert into floor.state (tenant, version, body) values ('bench', 1, jsonb_build_object('n', cast(:n as bigint), 'state', 'draft')) returning id) ",
                "insert into floor.outbox (tenant, aggregate_id, payload) select 'bench', id, convert_to(repeat('x', 400), 'UTF8') from s;\n"
            ),
            Self::SameStatements => include_str!("same_statements.sql"),
        }
    }

    /// Session settings: the product's tables are written by the role that serves them, under its row-level security.
    const fn session(self) -> &'static str {
        match self {
            Self::FourTrips | Self::OneStatement => "",
            Self::SameStatements => "-c role=quote_serve -c quoin.tenant=bench",
        }
    }
}

/// What `pgbench` reported.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Transactions a second.
    pub per_second: f64,
    /// Mean latency, microseconds.
    pub mean_us: f64,
}

/// Runs one form for `seconds` with `clients` connections.
pub async fn run(database_url: &str, form: Form, clients: u32, seconds: u64, scratch: &Path) -> Result<Rate> {
    let script = scratch.join(format!("{form:?}.sql"));
    std::fs::write(&script, form.script())?;
    let output = Command::new(program()?)
        .env("PGOPTIONS", form.session())
        .args(["-n", "-M", "prepared", "-c", &clients.to_string(), "-j", &clients.min(2).to_string()])
        .args(["-T", &seconds.to_string(), "-f"])
        .arg(&script)
        .arg(database_url)
        .stdin(Stdio::null())
        .output()
        .await
        .context("running pgbench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let number = |start: &str| -> Result<f64> {
        let line = text.lines().find(|line| line.starts_with(start)).with_context(|| format!("no line {start}"))?;
        let word = line[start.len()..].split_whitespace().find(|word| word.parse::<f64>().is_ok());
        Ok(word.context("no number")?.parse()?)
    };
    Ok(Rate { per_second: number("tps")?, mean_us: number("latency average")? * 1e3 })
}

fn program() -> Result<std::path::PathBuf> {
    let mut candidates = vec!["/usr/bin/pgbench".into(), "/usr/local/bin/pgbench".into()];
    for version in (13..=20).rev() {
        candidates.push(std::path::PathBuf::from(format!("/usr/lib/postgresql/{version}/bin/pgbench")));
    }
    candidates.into_iter().find(|path| path.exists()).context("pgbench is missing (Debian package postgresql)")
}
