//! One service under test with its neighbours, its database, its cache, its runner and people with tokens.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, MemoryStore};
use cache_ports::Caches;
use kernel::TenantId;
use order::{
    Config, State,
    clients::Clients,
    runner::{Runner, RunnerParts},
};
use serde_json::{Value, json};
use service_runtime::{
    OutboxHint, Role, Settings,
    auth::ServiceTokens,
    testing::{TestClient, TestIdentity, TestReply, TestService},
};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::neighbours::Neighbours;

/// A running service and everything around it.
pub struct World {
    pub service: TestService,
    pub neighbours: Neighbours,
    /// What the caches lie in.
    pub store: Arc<MemoryStore>,
    pub tenant: TenantId,
    /// As the owner of the tables: sees every tenant and may break what the service may not.
    pub owner: PgPool,
    /// As the worker.
    pub work: PgPool,
    pub database: dev_stack::test::TestDatabase,
    pub config: Config,
    pub caches: Caches,
    identity: TestIdentity,
}

impl World {
    pub async fn new() -> Self {
        let database = dev_stack::test::database(&["order"]).await.unwrap();
        let serve = PgPool::connect(&database.service_url("order_serve")).await.unwrap();
        let work = PgPool::connect(&database.service_url("order_work")).await.unwrap();
        let owner = PgPool::connect(&database.admin_url()).await.unwrap();
        let neighbours = Neighbours::default();
        let config = config(&neighbours.start().await);
        let identity = TestIdentity::new();
        let store = Arc::new(MemoryStore::new());
        let caches = Engine::new(store.clone(), EngineConfig::default()).caches();
        let runtime = identity.service_state(order::SERVICE, serve, caches.clone());
        let router = order::router(State::new(runtime, config.clone()));
        let service = TestService::start(router, &identity).await;
        let tenant = "acme".parse().unwrap();
        Self { service, neighbours, store, tenant, owner, work, database, config, caches, identity }
    }

    /// A runner; several may work at once.
    pub fn runner(&self, name: &str) -> Runner {
        let tokens = ServiceTokens::new(Arc::clone(&self.identity.issuer), order::SERVICE, self.identity.clock.clone());
        Runner::new(RunnerParts {
            pool: self.work.clone(),
            clients: Arc::new(Clients::new(&self.config)),
            tokens,
            config: Arc::new(self.config.clone()),
            hints: OutboxHint::default(),
            name: name.to_owned(),
        })
    }

    /// Lets a runner work until nothing is due, waiting retries included: their waits are taken away.
    pub async fn settle(&self) {
        let runner = self.runner("settler");
        loop {
            self.hurry().await;
            if runner.round().await.unwrap() == 0 {
                return;
            }
        }
    }

    /// Makes every waiting task due.
    pub async fn hurry(&self) {
        sqlx::raw_sql("update \"order\".task set run_after = now() where state in ('ready', 'retryWait')")
            .execute(&self.owner)
            .await
            .unwrap();
    }

    /// Somebody with one role; the name is the role's.
    pub fn client(&self, role: Role) -> TestClient {
        self.service.client(&self.tenant, role.name(), &[role])
    }

    pub fn rep(&self) -> TestClient {
        self.client(Role::SalesRep)
    }

