//! The consumer over the in-process bus: effects once, whatever is repeated, interrupted or shared.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use async_trait::async_trait;
use events::{Consumer, ConsumerConfig, Envelope, Guard, InProcessBus, Publisher, Reaction, ReactionError, RetryLater};
use kernel::Version;
use opentelemetry::trace::TraceContextExt;
use sqlx::PgConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::fixture::{Fixture, LEASE, SCHEMA, TOPIC, changes, envelope, fixture, relay, tenant, until};

/// Leaves one row per applied event, and fails as it is told.
pub struct Mark {
    pub name: &'static str,
    pub guard: Guard,
    /// Versions that cannot be applied while it is set.
    pub poison: Mutex<Vec<(Uuid, u64)>>,
    pub panics: AtomicBool,
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

#[tokio::test]
async fn replaying_everything_twice_has_no_extra_effect() -> Result<()> {
    let (fixture, bus) = (fixture().await?, InProcessBus::new());
    let marks = [
        Mark::new("order.states", Guard::StateCarrying),
        Mark::new("order.deltas", Guard::Delta),
        Mark::new("order.once", Guard::EveryOnce),
    ];
    let running: Vec<_> = marks.iter().map(|mark| Running::start(&fixture, &bus, mark)).collect();
    let tenants = [tenant("acme"), tenant("rival")];
    let ids: Vec<Uuid> = (0..12).map(|_| Uuid::now_v7()).collect();
    let history: Vec<Envelope> = (1..=8)
        .flat_map(|version| ids.iter().enumerate().map(move |(place, id)| (version, place, *id)))
        .map(|(version, place, id)| envelope(&tenants[place % 2], id, version))
        .collect();
    for _ in 0..3 {
        bus.publish(TOPIC, &history).await?;
    }
    for mark in &marks {
        caught_up(&fixture, &bus, mark).await?;
        let effects = effects(&fixture, mark).await?;
        assert_eq!(effects.len(), history.len(), "{}", mark.name);
        for id in &ids {
            let versions: Vec<u64> = effects.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect();
            assert_eq!(versions, (1..=8).collect::<Vec<_>>(), "{}", mark.name);
        }
    }
    let wrong: (i64,) =
        sqlx::query_as(r#"select count(*) from "order".effect where tenant_id not in ('acme', 'rival')"#)
            .fetch_one(&fixture.admin)
            .await?;
    assert_eq!(wrong, (0,));
    for running in running {
        running.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_and_a_consumer_killed_again_and_again_lose_nothing_and_repeat_nothing() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let ids: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    for round in 0..6 {
        let relaying = tokio::spawn(relay(&fixture, Arc::new(bus.clone())).run(CancellationToken::new()));
        let consumer = Running::start(&fixture, &bus, &mark);
        for id in &ids {
            changes(&fixture, &acme, *id, 6).await?;
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..60) * round)).await;
        relaying.abort();
        consumer.task.abort();
        // Leases lapse on their own; here nobody waits for that.
        sqlx::query(r#"update "order".lease set holder = null"#).execute(&fixture.admin).await?;
        sqlx::query(r#"delete from "order".lease_member"#).execute(&fixture.admin).await?;
    }
    let stop = CancellationToken::new();
    let relaying = tokio::spawn(relay(&fixture, Arc::new(bus.clone())).run(stop.clone()));
    let consumer = Running::start(&fixture, &bus, &mark);
    until("every effect was made", async || Ok(effects(&fixture, &mark).await?.len() >= 5 * 36)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    let effects = effects(&fixture, &mark).await?;
    for id in &ids {
        let versions: Vec<u64> = effects.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect();
        assert_eq!(versions, (1..=36).collect::<Vec<_>>());
    }
    stop.cancel();
    relaying.await?;
    consumer.stop().await
}

#[tokio::test]
async fn a_transient_failure_is_retried_and_nothing_is_skipped() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    mark.busy.store(4, Ordering::Relaxed);
    let id = Uuid::now_v7();
    bus.publish(TOPIC, &(1..=5).map(|version| envelope(&acme, id, version)).collect::<Vec<_>>()).await?;
    let consumer = Running::start(&fixture, &bus, &mark);
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, (1..=5).map(|version| (id, version)).collect::<Vec<_>>());
    let (parked,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".parked_event"#).fetch_one(&fixture.admin).await?;
    assert_eq!(parked, 0);
    consumer.stop().await
}

#[tokio::test]
async fn effects_after_the_commit_wait_for_redis_but_hold_nothing_up() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    mark.redis_away.store(true, Ordering::Relaxed);
    let id = Uuid::now_v7();
    let consumer = Running::start(&fixture, &bus, &mark);
    for version in 1..=3 {
        bus.publish(TOPIC, &[envelope(&acme, id, version)]).await?;
    }
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?.len(), 3, "the tables do not wait");
    assert_eq!(mark.settled(), []);

    // Killed while Redis is away: the position has moved, the effects after the commit are still owed.
    consumer.task.abort();
    mark.redis_away.store(false, Ordering::Relaxed);
    let successor = Running::start(&fixture, &bus, &mark);
    until("they were made after the restart", async || Ok(mark.settled().len() >= 3)).await?;
    assert_eq!(mark.settled(), [(id, 1), (id, 2), (id, 3)]);
    assert_eq!(effects(&fixture, &mark).await?.len(), 3, "and no effect was repeated");
    successor.stop().await?;

    // Once settled and stored, they are not made again.
    let third = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[envelope(&acme, id, 4)]).await?;
    until("the next event was settled", async || Ok(mark.settled().contains(&(id, 4)))).await?;
    assert_eq!(mark.settled().len(), 4);
    third.stop().await
}

