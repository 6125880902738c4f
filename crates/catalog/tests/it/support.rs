//! A catalog service on a real socket over a migrated database of its own.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, MemoryStore, NoStore, store::ByteStore};
use cache_ports::Caches;
use catalog::{State, config::Config, router};
use dev_stack::test::TestDatabase;
use kernel::TenantId;
use serde_json::{Value, json};
use service_runtime::{
    OutboxHint, Role, ServiceState,
    testing::{TestClient, TestIdentity, TestReply, TestService},
};
use sqlx::{PgPool, postgres::PgPoolOptions};

pub struct Catalog {
    pub service: TestService,
    pub caches: Caches,
    /// What the caches lie in, unless there is none.
    pub store: Arc<MemoryStore>,
    pub state: State,
    pub hints: OutboxHint,
    pub tenant: TenantId,
    /// The superuser: sees what row-level security hides.
    pub admin: PgPool,
    pub database: Arc<TestDatabase>,
    identity: TestIdentity,
}

impl Catalog {
    /// With the caches of one process.
    pub async fn start() -> Self {
        let database = dev_stack::test::database(&["catalog"]).await.expect("a database");
        let store = Arc::new(MemoryStore::new());
        Self { store: store.clone(), ..Self::over(Arc::new(database), TestIdentity::new(), store, true).await }
    }

    /// As when Redis is gone.
    pub async fn without_cache() -> Self {
        let database = dev_stack::test::database(&["catalog"]).await.expect("a database");
        Self::over(Arc::new(database), TestIdentity::new(), Arc::new(NoStore), false).await
    }

    /// Another process over the same database, with caches of its own.
    pub async fn replica(&self) -> Self {
        Self::over(Arc::clone(&self.database), self.identity.clone(), Arc::new(MemoryStore::new()), true).await
    }

    /// The state of a worker over the same database and caches, that warms so many offerings of a publication.
    pub async fn worker(&self, warm_offerings: u16) -> State {
        let working = pool(&self.database.service_url("catalog_work"), 4).await;
        let parts = self.identity.service_parts("catalog", working, self.caches.clone());
        State::new(ServiceState::new(parts), Config { warm_offerings, ..Config::default() })
    }

    async fn over(
        database: Arc<TestDatabase>,
        identity: TestIdentity,
        store: Arc<dyn ByteStore>,
        in_memory: bool,
    ) -> Self {
        let serving = pool(&database.service_url("catalog_serve"), 8).await;
        let caches = Engine::new(store, EngineConfig { in_memory, ..EngineConfig::default() }).caches();
        let parts = identity.service_parts("catalog", serving, caches.clone());
        let hints = parts.hints.clone();
        let state = State::new(ServiceState::new(parts), Config::default());
        let service = TestService::start(router(state.clone()), &identity).await;
        let admin = pool(&database.admin_url(), 2).await;
        let tenant = "acme".parse().expect("a tenant");
        Self { service, caches, store: Arc::default(), state, hints, tenant, admin, database, identity }
    }

    /// Somebody who keeps the catalog.
    pub fn editor(&self) -> TestClient {
        self.service.client(&self.tenant, "keeper", &[Role::CatalogAdmin])
    }

    /// Somebody who may look.
    pub fn buyer(&self) -> TestClient {
        self.service.client(&self.tenant, "reader", &[Role::Buyer])
    }

    /// Somebody of another tenant who may do everything there.
    pub fn stranger(&self) -> TestClient {
        self.service.client(&"other".parse().expect("a tenant"), "stranger", &[Role::TenantAdmin])
    }

    /// Rows of a table, as the superuser counts them.
    pub async fn count(&self, table: &str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("select count(*) from catalog.{table}"));
        sqlx::query_scalar(statement).fetch_one(&self.admin).await.expect("a count")
    }

    /// Everything the catalog has written, as one number a table: two equal values mean that nothing changed.
    pub async fn everything(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in [
            "specification",
            "offering",
            "price",
            "lifecycle_history",
            "publication",
            "publication_offering",
            "activation_history",
            "outbox",
            "idempotency_record",
        ] {
            counts.push(self.count(table).await);
        }
        let versions = "select (select coalesce(sum(version), 0) from catalog.specification) \
             + (select coalesce(sum(version), 0) from catalog.offering) \
             + (select coalesce(sum(version), 0) from catalog.price)";
        let versions: sqlx::types::Decimal = sqlx::query_scalar(versions).fetch_one(&self.admin).await.expect("a sum");
        counts.push(versions.try_into().expect("a small number"));
        counts
    }
}

pub async fn pool(url: &str, connections: u32) -> PgPool {
    PgPoolOptions::new().max_connections(connections).connect(url).await.expect("a pool")
}

/// Imports items and expects them to be taken.
pub async fn import(client: &TestClient, items: Value) -> Value {
    client.post("/catalog/v1/imports", &json!({ "items": items })).send().await.expect(200).value()
}

/// Publishes and puts in force.
pub async fn publish(client: &TestClient, name: &str) -> Value {
    let reply = client.post("/catalog/v1/publications", &json!({"name": name, "activate": true})).send().await;
    assert!(reply.status.is_success(), "{}", reply.text());
    reply.value()
}

/// An active, simple offering for an import.
pub fn simple(external_id: &str, name: &str) -> Value {
    json!({"externalId": external_id, "name": name, "kind": "simple", "stocked": true,
        "prices": [{"priceType": "oneTime", "amount": {"amount": "9.90", "currency": "EUR"}}]})
}

/// The text of a member.
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no text {member} in {value}"))
}

/// The id in an answer.
pub fn id(reply: &TestReply) -> String {
    text(&reply.value(), "id").to_owned()
}

/// A publication of three offerings; its id and theirs in order of name.
pub async fn three(catalog: &Catalog) -> (String, Vec<String>) {
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a"), simple("B", "b"), simple("C", "c")])).await;
    let publication = text(&publish(&editor, "one").await, "id").to_owned();
    let page =
        editor.get(&format!("/catalog/v1/publications/{publication}/offerings")).send().await.expect(200).value();
    let ids = page["items"].as_array().into_iter().flatten().map(|item| text(item, "id").to_owned()).collect();
    (publication, ids)
}
