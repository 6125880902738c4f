//! A whole run: stack, data, processes, rounds, table.

use std::fs;

use anyhow::{Context, Result, bail};
use dev_stack::Need;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::process::Command;

use crate::{
    Options,
    load::{self, Request, Sample},
    pgbench,
    process::ServerProcess,
    product::{Caching, Surroundings, size_mib},
    report::{Line, Report},
    rounds::{self, Measurement, Work},
    seed::{self, Seeded},
};

const FLOORS_PORT: u16 = 18_000;
const FULL_PORT: u16 = 18_100;
const REDIS_ONLY_PORT: u16 = 18_110;
const NO_CACHE_PORT: u16 = 18_120;
/// Tokio threads of every measured server: the machine's cores, as the floors were first measured.
const WORKER_THREADS: u16 = 2;

struct Servers {
    floors: ServerProcess,
    full: ServerProcess,
    redis_only: ServerProcess,
    no_cache: ServerProcess,
}

impl Servers {
    const fn of(&self, caching: Caching) -> (&ServerProcess, u16) {
        match caching {
            Caching::Full => (&self.full, FULL_PORT),
            Caching::RedisOnly => (&self.redis_only, REDIS_ONLY_PORT),
            Caching::None => (&self.no_cache, NO_CACHE_PORT),
        }
    }
}

/// Runs everything and prints the table.
pub async fn run(options: &Options) -> Result<()> {
    let (stack, surroundings) = Surroundings::start(&options.quoin, Need::No).await?;
    let (report, facts) = measure(options, &surroundings).await?;
    let text = format!("{facts}\n{}", report.markdown(rounds::floor_of));
    println!("{text}");
    if let Some(path) = &options.write {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    stack.stop().await
}

async fn measure(options: &Options, surroundings: &Surroundings) -> Result<(Report, String)> {
    let token = surroundings.token().await?;
    let full = surroundings.serve(&["all"], FULL_PORT, Caching::Full, WORKER_THREADS).await?;
    let seeded = seed::fill(&base(FULL_PORT), token).await?;
    let floor_bytes = copy_documents(surroundings, &seeded).await?;
    surroundings.analyze().await?;
    let servers = Servers {
        floors: start_floors(surroundings).await?,
        redis_only: surroundings.serve(&["all"], REDIS_ONLY_PORT, Caching::RedisOnly, WORKER_THREADS).await?,
        no_cache: surroundings.serve(&["all"], NO_CACHE_PORT, Caching::None, WORKER_THREADS).await?,
        full,
    };

    let mut report = Report::default();
    for round in 1..=options.rounds {
        for connections in &options.connections {
            for measurement in rounds::measurements(&seeded) {
                if !options.only.is_empty() && !options.only.iter().any(|row| row == measurement.row) {
                    continue;
                }
                eprintln!("round {round}, {connections} connections: {} {}", measurement.row, measurement.name);
                let sample = take(&measurement, &servers, &seeded, *connections, options, surroundings).await?;
                report.add(Line { row: measurement.row, connections: *connections, name: measurement.name }, sample);
            }
        }
    }
    let facts = facts(options, &servers, surroundings, floor_bytes).await?;
    Ok((report, facts))
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

async fn take(
    measurement: &Measurement,
    servers: &Servers,
    seeded: &Seeded,
    connections: u32,
    options: &Options,
    surroundings: &Surroundings,
) -> Result<Sample> {
    let scratch = surroundings.scratch.path();
    match &measurement.work {
        Work::Floor(path) => {
            let paths = seeded.offerings.iter().map(|offering| format!("{path}/{offering}")).collect();
            let request = Request { method: "GET", paths, headers: Vec::new(), body: None };
            load::measure(&base(FLOORS_PORT), &request, connections, options.seconds, &servers.floors, scratch).await
        }
        Work::Product(caching, request) => {
            let (server, port) = servers.of(*caching);
            let (status, body) = load::once(&base(port), request).await?;
            if !(200..300).contains(&status) {
                bail!("{} answered {status}: {body}", measurement.name);
            }
            load::measure(&base(port), request, connections, options.seconds, server, scratch).await
        }
        Work::Pgbench(form) => {
            let rate = pgbench::run(&surroundings.admin_url, *form, connections, options.seconds, scratch).await?;
            Ok(Sample {
                per_second: rate.per_second,
                p50_us: rate.mean_us,
                p99_us: f64::NAN,
                cpu_us: f64::NAN,
                failures: 0,
            })
        }
    }
}

/// Gives the floors the very bodies the product answers with. Returns the size of one.
async fn copy_documents(surroundings: &Surroundings, seeded: &Seeded) -> Result<usize> {
    let mut database = PgConnection::connect(&surroundings.admin_url).await?;
    database.execute(AssertSqlSafe(pgbench::SCHEMA)).await?;
    let api = seed::Api::new(&base(FULL_PORT), &seeded.token);
    let mut size = 0;
    for offering in &seeded.offerings {
        let path = format!("/catalog/v1/publications/{}/offerings/{offering}", seeded.publication);
        let body = api.send("GET", &path, &[], None).await?.to_string();
        size = body.len();
        sqlx::query("insert into floor.document (id, body) values ($1, $2)")
            .bind(offering)
            .bind(body.into_bytes())
            .execute(&mut database)
            .await?;
    }
    database.close().await?;
    Ok(size)
}

async fn start_floors(surroundings: &Surroundings) -> Result<ServerProcess> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floors", "--address", &format!("127.0.0.1:{FLOORS_PORT}")]).args([
        "--database-url",
        &surroundings.admin_url,
        "--redis-url",
        &surroundings.redis_url,
    ]);
    ServerProcess::start(command, &format!("{}/bare/{}", base(FLOORS_PORT), uuid::Uuid::nil())).await
}

/// The figures of S13 and the conditions of the run.
async fn facts(options: &Options, servers: &Servers, surroundings: &Surroundings, body: usize) -> Result<String> {
    let alone = surroundings.serve(&["catalog"], 18_130, Caching::Full, WORKER_THREADS).await?;
    let ready_ms = alone.ready_after.as_millis();
    let idle = alone.resident_mib()?;
    alone.stop().await?;
    let load_average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Ok(format!(
        "{} rounds of {} s, {WORKER_THREADS} worker threads a server, body {body} bytes, load average after the run {}.\n\n\
         S13: resident after load, all five services in one process {:.1} MiB, floors {:.1} MiB; one service idle {idle:.1} MiB, \
         start-up to ready {ready_ms} ms; executable {:.1} MiB.\n",
        options.rounds,
        options.seconds,
        load_average.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        servers.full.resident_mib()?,
        servers.floors.resident_mib()?,
        size_mib(&surroundings.program)?,
    ))
}