#[tokio::test]
async fn consumers_of_one_name_share_the_partitions_and_effects_happen_once() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let (first, second) = (Running::start(&fixture, &bus, &mark), Running::start(&fixture, &bus, &mark));
    until("each has half of the partitions", async || {
        let rows: Vec<(i64,)> = sqlx::query_as(
            r#"select count(*) from "order".lease where scope like 'consumer:%' and holder is not null group by holder"#,
        )
        .fetch_all(&fixture.admin)
        .await?;
        Ok(rows == [(2,), (2,)])
    })
    .await?;
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    let publish = async |versions: std::ops::RangeInclusive<u64>| {
        let events = versions.flat_map(|version| ids.iter().map(move |id| (version, *id)));
        let batch: Vec<_> = events.map(|(version, id)| envelope(&acme, id, version)).collect();
        bus.publish(TOPIC, &batch).await
    };
    publish(1..=10).await?;
    first.task.abort();
    publish(11..=20).await?;
    caught_up(&fixture, &bus, &mark).await?;
    let effects = effects(&fixture, &mark).await?;
    assert_eq!(effects.len(), 400);
    for id in &ids {
        let versions: Vec<u64> = effects.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect();
        assert_eq!(versions, (1..=20).collect::<Vec<_>>());
    }
    second.stop().await
}

#[tokio::test]
async fn events_not_for_this_consumer_only_move_the_position() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let other = Envelope { event_type: "GadgetChanged".to_owned(), ..envelope(&acme, Uuid::now_v7(), 1) };
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[other]).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, []);
    assert_eq!(mark.settled(), []);
    let (known,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".consumer_applied"#).fetch_one(&fixture.admin).await?;
    assert_eq!(known, 0);
    consumer.stop().await
}

#[tokio::test]
async fn an_effect_belongs_to_the_trace_that_wrote_the_event() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    bus.publish(TOPIC, &[Envelope { traceparent, ..envelope(&acme, Uuid::now_v7(), 1) }]).await?;
    let consumer = Running::start(&fixture, &bus, &mark);
    until("the event was applied", async || Ok(!mark.traces.lock().unwrap().is_empty())).await?;
    assert_eq!(*mark.traces.lock().unwrap(), ["0af7651916cd43dd8448eb211c80319c"]);
    consumer.stop().await
}

#[tokio::test]
async fn a_state_that_skips_versions_is_applied_and_older_ones_are_not() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let id = Uuid::now_v7();
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[3, 2, 7, 7, 1].map(|version| envelope(&acme, id, version))).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, [(id, 3), (id, 7)]);
    let (version,): (i64,) =
        sqlx::query_as(r#"select version from "order".consumer_applied"#).fetch_one(&fixture.admin).await?;
    assert_eq!(Version::from_i64(version), Version::new(7));
    consumer.stop().await
}
