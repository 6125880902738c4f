//! A reaction that leaves marks and fails as it is told, and the running of it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use async_trait::async_trait;
use events::{
    Consumer, ConsumerConfig, Delivery, Envelope, Extent, Guard, InProcessBus, Partition, Reaction, ReactionError,
    Retention, RetryLater, Source, SourceError,
};
use opentelemetry::trace::TraceContextExt;
use sqlx::{PgConnection, PgPool};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::fixture::{Fixture, LEASE, SCHEMA, TOPIC, until};

/// Leaves one row per applied event, and fails as it is told.
pub struct Mark {
    pub name: &'static str,
    pub guard: Guard,
    /// Versions that cannot be applied while it is set.
    pub poison: Mutex<Vec<(Uuid, u64)>>,
    pub panics: AtomicBool,
    /// Events it was given, applied or not; at this one it stands still.
    pub given: AtomicUsize,
    pub stands_still_at: AtomicUsize,
    /// How many attempts still fail transiently.
    pub busy: AtomicUsize,
    pub redis_away: AtomicBool,
    pub settled: Mutex<Vec<(Uuid, u64)>>,
    pub traces: Mutex<Vec<String>>,
}

impl Mark {
    pub fn new(name: &'static str, guard: Guard) -> Arc<Self> {
        Arc::new(Self {
            name,
            guard,
            poison: Mutex::default(),
            panics: AtomicBool::default(),
            given: AtomicUsize::default(),
            stands_still_at: AtomicUsize::new(usize::MAX),
            busy: AtomicUsize::default(),
            redis_away: AtomicBool::default(),
            settled: Mutex::default(),
            traces: Mutex::default(),
        })
    }

    pub fn settled(&self) -> Vec<(Uuid, u64)> {
        self.settled.lock().unwrap().clone()
    }
}

#[async_trait]
impl Reaction for Mark {
    fn consumer(&self) -> &'static str {
        self.name
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        if event_type == "WidgetChanged" { self.guard } else { Guard::Ignore }
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        if self.given.fetch_add(1, Ordering::Relaxed) + 1 == self.stands_still_at.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(ReactionError::transient("busy"));
        }
        let trace = tracing::Span::current().context().span().span_context().trace_id().to_string();
        self.traces.lock().unwrap().push(trace);
        // The tenant comes from the setting: a row for another one would be refused by the policy.
        sqlx::query(
            r#"insert into "order".effect (tenant_id, consumer, aggregate_id, version)
               values (current_setting('quoin.tenant'), $1, $2, $3)"#,
        )
        .bind(self.name)
        .bind(event.aggregate_id)
        .bind(event.aggregate_version.to_i64())
        .execute(&mut *tx)
        .await?;
        // After the effect, so that a rollback has something to take back.
        if self.poison.lock().unwrap().contains(&(event.aggregate_id, event.aggregate_version.get())) {
            assert!(!self.panics.load(Ordering::Relaxed), "poisoned");
            sqlx::query("select 1 / 0").execute(tx).await?;
        }
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        if self.redis_away.load(Ordering::Relaxed) {
            return Err(RetryLater::because("redis is away"));
        }
        self.settled.lock().unwrap().push((event.aggregate_id, event.aggregate_version.get()));
        Ok(())
    }
}

/// A consumer that runs until it is stopped or aborted.
pub struct Running {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    pub fn start(fixture: &Fixture, bus: &InProcessBus, mark: &Arc<Mark>) -> Self {
        let stop = CancellationToken::new();
        let config = ConsumerConfig { lease: LEASE, ..ConsumerConfig::default() };
        let consumer = Consumer::new(fixture.work.clone(), SCHEMA, bus.source(), mark.clone()).with_config(config);
        Self { task: tokio::spawn(consumer.run(stop.clone())), stop }
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}

/// A source whose reader falls asleep with a batch in hand. Before it says how far logs reach it takes its time, and somebody else
/// needs a connection of `pool`.
pub struct Drowsy {
    pub source: Box<dyn Source>,
    pub awake: Arc<Notify>,
    pub answers_after: Duration,
    pub pool: PgPool,
    /// How often somebody began to read.
    pub begun: Arc<AtomicUsize>,
}

#[async_trait]
impl Source for Drowsy {
    async fn log_id(&mut self) -> Result<String, SourceError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.source.log_id().await
    }

    async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, SourceError> {
        self.source.partitions(topic).await
    }

    async fn extents(&mut self, partitions: &[Partition]) -> Result<Vec<Extent>, SourceError> {
        self.pool.acquire().await.map_err(|error| SourceError(Box::new(error)))?;
        tokio::time::sleep(self.answers_after).await;
        self.source.extents(partitions).await
    }

    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.source.assign(from).await
    }

    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError> {
        let batch = self.source.next_batch(max, wait).await?;
        if !batch.is_empty() {
            self.awake.notified().await;
        }
        Ok(batch)
    }

    async fn store_offsets(&mut self, next: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.source.store_offsets(next).await
    }

    fn retention(&self) -> Retention {
        self.source.retention()
    }
}

/// The effects of a consumer, in the order they were made.
pub async fn effects(fixture: &Fixture, mark: &Mark) -> Result<Vec<(Uuid, u64)>> {
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as(r#"select aggregate_id, version from "order".effect where consumer = $1 order by id"#)
            .bind(mark.name)
            .fetch_all(&fixture.admin)
            .await?;
    rows.into_iter().map(|(id, version)| Ok((id, u64::try_from(version)?))).collect()
}

/// Waits until the consumer has read the whole bus and stored so.
pub async fn caught_up(fixture: &Fixture, bus: &InProcessBus, mark: &Mark) -> Result<()> {
    let mut source = bus.source();
    let mut ends = 0;
    for partition in source.partitions(TOPIC).await? {
        ends += source.extent(&partition).await?.next;
    }
    until("the consumer caught up", async || {
        let (next,): (Option<i64>,) =
            sqlx::query_as(r#"select sum(next_offset)::bigint from "order".consumer_position where consumer = $1"#)
                .bind(mark.name)
                .fetch_one(&fixture.admin)
                .await?;
        Ok(next == Some(ends))
    })
    .await
}
