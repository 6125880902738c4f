//! Where the relays are measured: a durable PostgreSQL and a Kafka of their own, a database for each measurement, and rows
//! that lie in both outboxes.

use std::str::FromStr;

use anyhow::{Context, Result};
use dev_stack::{Durability, Need, Stack, StackRequest, test::unique_name};
use events_kafka::{TopicShape, create_topics};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgPool, postgres::PgConnectOptions, postgres::PgPoolOptions};

use super::{Kind, rival};

/// The service whose outbox is relayed.
pub const SCHEMA: &str = "order";
/// Its topic.
pub const TOPIC: &str = "quoin.order.v1";
/// As many as an installation has by default.
const PARTITIONS: i32 = 12;
/// Connections of the writers: more than commit at once on any machine this is run on.
const WRITERS: u32 = 64;
/// Password of the relay's role on the server of this run.
const PASSWORD: &str = "bench";
/// Aggregates the filled rows belong to.
pub const AGGREGATES: u64 = 10_000;
/// Rows written by one statement: a transaction of many minutes would be nobody's outbox.
const CHUNK: u64 = 50_000;
/// Days before today that a history is spread over, beside today: as many as the outbox keeps.
const DAYS_PAST: i32 = 6;

/// Both servers.
pub struct Ground {
    stack: Stack,
}

/// A database with both outboxes, empty.
pub struct Database {
    /// The superuser's connections.
    pub admin: PgPool,
    /// The role the product's relay connects as.
    pub work_url: String,
    /// The rival's role: the superuser, whom no row-level security slows down.
    pub admin_url: String,
}

impl Ground {
    /// Starts both servers with their production settings.
    pub async fn start() -> Result<Self> {
        let request = StackRequest {
            postgres: Need::Required,
            redis: Need::No,
            kafka: Need::Required,
            durability: Durability::Full,
        };
        let stack = Stack::start(request).await?;
        for (component, how) in stack.describe() {
            eprintln!("{component:?}: {how}");
        }
        Ok(Self { stack })
    }

    /// Kafka's address.
    pub fn brokers(&self) -> Result<&str> {
        self.stack.kafka_brokers().context("Kafka is required")
    }

    /// Makes an empty topic; answers the prefix of its name.
    pub async fn topic(&self) -> Result<String> {
        let prefix = format!("{}.", unique_name("bench"));
        let shape = TopicShape { partitions: PARTITIONS, retention_days: 1 };
        create_topics(self.brokers()?, &prefix, &[TOPIC], shape).await?;
        Ok(prefix)
    }

    /// Makes a database with both outboxes.
    pub async fn database(&self, name: &str) -> Result<Database> {
        let server = PgConnectOptions::from_str(self.stack.postgres_url()?)?;
        let url = |options: PgConnectOptions| String::from(options.to_url_lossy());
        let outside = PgPoolOptions::new().max_connections(1).connect_with(server.clone()).await?;
        outside.execute(AssertSqlSafe(format!("create database \"{name}\""))).await?;
        outside.close().await;
        let admin_url = url(server.clone().database(name));
        dev_stack::migrate(&admin_url, &["platform"]).await?;
        let admin = PgPoolOptions::new().max_connections(WRITERS).connect(&admin_url).await?;
        for statement in [
            "create schema \"order\"",
            "select platform.create_messaging('order')",
            "select platform.grant_service('order')",
            &format!("alter role order_work login password '{PASSWORD}'"),
            rival::TABLE,
            rival::INDEX,
        ] {
            admin.execute(AssertSqlSafe(statement.to_owned())).await?;
        }
        let work_url = url(server.database(name).username("order_work").password(PASSWORD));
        Ok(Database { admin, work_url, admin_url })
    }

    /// Ends both servers.
    pub async fn stop(self) -> Result<()> {
        self.stack.stop().await
    }
}

impl Database {
    /// Where a relay of this kind connects.
    pub fn url(&self, kind: Kind) -> &str {
        match kind {
            Kind::Ours => &self.work_url,
            Kind::Rival => &self.admin_url,
        }
    }

