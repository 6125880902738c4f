//! Writers that make it hard: early transaction ids, rollbacks, savepoints that are rolled back and tried again, and
//! transactions that take their id and sequence numbers first and commit long after everybody else.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use events::{NewEvent, Outbox};
use kernel::{Clock, SystemClock, TenantId, Version};
use serde_json::json;
use sqlx::{Acquire, Executor, PgConnection, PgPool};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Options;
use crate::relay::ground::SCHEMA;

/// Most aggregates one transaction changes.
const MOST_CHANGES: usize = 16;
/// Longest pause between taking an id and taking the first lock, in milliseconds.
const LONGEST_PAUSE_MS: u64 = 12;
/// Writers beside the others whose transactions stay open for seconds.
const LATE_WRITERS: usize = 4;
/// Events such a transaction writes before it waits: more than a batch of the relay has room for.
const EARLY_EVENTS: usize = 25;
/// One transaction in so many is rolled back.
const ROLLBACK_ONE_IN: u8 = 5;
/// One savepoint in so many is rolled back.
const SAVEPOINT_ONE_IN: u8 = 8;

/// What was written.
#[derive(Debug, Default)]
pub struct Tally {
    events: AtomicU64,
    committed: AtomicU64,
    rolled_back: AtomicU64,
    savepoints_rolled_back: AtomicU64,
    late: AtomicU64,
    longest_open_ms: AtomicU64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} transactions committed, {} rolled back, {} savepoints rolled back and tried again; {} transactions stayed \
             open for seconds, the longest for {} s.",
            self.committed.load(Relaxed),
            self.rolled_back.load(Relaxed),
            self.savepoints_rolled_back.load(Relaxed),
            self.late.load(Relaxed),
            self.longest_open_ms.load(Relaxed) / 1_000,
        )
    }
}

struct Ground {
    database: PgPool,
    aggregates: Vec<Uuid>,
    tenant: TenantId,
    wanted: u64,
    open_seconds: u64,
    tally: Tally,
}

/// Makes the aggregates' tables and writes until enough was committed.
pub async fn write(options: &Options, database: &PgPool) -> Result<Tally> {
    for statement in [
        "create table \"order\".aggregate (id uuid primary key, version bigint not null) with (fillfactor = 50)",
        "create table \"order\".bystander (id bigint generated always as identity, note text)",
    ] {
        database.execute(statement).await?;
    }
    let mut aggregates: Vec<Uuid> = (0..options.aggregates).map(|_| Uuid::now_v7()).collect();
    // Everybody locks in this order.
    aggregates.sort_unstable();
    let ground = Arc::new(Ground {
        database: database.clone(),
        aggregates,
        tenant: "bench".parse()?,
        wanted: options.events,
        open_seconds: options.open_seconds,
        tally: Tally::default(),
    });
    let mut writing = JoinSet::new();
    for _ in 0..options.writers {
        writing.spawn(ground.clone().write());
    }
    for _ in 0..LATE_WRITERS {
        writing.spawn(ground.clone().write_late());
    }
    while let Some(ended) = writing.join_next().await {
        ended??;
    }
    Ok(Arc::try_unwrap(ground).map(|ground| ground.tally).unwrap_or_default())
}

impl Ground {
    fn is_done(&self) -> bool {
        self.tally.events.load(Relaxed) >= self.wanted
    }

    async fn write(self: Arc<Self>) -> Result<()> {
        let mut connection = self.database.acquire().await?;
        while !self.is_done() {
            let mut tx = connection.begin().await?;
            if fastrand::bool() {
                take_id(&mut tx).await?;
                tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=LONGEST_PAUSE_MS))).await;
            }
            let ids = self.some_aggregates();
            let mut savepoint = tx.begin().await?;
            self.change(&mut savepoint, &ids).await?;
            if fastrand::u8(..SAVEPOINT_ONE_IN) == 0 {
                savepoint.rollback().await?;
                self.tally.savepoints_rolled_back.fetch_add(1, Relaxed);
                self.change(&mut tx, &ids).await?;
            } else {
                savepoint.commit().await?;
            }
            if fastrand::u8(..ROLLBACK_ONE_IN) == 0 {
                tx.rollback().await?;
                self.tally.rolled_back.fetch_add(1, Relaxed);
            } else {
                tx.commit().await?;
                self.committed(ids.len());
            }
        }
        Ok(())
    }

    /// Takes its id and its sequence numbers first of all, and commits long after.
    async fn write_late(self: Arc<Self>) -> Result<()> {
        let mut connection = self.database.acquire().await?;
        while !self.is_done() {
            let began = Instant::now();
            let mut tx = connection.begin().await?;
            let own: Vec<Uuid> = (0..EARLY_EVENTS).map(|_| Uuid::now_v7()).collect();
            self.change(&mut tx, &own).await?;
            tokio::time::sleep(Duration::from_secs(fastrand::u64(1..=self.open_seconds))).await;
            let shared = self.some_aggregates();
            self.change(&mut tx, &shared).await?;
            tx.commit().await?;
            self.committed(own.len() + shared.len());
            self.tally.late.fetch_add(1, Relaxed);
            let open = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.tally.longest_open_ms.fetch_max(open, Relaxed);
        }
        Ok(())
    }

    fn committed(&self, events: usize) {
        self.tally.committed.fetch_add(1, Relaxed);
        self.tally.events.fetch_add(events as u64, Relaxed);
    }

    /// Different ones, in the order in which everybody locks.
    fn some_aggregates(&self) -> Vec<Uuid> {
        let count = fastrand::usize(1..=MOST_CHANGES);
        let mut ids = fastrand::choose_multiple(self.aggregates.iter().copied(), count);
        ids.sort_unstable();
        ids
    }

    /// As a command does it: locks and raises the versions, then appends one event for each.
    async fn change(&self, tx: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
        let raised: Vec<(Uuid, i64)> = sqlx::query_as(
            "insert into \"order\".aggregate (id, version) \
             select id, 1 from unnest($1::uuid[]) with ordinality as wanted (id, place) order by place \
             on conflict (id) do update set version = aggregate.version + 1 returning id, version",
        )
        .bind(ids)
        .fetch_all(&mut *tx)
        .await?;
        let events = raised.into_iter().map(|(id, version)| {
            let (version, payload) = (Version::from_i64(version), json!({ "version": version }));
            NewEvent::new(&self.tenant, "widget", id, version, "WidgetChanged", &payload, SystemClock.now())
        });
        let events = events.collect::<Result<Vec<_>, _>>()?;
        Ok(Outbox::of(SCHEMA).append(tx, &events).await?)
    }
}

/// A transaction takes its id with its first write, here long before any lock.
async fn take_id(tx: &mut PgConnection) -> Result<()> {
    sqlx::query("insert into \"order\".bystander (note) values ('early')").execute(tx).await?;
    Ok(())
}