    /// The one number a query answers, asked as the owner.
    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.owner).await.unwrap()
    }

    /// Every version of an order, every result of a task and the end of every cancellation is told once, without a gap.
    pub async fn assert_events_are_gap_free(&self) {
        let sql = "select count(*) from (
                select a.versions, count(b.seq) as told, count(distinct b.aggregate_version)
                    filter (where b.aggregate_version between 1 and a.versions) as different
                from (
                    select order_id as id, version as versions from \"order\".product_order
                    union all select task_id, results from \"order\".task
                    union all select cancellation_id, (state = 'done')::int from \"order\".cancellation) a
                left join \"order\".outbox b on b.aggregate_id = a.id
                group by a.id, a.versions) c
            where (told, different) is distinct from (versions, versions)";
        assert_eq!(self.count(sql).await, 0, "something has a version without its one event");
    }

    /// A digest of every row of the service, all tenants together: equal means nothing changed.
    pub async fn digest(&self) -> Vec<(String, Option<String>)> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'order' and c.relkind in ('r', 'p') and not c.relispartition
               and c.relname <> 'schema_migrations'
             order by 1",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap();
        let mut digests = Vec::new();
        for table in tables {
            let sql = format!("select md5(string_agg(t::text, '|' order by t::text)) from \"order\".{table} t");
            digests.push((table, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.owner).await.unwrap()));
        }
        digests
    }

    /// An accepted revision with these lines (quantity, price of the line); all stocked.
    pub fn accepted(&self, lines: &[(&str, &str)]) -> Uuid {
        let quote = Uuid::now_v7();
        let acceptance = acceptance(quote, lines);
        self.neighbours.books().acceptances.insert((quote, 1), acceptance);
        quote
    }

    /// Orders revision 1 of a quote.
    pub async fn order(&self, quote: Uuid, key: &str) -> TestReply {
        let body = json!({ "quoteId": quote, "revisionNo": 1 });
        self.rep().post("/order/v1/orders", &body).key(key).send().await
    }

    /// A new order with these lines.
    pub async fn ordered(&self, lines: &[(&str, &str)]) -> Order {
        let quote = self.accepted(lines);
        Order(self.order(quote, &quote.to_string()).await.expect(201).value())
    }

    /// A new order, fulfilled.
    pub async fn completed(&self, lines: &[(&str, &str)]) -> Order {
        let order = self.ordered(lines).await;
        self.settle().await;
        let order = self.read(&order).await;
        assert_eq!(order.state(), "completed", "{}", order.0);
        order
    }

    /// Reads it again.
    pub async fn read(&self, order: &Order) -> Order {
        Order(self.rep().get(&order.path()).send().await.expect(200).value())
    }

    /// Asks for a cancellation.
    pub async fn cancel(&self, order: &Order, body: &Value, key: &str) -> TestReply {
        self.rep().post(&format!("{}/cancellations", order.path()), body).key(key).send().await
    }

    /// Reads a cancellation again.
    pub async fn cancellation(&self, order: &Order, asked: &Value) -> Value {
        let path = format!("{}/cancellations/{}", order.path(), asked["id"].as_str().unwrap());
        self.rep().get(&path).send().await.expect(200).value()
    }
}

/// The settings of the tests: the defaults, with the neighbours' address and few retries.
fn config(neighbours: &str) -> Config {
    let settings = Settings::load(&[order::DEFAULTS], None).unwrap();
    let mut config: Config = settings.section("order").unwrap();
    neighbours.clone_into(&mut config.quote_url);
    neighbours.clone_into(&mut config.inventory_url);
    config.task_retries = 3;
    config
}

/// What the quote service says was accepted.
pub fn acceptance(quote: Uuid, lines: &[(&str, &str)]) -> Value {
    let eur = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    let item = |(number, (quantity, amount)): (u128, &(&str, &str))| {
        json!({
            "itemId": Uuid::from_u128(number), "offeringId": Uuid::from_u128(1_000 + number), "externalId": "SKU",
            "name": "Lamp", "stocked": true, "quantity": quantity, "unit": "1.5", "amount": eur(amount),
            "priceType": "oneTime",
        })
    };
    let total: rust_decimal::Decimal =
        lines.iter().map(|(_, amount)| amount.parse::<rust_decimal::Decimal>().unwrap()).sum();
    json!({
        "quoteId": quote, "revisionNo": 1, "customerId": Uuid::from_u128(77), "currency": "EUR",
        "total": eur(&total.to_string()), "contentHash": "ab".repeat(32), "priceResultId": Uuid::nil(),
        "acceptedBy": "buyer", "acceptedAt": "2026-01-01T00:00:00Z",
        "items": (1u128..).zip(lines).map(item).collect::<Vec<_>>(),
    })
}

/// An order as answered.
#[derive(Debug, Clone)]
pub struct Order(pub Value);

impl Order {
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    pub fn state(&self) -> &str {
        self.0["state"].as_str().unwrap()
    }

    pub fn path(&self) -> String {
        format!("/order/v1/orders/{}", self.id())
    }

    pub fn item(&self, n: usize) -> &str {
        self.0["items"][n]["id"].as_str().unwrap()
    }

    /// Where somebody asks for a task of this kind to be tried again.
    pub fn retry_path(&self, kind: &str) -> String {
        format!("{}/tasks/{}/retry", self.path(), self.task(kind)["id"].as_str().unwrap())
    }

    pub fn credited(&self) -> &str {
        self.0["credited"]["amount"].as_str().unwrap()
    }

    /// The states of the tasks, in order.
    pub fn tasks(&self) -> Vec<(&str, &str)> {
        self.0["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| (task["kind"].as_str().unwrap(), task["state"].as_str().unwrap()))
            .collect()
    }

    pub fn task(&self, kind: &str) -> &Value {
        self.0["tasks"].as_array().unwrap().iter().find(|task| task["kind"] == kind).unwrap()
    }
}
