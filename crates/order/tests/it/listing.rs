//! The order list kept by its own consumer from a log in memory, beside the service under test.

use std::{sync::Arc, time::Duration};

use events::{
    Consumer, ConsumerConfig, Envelope, Finish, InProcessBus, LeaseTimes, Projected, Projection, Publisher, Rebuild,
    RebuildError, Rebuilt, Source,
};
use kernel::{Clock, EventId, SystemClock, Version};
use order::events::OrderList;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::World;

const SCHEMA: &str = "order";
const ORDERS: &str = "quoin.order.v1";
const CUSTOMERS: &str = "quoin.quote.v1";

/// Short, so that whoever died is succeeded soon.
pub const LEASE: LeaseTimes = LeaseTimes { ttl: Duration::from_millis(1_500), renew_every: Duration::from_millis(300) };

/// The log, and how much of the outbox is in it.
pub struct Listing {
    pub bus: InProcessBus,
    told: usize,
    consumer: (CancellationToken, JoinHandle<()>),
}

impl Listing {
    /// An empty log with the consumer running.
    pub fn start(world: &World) -> Self {
        let bus = InProcessBus::new();
        let consumer = consumer(world, &bus);
        Self { bus, told: 0, consumer }
    }

    /// Publishes what was added to the outbox, in its order.
    pub async fn tell(&mut self, world: &World) {
        let all = outbox(world).await;
        self.bus.publish(ORDERS, &all[self.told..]).await.unwrap();
        self.told = all.len();
    }

    /// Publishes that a customer has a name.
    pub async fn name(&self, customer: Uuid, version: u64, name: &str) {
        self.bus.publish(CUSTOMERS, &[named("acme", customer, version, name)]).await.unwrap();
    }

    /// Publishes that another tenant's customer of the same id has a name.
    pub async fn name_elsewhere(&self, customer: Uuid) {
        self.bus.publish(CUSTOMERS, &[named("other", customer, 1, "Rival")]).await.unwrap();
    }

    /// Publishes events of orders and customers, each on its topic, in this order.
    pub async fn publish_by_topic(&self, events: &[Envelope]) {
        for event in events {
            let topic = if event.aggregate_type == "customer" { CUSTOMERS } else { ORDERS };
            self.bus.publish(topic, std::slice::from_ref(event)).await.unwrap();
        }
    }

    /// Waits until the consumer has applied everything.
    pub async fn caught_up(&self, world: &World) {
        let mut source = self.bus.source();
        let mut ends = 0;
        for topic in [ORDERS, CUSTOMERS] {
            for partition in source.partitions(topic).await.unwrap() {
                ends += source.extent(&partition).await.unwrap().next;
            }
        }
        drop(source);
        let read = "select coalesce(sum(next_offset), 0)::bigint from \"order\".consumer_position where consumer = 'order.order-list'";
        until("the consumer caught up", async || world.count(read).await == ends).await;
    }

    /// Rebuilds the list from a reader of this log.
    pub async fn rebuild(&self, world: &World, finish: Finish) -> Result<Rebuilt, RebuildError> {
        rebuild(world, self.bus.source(), finish).await
    }

    pub async fn stop(self) {
        self.consumer.0.cancel();
        self.consumer.1.await.unwrap();
    }
}

fn consumer(world: &World, bus: &InProcessBus) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let reaction = Arc::new(Projected::live(SCHEMA, projection()));
    let config = ConsumerConfig { lease: LEASE, ..ConsumerConfig::default() };
    let consumer = Consumer::new(world.work.clone(), SCHEMA, bus.source(), reaction).with_config(config);
    (stop.clone(), tokio::spawn(consumer.run(stop)))
}

pub fn projection() -> Arc<dyn Projection> {
    Arc::new(OrderList)
}

pub async fn rebuild(world: &World, source: Box<dyn Source>, finish: Finish) -> Result<Rebuilt, RebuildError> {
    Rebuild::new(world.work.clone(), SCHEMA, projection(), LEASE).run(source, finish, |_, _| ()).await
}

/// That a customer of a tenant has a name.
pub fn named(tenant: &str, customer: Uuid, version: u64, name: &str) -> Envelope {
    Envelope {
        id: EventId::generate(),
        source: "/quoin/quote".to_owned(),
        event_type: "CustomerChanged".to_owned(),
        schema_version: 1,
        tenant: tenant.parse().unwrap(),
        aggregate_type: "customer".to_owned(),
        aggregate_id: customer,
        aggregate_version: Version::new(version),
        occurred_at: SystemClock.now(),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: json!({ "id": customer, "version": version, "externalId": "c", "name": name }).to_string().into(),
    }
}

/// Every event of the service, in the order it is published.
pub async fn outbox(world: &World) -> Vec<Envelope> {
    let rows = sqlx::query("select * from \"order\".outbox order by seq").fetch_all(&world.owner).await.unwrap();
    let event = |row: sqlx::postgres::PgRow| Envelope {
        id: row.get::<Uuid, _>("event_id").into(),
        source: "/quoin/order".to_owned(),
        event_type: row.get("event_type"),
        schema_version: 1,
        tenant: row.get::<String, _>("tenant_id").parse().unwrap(),
        aggregate_type: row.get("aggregate_type"),
        aggregate_id: row.get("aggregate_id"),
        aggregate_version: Version::from_i64(row.get("aggregate_version")),
        occurred_at: row.get("occurred_at"),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: row.get::<Vec<u8>, _>("payload").into(),
    };
    rows.into_iter().map(event).collect()
}

/// The live rows of the list, whatever their build.
pub async fn rows(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for table in projection().tables() {
        let sql = format!(
            "select to_jsonb(t) - 'build' from \"order\".\"{}\" t, \"order\".projection p \
             where p.name = 'order-list' and t.build = p.live_build order by t.tenant_id, t.\"{}\"",
            table.name, table.key
        );
        let rows: Vec<Value> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&world.owner).await.unwrap();
        all.extend(rows);
    }
    all
}

/// Rows of builds that nobody reads.
pub async fn left_over(world: &World) -> i64 {
    world
        .count(
            "select (select count(*) from \"order\".order_list t where build <> p.live_build)
                  + (select count(*) from \"order\".order_list_customer t where build <> p.live_build)
             from \"order\".projection p where name = 'order-list'",
        )
        .await
}

/// Changes rows of the list behind its back.
pub async fn tamper(world: &World, sql: &str) {
    let changed = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&world.owner).await.unwrap();
    assert!(changed.rows_affected() > 0, "nothing was changed by {sql}");
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let patience = Duration::from_secs(30);
    let waited = tokio::time::Instant::now();
    while !condition().await {
        assert!(waited.elapsed() < patience, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