    /// Writes `rows` unpublished rows with payloads of `bytes` bytes into the product's outbox, today.
    pub async fn fill(&self, rows: u64, bytes: u32) -> Result<()> {
        for first in (0..rows).step_by(usize::try_from(CHUNK)?) {
            let last = (first + CHUNK).min(rows) - 1;
            self.chunk(first, last, bytes, "clock_timestamp()").await?;
        }
        self.settle().await
    }

    /// Writes `rows` rows over the last days into both outboxes, all of them published.
    pub async fn fill_history(&self, rows: u64, bytes: u32) -> Result<()> {
        let days = u64::try_from(DAYS_PAST)? + 1;
        self.admin.execute(AssertSqlSafe(past_days())).await?;
        for first in (0..rows).step_by(usize::try_from(CHUNK)?) {
            let last = (first + CHUNK).min(rows) - 1;
            let days_ago = days - 1 - first * days / rows;
            self.chunk(first, last, bytes, &format!("clock_timestamp() - interval '{days_ago} days'")).await?;
        }
        self.copy_to_rival("now()").await?;
        self.admin
            .execute("update \"order\".relay_cursor set snapshot = pg_current_snapshot(), page_snapshot = null, page_seq = null")
            .await?;
        self.settle().await
    }

    /// The product's rows in the rival's outbox instead of what was there, unpublished.
    pub async fn give_to_rival(&self) -> Result<()> {
        self.admin.execute("truncate rival.outbox").await?;
        self.copy_to_rival("null").await?;
        self.settle().await
    }

    /// Nothing was published by the product's relay.
    pub async fn rewind(&self) -> Result<()> {
        let sql = "update \"order\".relay_cursor set snapshot = '1:1:', page_snapshot = null, page_seq = null";
        self.admin.execute(sql).await?;
        Ok(())
    }

    /// One statement of a filling: plausible JSON, a quarter of it random, so that neither PostgreSQL nor Kafka can
    /// compress it away.
    async fn chunk(&self, first: u64, last: u64, bytes: u32, at: &str) -> Result<()> {
        let sql = format!(
            "insert into \"order\".outbox (shard, tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, \
               event_type, schema_version, correlation_id, occurred_at, enqueued_at, payload) \
             select (n % {AGGREGATES}) % 64, 'bench', 'widget', md5((n % {AGGREGATES})::text)::uuid, n / {AGGREGATES} + 1, \
               gen_random_uuid(), 'WidgetChanged', 1, n::text, {at}, {at}, \
               convert_to(rpad('{{\"n\":' || n || ',\"of\":\"' || case when $3 < 300 then '' else \
                 (select string_agg(md5(n::text || part), '') from generate_series(1, $3 / 128) part) end || '\",\"text\":\"', \
                 $3 - 2, 'the quick brown fox jumps over the lazy dog ') || '\"}}', 'UTF8') \
             from generate_series($1::bigint, $2::bigint) n"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(i64::try_from(first)?)
            .bind(i64::try_from(last)?)
            .bind(i32::try_from(bytes)?)
            .execute(&self.admin)
            .await?;
        Ok(())
    }

    async fn copy_to_rival(&self, published_at: &str) -> Result<()> {
        let columns = rival::COLUMNS;
        let sql = format!(
            "insert into rival.outbox ({columns}, published_at) \
             select {columns}, {published_at} from \"order\".outbox order by seq"
        );
        self.admin.execute(AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// What filling left to do is done before anything is measured.
    async fn settle(&self) -> Result<()> {
        for statement in ["vacuum (analyze) \"order\".outbox", "vacuum (analyze) rival.outbox", "checkpoint"] {
            self.admin.execute(statement).await?;
        }
        Ok(())
    }
}

/// Days of the outbox that ended already; the product only makes those to come.
fn past_days() -> String {
    format!(
        "do $$ declare day date; begin \
         for day in select (now() at time zone 'UTC')::date - ago from generate_series(1, {DAYS_PAST}) ago loop \
           execute format('create table \"order\".%1$I partition of \"order\".outbox for values from (%2$L) to (%3$L)', \
             'outbox_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00'); \
         end loop; end $$"
    )
}
