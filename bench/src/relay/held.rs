//! A transaction of somebody else stays open: what vacuum may not clean, and who suffers from it.

use std::time::Duration;

use anyhow::Result;
use sqlx::{Acquire, PgConnection, PgPool};
use tokio::time::{Instant, sleep_until};

use super::{
    Kind, Options,
    carried::{Event, WARM_UP, carry, millis, since},
    figures::Figures,
    ground::Ground,
    watched::Backend,
};

/// The time is looked at in this many parts.
const PARTS: u32 = 10;

/// What was seen at the end of one part.
#[derive(Debug, Clone, Copy)]
struct Look {
    backend_seconds: f64,
    /// Dead rows in the outbox, in the relay's cursor, in the leases.
    dead: [i64; 3],
}

/// Headings of the table.
pub const COLUMNS: [&str; 7] = [
    "acknowledged/s",
    "p50 ms",
    "p99 ms",
    "CPU of its backend, ms/s",
    "dead rows in the outbox",
    "in the cursor",
    "in the leases",
];

/// Carries the load under an open transaction, once by each relay.
pub async fn measure(ground: &Ground, options: &Options, round: u32, table: &mut Figures) -> Result<()> {
    let part = Duration::from_secs(options.held_seconds) / PARTS;
    for kind in Kind::ALL {
        let database = ground.database(&format!("held_{round}_{}", kind.word())).await?;
        let mut stranger = database.admin.acquire().await?;
        let mut open = stranger.begin().await?;
        hold(&mut open).await?;
        let load = (options.held_rate, part * PARTS);
        let looking = |backend| looks(&database.admin, backend, part);
        let (carried, looks) = carry(kind, ground, &database, load, looking).await?;
        open.rollback().await?;
        let begin = carried.events.first().map_or(0, |event| event.written.due);
        let part_micros = i64::try_from(part.as_micros())?;
        let parts = looks.windows(2).zip(0..).map(|(pair, number)| (pair, begin + number * part_micros));
        for (number, (pair, from)) in parts.enumerate() {
            let what = match number + 1 {
                1 => "first tenth",
                10 => "last tenth",
                _ => continue,
            };
            let within = |at: i64| (from..from + part_micros).contains(&at);
            let figures = figures(&carried.events, within, pair, part)?;
            table.add(&[&kind, &what], &figures);
        }
    }
    Ok(())
}

/// Holds back everybody's horizon: a snapshot that is kept, and a transaction id that stays in progress.
async fn hold(open: &mut PgConnection) -> Result<()> {
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *open).await?;
    sqlx::query("select pg_current_xact_id()").execute(&mut *open).await?;
    Ok(())
}

/// Looks at the beginning and after each part.
async fn looks(database: &PgPool, backend: Backend, part: Duration) -> Result<Vec<Look>> {
    let begin = Instant::now() + WARM_UP;
    let mut looks = Vec::new();
    for number in 0..=PARTS {
        sleep_until(begin + part * number).await;
        let dead: (i64, i64, i64) = sqlx::query_as(
            "select coalesce(sum(n_dead_tup) filter (where relname like 'outbox%'), 0)::bigint, \
               coalesce(sum(n_dead_tup) filter (where relname = 'relay_cursor'), 0)::bigint, \
               coalesce(sum(n_dead_tup) filter (where relname like 'lease%'), 0)::bigint \
             from pg_stat_user_tables where schemaname in ('order', 'rival')",
        )
        .fetch_one(database)
        .await?;
        looks.push(Look { backend_seconds: backend.cpu_seconds()?, dead: [dead.0, dead.1, dead.2] });
    }
    Ok(looks)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn figures(events: &[Event], within: impl Fn(i64) -> bool, pair: &[Look], part: Duration) -> Result<[f64; 7]> {
    let written: Vec<Event> = events.iter().filter(|event| within(event.written.due)).copied().collect();
    let acknowledged = events.iter().filter(|event| within(event.acknowledged)).count() as f64;
    let took = since(&written, |written| written.sent)?;
    let (before, after) = (pair.first(), pair.last());
    let cpu = after.map_or(0.0, |look| look.backend_seconds) - before.map_or(0.0, |look| look.backend_seconds);
    let [outbox, cursor, leases] = after.map_or([0; 3], |look| look.dead).map(|rows| rows as f64);
    let [p50, p99] = [0.5, 0.99].map(|quantile| millis(took.value_at_quantile(quantile)));
    let seconds = part.as_secs_f64();
    Ok([acknowledged / seconds, p50, p99, cpu * 1_000.0 / seconds, outbox, cursor, leases])
}
