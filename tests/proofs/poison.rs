//! Poisoned keys among many: the others do not wait, and after the mending everything is as if nothing had happened.
//!
//! Two consumers of the library over a real PostgreSQL and a real Kafka read the same topic at the same time; for one of
//! them some events are poison. The other is the twin it is compared with, in what it did and in how late it was: on one
//! machine at two times, or of two topics, the same consumer differs from itself by more than poison costs.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use dev_stack::test;
use events::{Consumer, Envelope, Guard, ParkingLot, Publisher, Reaction, ReactionError, RetryLater, Source};
use events_kafka::{KafkaPublisher, KafkaSource, TopicShape, create_topics};
use kernel::{Clock, EventId, SystemClock, Version};
use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};
use system_tests::system::come_down;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{asked, delays::Delays};

const SCHEMA: &str = "order";
const TOPIC: &str = "quoin.widget.v1";
const PARTITIONS: i32 = 6;
/// Versions of each key; the poison is the second of them.
const VERSIONS: u64 = 3;
const POISONED_VERSION: u64 = 2;
/// Keys of the short form, and how many of them are poisoned.
const FEW: (usize, usize) = (300, 3);
/// How many of ten thousand are poisoned in the long form.
const POISONED: usize = 10;
/// Events published at once, and how often: five hundred a second, so that both readers have time to spare.
const BATCH: usize = 20;
const EVERY: Duration = Duration::from_millis(40);
/// Keys with one event before anything is measured: a consumer that joins and connects is late for everybody.
const FIRST: usize = 100;

/// Leaves a row for each event, measures how late it is, and stumbles over poison until it is mended.
struct Marks {
    consumer: &'static str,
    poison: HashSet<Uuid>,
    mended: AtomicBool,
    late: Mutex<Vec<(Uuid, Duration)>>,
}

impl Marks {
    fn late(&self) -> MutexGuard<'_, Vec<(Uuid, Duration)>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delays_of_others(&self, poison: &HashSet<Uuid>) -> Delays {
        Delays::of(self.late().iter().filter(|(id, _)| !poison.contains(id)).map(|(_, late)| *late).collect())
    }
}

#[async_trait]
impl Reaction for Marks {
    fn consumer(&self) -> &'static str {
        self.consumer
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, _: &str) -> Guard {
        Guard::Delta
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        sqlx::query(
            r#"insert into "order".effect (tenant_id, consumer, aggregate_id, version)
               values (current_setting('quoin.tenant'), $1, $2, $3)"#,
        )
        .bind(self.consumer)
        .bind(event.aggregate_id)
        .bind(event.aggregate_version.to_i64())
        .execute(tx)
        .await?;
        let poisoned = event.aggregate_version.get() == POISONED_VERSION && self.poison.contains(&event.aggregate_id);
        // After the effect, so that there is something to take back.
        if poisoned && !self.mended.load(Ordering::SeqCst) {
            return Err(ReactionError::poison("poison"));
        }
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let late = (SystemClock.now() - event.occurred_at).to_std().unwrap_or_default();
        self.late().push((event.aggregate_id, late));
        Ok(())
    }
}

struct Stage {
    admin: PgPool,
    work: PgPool,
    prefix: String,
    first: Vec<Uuid>,
    ids: Vec<Uuid>,
    _database: test::TestDatabase,
}

