//! One service under test with its database, its caches and people with tokens.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, MemoryStore, NoStore};
use cache_ports::Caches;
use kernel::{ManualClock, OfferingId, SharedClock, SystemClock, TenantId};
use serde_json::{Value, json};
use service_runtime::{
    Role,
    testing::{TestClient, TestIdentity, TestReply, TestService},
};
use sqlx::PgPool;
use uuid::Uuid;

/// A running service and everything around it.
pub struct World {
    pub service: TestService,
    pub state: pricing::State,
    pub caches: Caches,
    /// What the caches lie in, unless there is none.
    pub store: Arc<MemoryStore>,
    /// As the owner of the tables: sees every tenant and may break what the service may not.
    pub owner: PgPool,
    pub tenant: TenantId,
    pub database: dev_stack::test::TestDatabase,
}

impl World {
    /// With a cache in memory.
    pub async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::new(store.clone(), EngineConfig::default());
        Self { store, ..Self::with(engine.caches(), Arc::new(SystemClock)).await }
    }

    /// Without any cache, not even in this process.
    pub async fn without_cache() -> Self {
        let config = EngineConfig { in_memory: false, ..EngineConfig::default() };
        Self::with(Engine::new(Arc::new(NoStore), config).caches(), Arc::new(SystemClock)).await
    }

    /// At a time of the test's choosing.
    pub async fn at(clock: Arc<ManualClock>) -> Self {
        let config = EngineConfig { clock: clock.clone(), ..EngineConfig::default() };
        Self::with(Engine::new(Arc::new(MemoryStore::new()), config).caches(), clock).await
    }

    async fn with(caches: Caches, clock: SharedClock) -> Self {
        let database = dev_stack::test::database(&["pricing"]).await.unwrap();
        let pool = PgPool::connect(&database.service_url("pricing_serve")).await.unwrap();
        let owner = PgPool::connect(&database.admin_url()).await.unwrap();
        let identity = TestIdentity::with_clock(clock);
        let runtime = identity.service_state(pricing::SERVICE, pool, caches.clone());
        let state = pricing::State::new(runtime, pricing::Config::default());
        let service = TestService::start(pricing::router(state.clone()), &identity).await;
        Self { service, state, caches, store: Arc::default(), owner, tenant: "acme".parse().unwrap(), database }
    }

    pub fn client(&self, role: Role) -> TestClient {
        self.service.client(&self.tenant, role.name(), &[role])
    }

    pub fn keeper(&self) -> TestClient {
        self.client(Role::CatalogAdmin)
    }

    pub fn seller(&self) -> TestClient {
        self.client(Role::SalesRep)
    }

    /// A price book "list" in EUR with these entries; answers its id.
    pub async fn price_book(&self, entries: &[Value]) -> String {
        let reply = put(&self.keeper(), "list", &book(entries)).await.expect(201);
        reply.value()["id"].as_str().unwrap().to_owned()
    }

    /// How many rows each table of the service has, all tenants together.
    pub async fn row_counts(&self) -> Vec<(String, i64)> {
        let tables: Vec<(String,)> = sqlx::query_as(
            "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'pricing' and c.relkind in ('r', 'p') and not c.relispartition
               and c.relname <> 'schema_migrations'
             order by 1",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap();
        let mut counts = Vec::new();
        for (table,) in tables {
            counts.push((table.clone(), self.count(&format!("select count(*) from pricing.{table}")).await));
        }
        counts
    }

    /// The one number a query answers, asked as the owner.
    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&self.owner).await.unwrap()
    }

    /// Changes rows behind the service's back: as the superuser, with the triggers that protect them off.
    pub async fn tamper(&self, sql: &str) {
        let mut tx = self.owner.begin().await.unwrap();
        sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        let changed = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.unwrap();
        assert!(changed.rows_affected() > 0, "nothing was changed by {sql}");
        tx.commit().await.unwrap();
    }
}

/// The n-th offering of the tests.
pub fn offering(n: u128) -> OfferingId {
    OfferingId::from(Uuid::from_u128(n))
}

/// A one-time price for the n-th offering.
pub fn simple(n: u128, price: &str) -> Value {
    json!({ "offeringId": offering(n), "priceType": "oneTime", "model": "volume", "tiers": [{ "unitPrice": price }] })
}

/// The same as a monthly charge.
pub fn monthly(n: u128, price: &str) -> Value {
    let mut entry = simple(n, price);
    entry["priceType"] = json!("recurring");
    entry["period"] = json!({ "unit": "month", "length": 1 });
    entry
}

/// A ladder: up to 10 at 10.00, up to 50 at 9.00, above at 8.00.
pub fn ladder(n: u128, model: &str) -> Value {
    json!({
        "offeringId": offering(n), "priceType": "oneTime", "model": model,
        "tiers": [{ "upTo": "10", "unitPrice": "10.00" }, { "upTo": "50", "unitPrice": "9.00" }, { "unitPrice": "8.00" }],
    })
}

pub fn book(entries: &[Value]) -> Value {
    json!({ "name": "List prices", "currency": "EUR", "entries": entries })
}

/// Creates a price book.
pub async fn put(client: &TestClient, name: &str, body: &Value) -> TestReply {
    client.put(&format!("/pricing/v1/price-books/{name}"), body).header("if-none-match", "*").send().await
}

/// Replaces a version of a price book.
pub async fn replace(client: &TestClient, name: &str, version: u64, body: &Value) -> TestReply {
    client.put(&format!("/pricing/v1/price-books/{name}"), body).if_match(version).send().await
}

/// A line of a price request.
pub fn item(n: u128, quantity: &str) -> Value {
    json!({ "itemId": format!("line-{n}"), "offeringId": offering(n), "quantity": quantity })
}

/// A line with a manual change.
pub fn adjusted(n: u128, quantity: &str, kind: &str, value: &str) -> Value {
    let mut line = item(n, quantity);
    line["adjustment"] = json!({ "kind": kind, "value": value, "reason": "agreed by phone" });
    line
}

pub fn request(price_book: &str, items: &[Value]) -> Value {
    json!({ "priceBookId": price_book, "currency": "EUR", "items": items })
}

pub async fn preview(client: &TestClient, body: &Value) -> TestReply {
    client.post("/pricing/v1/price-previews", body).send().await
}

/// Asks for a final price of a quote's revision.
pub async fn seal(client: &TestClient, quote: Uuid, revision_no: u32, body: &Value) -> TestReply {
    let body = json!({ "quoteId": quote, "revisionNo": revision_no, "request": body });
    client.post("/pricing/v1/final-prices", &body).send().await
}

pub async fn verify(client: &TestClient, id: &str) -> Value {
    let path = format!("/pricing/v1/price-results/{id}/verify");
    client.post(&path, &json!({})).send().await.expect(200).value()
}

/// The text at a JSON pointer.
pub fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer} in {value}"))
        .to_owned()
}