impl Stage {
    async fn prepare(keys: usize) -> Result<Self> {
        let database = test::database(&["platform"]).await?;
        let pool = async |url: String| PgPoolOptions::new().max_connections(5).connect(&url).await;
        let admin = pool(database.admin_url()).await?;
        for statement in [
            r#"create schema "order""#,
            r#"create table "order".effect (id bigint generated always as identity, tenant_id text not null,
                   consumer text not null, aggregate_id uuid not null, version bigint not null)"#,
            "select platform.isolate_tenant('\"order\".effect')",
            "select platform.create_messaging('order')",
            "select platform.grant_service('order')",
        ] {
            sqlx::query(statement).execute(&admin).await?;
        }
        let work = pool(database.service_url("order_work")).await?;
        let some = |count| (0..count).map(|_| Uuid::now_v7()).collect();
        let (first, ids) = (some(FIRST), some(keys));
        let prefix = format!("{}.", test::unique_name("poison"));
        Ok(Self { admin, work, prefix, first, ids, _database: database })
    }

    /// Publishes every version of every key at a steady pace and lets all of them read to the end.
    async fn run(&self, readers: &[&Arc<Marks>]) -> Result<()> {
        let brokers = test::kafka().await?;
        let shape = TopicShape { partitions: PARTITIONS, retention_days: 7 };
        create_topics(brokers, &self.prefix, &[TOPIC], shape).await?;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        for marks in readers {
            let source = Box::new(KafkaSource::new(brokers, &self.prefix, marks.consumer)?);
            let consumer = Consumer::new(self.work.clone(), SCHEMA, source, Arc::<Marks>::clone(marks));
            running.spawn(consumer.run(stop.clone()));
        }
        let publisher = KafkaPublisher::new(brokers, &self.prefix)?;
        let publish = async |ids: &[Uuid], version| {
            let batch: Vec<Envelope> = ids.iter().map(|id| event(*id, version)).collect::<Result<_>>()?;
            anyhow::Ok(publisher.publish(TOPIC, &batch).await?)
        };
        publish(&self.first, 1).await?;
        come_down("the first are read", async || self.behind(readers, brokers).await).await?;
        for marks in readers {
            marks.late().clear();
        }
        let mut pace = interval(EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for version in 1..=VERSIONS {
            for ids in self.ids.chunks(BATCH) {
                pace.tick().await;
                publish(ids, version).await?;
            }
        }
        come_down("the rest is read", async || self.behind(readers, brokers).await).await?;
        stop.cancel();
        running.join_all().await;
        Ok(())
    }

    /// Records that were not read, each as often as there are readers that have not.
    async fn behind(&self, readers: &[&Arc<Marks>], brokers: &str) -> Result<i64> {
        let mut source = KafkaSource::new(brokers, &self.prefix, "observer")?;
        let mut left = 0;
        for partition in source.partitions(TOPIC).await? {
            let extent = source.extent(&partition).await?;
            for marks in readers {
                let next: Option<(i64,)> = sqlx::query_as(
                    r#"select next_offset from "order".consumer_position where consumer = $1 and partition = $2"#,
                )
                .bind(marks.consumer)
                .bind(partition.number)
                .fetch_optional(&self.admin)
                .await?;
                left += extent.next - next.map_or(0, |(next,)| next);
            }
        }
        Ok(left)
    }

    /// What was applied, by key, in the order it was.
    async fn effects(&self, marks: &Marks) -> Result<BTreeMap<Uuid, Vec<i64>>> {
        let rows: Vec<(Uuid, i64)> =
            sqlx::query_as(r#"select aggregate_id, version from "order".effect where consumer = $1 order by id"#)
                .bind(marks.consumer)
                .fetch_all(&self.admin)
                .await?;
        let mut effects: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
        for (id, version) in rows {
            effects.entry(id).or_default().push(version);
        }
        Ok(effects)
    }

    /// Tries every parked key again.
    async fn redrive(&self, marks: &Arc<Marks>) -> Result<usize> {
        let lot = ParkingLot::of(self.work.clone(), SCHEMA);
        let keys = lot.keys().await?;
        for key in &keys {
            let redriven = lot.redrive(Arc::<Marks>::clone(marks), &key.event_key).await?;
            ensure!(redriven.free, "{} stays parked", key.event_key);
        }
        Ok(keys.len())
    }
}

fn event(id: Uuid, version: u64) -> Result<Envelope> {
    Ok(Envelope {
        id: EventId::generate(),
        source: "/quoin/poison".to_owned(),
        event_type: "WidgetChanged".to_owned(),
        schema_version: 1,
        tenant: "acme".parse()?,
        aggregate_type: "widget".to_owned(),
        aggregate_id: id,
        aggregate_version: Version::new(version),
        occurred_at: SystemClock.now(),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: b"{}".as_slice().into(),
    })
}

fn marks(consumer: &'static str, poison: HashSet<Uuid>) -> Arc<Marks> {
    Arc::new(Marks { consumer, poison, mended: AtomicBool::new(false), late: Mutex::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn poisoned_keys_hold_up_nobody_and_leave_no_trace_once_mended() -> Result<()> {
    let long = asked::<usize>("QUOIN_POISON_KEYS");
    let (keys, bad) = long.map_or(FEW, |keys| (keys, POISONED));
    let stage = Stage::prepare(keys).await?;
    // Spread over the whole range, so that they fall into many batches.
    let poison: HashSet<Uuid> = stage.ids.iter().copied().step_by(keys / bad).take(bad).collect();
    let (twin, poisoned) = (marks("order.twin", HashSet::new()), marks("order.poisoned", poison.clone()));
    stage.run(&[&twin, &poisoned]).await?;

    let (healthy, held) = (stage.effects(&twin).await?, stage.effects(&poisoned).await?);
    for (id, versions) in &healthy {
        let expected = if poison.contains(id) { &versions[..1] } else { &versions[..] };
        assert_eq!(held.get(id).map(Vec::as_slice), Some(expected), "{id}");
    }
    poisoned.mended.store(true, Ordering::SeqCst);
    let (without, with) = (twin.delays_of_others(&poison), poisoned.delays_of_others(&poison));
    assert_eq!(stage.redrive(&poisoned).await?, bad, "keys that were parked");
    assert_eq!(stage.effects(&poisoned).await?, healthy, "the twin never had the fault");
    let told = format!(
        "{keys} keys with {VERSIONS} events each, {bad} of them poisoned at their second event; five hundred events a second.\n\n\
         | the other keys | events | delay p50 (ms) | p99 | longest |\n|---|---:|---:|---:|---:|\n\
         | without poison | {} | {without} |\n| with poison | {} | {with} |\n\n\
         After the mending and a redrive the effects of every key are those of the twin, in the same order.",
        without.count(),
        with.count(),
    );
    println!("{told}");
    if long.is_some() {
        system_tests::proofs::put("Poison", &told)?;
    }
    Ok(())
}
