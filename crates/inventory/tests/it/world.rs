//! An inventory service on a real socket over a migrated database of its own.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, MemoryStore, NoStore, store::ByteStore};
use cache_ports::Caches;
use dev_stack::test::TestDatabase;
use inventory::{Config, State, router};
use kernel::{ProductId, TenantId};
use serde_json::{Value, json};
use service_runtime::{
    Role,
    testing::{TestClient, TestIdentity, TestReply, TestService},
};
use sqlx::{PgPool, postgres::PgPoolOptions};

/// Connections of the service: as many as a small deployment has.
const POOL: u32 = 16;

pub struct World {
    pub service: TestService,
    pub caches: Caches,
    /// What the caches lie in, unless there is none.
    pub store: Arc<MemoryStore>,
    pub identity: TestIdentity,
    pub tenant: TenantId,
    /// The superuser: sees what row-level security hides.
    pub admin: PgPool,
    pub database: TestDatabase,
}

impl World {
    /// With the caches of one process.
    pub async fn start() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::over(store.clone(), store, true).await
    }

    /// As when Redis is gone.
    pub async fn without_cache() -> Self {
        Self::over(Arc::new(NoStore), Arc::default(), false).await
    }

    async fn over(bytes: Arc<dyn ByteStore>, store: Arc<MemoryStore>, in_memory: bool) -> Self {
        let database = dev_stack::test::database(&["inventory"]).await.unwrap();
        let pool = connect(&database.service_url("inventory_serve"), POOL).await;
        let caches = Engine::new(bytes, EngineConfig { in_memory, ..EngineConfig::default() }).caches();
        let identity = TestIdentity::new();
        let runtime = identity.service_state("inventory", pool, caches.clone());
        let service = TestService::start(router(State::new(runtime, Config::default())), &identity).await;
        let admin = connect(&database.admin_url(), 2).await;
        Self { service, caches, store, identity, tenant: "acme".parse().unwrap(), admin, database }
    }

    /// The state of a worker process.
    pub async fn work_state(&self) -> State {
        let pool = connect(&self.database.service_url("inventory_work"), 4).await;
        State::new(self.identity.service_state("inventory", pool, self.caches.clone()), Config::default())
    }

    /// Somebody who moves and reserves stock.
    pub fn keeper(&self) -> TestClient {
        self.service.client(&self.tenant, "keeper", &[Role::FulfilmentAgent])
    }

    /// Somebody who may look.
    pub fn buyer(&self) -> TestClient {
        self.service.client(&self.tenant, "reader", &[Role::Buyer])
    }

    /// Somebody of another tenant who may do everything there.
    pub fn stranger(&self) -> TestClient {
        self.service.client(&"other".parse().unwrap(), "stranger", &[Role::TenantAdmin])
    }

    /// A new product with `quantity` on hand.
    pub async fn product(&self, quantity: &str) -> ProductId {
        let product = ProductId::generate();
        let body = json!({ "items": [opening(product, quantity)] });
        self.keeper().post("/inventory/v1/imports/stock", &body).send().await.expect(200);
        product
    }

    /// Asks for a reservation.
    pub async fn reserve(&self, reference: &str, items: Value) -> TestReply {
        let body = json!({ "reference": reference, "items": items });
        self.keeper().post("/inventory/v1/reservations", &body).send().await
    }

    /// `[on hand, reserved, available]` as PostgreSQL has it.
    pub async fn stock(&self, product: ProductId) -> [String; 3] {
        let reply = self.buyer().get(&format!("/inventory/v1/products/{product}/stock")).send().await;
        let body = reply.expect(200).value();
        ["onHand", "reserved", "available"].map(|field| body[field].as_str().unwrap().to_owned())
    }

    /// Nothing disagrees.
    pub async fn expect_reconciled(&self) {
        let reply = self.keeper().get("/inventory/v1/reconciliation").send().await;
        let body = reply.expect(200).value();
        assert_eq!(body["mismatches"], json!([]), "{body}");
    }

    /// Everything inventory has written, as one number a table: two equal values mean that nothing changed.
    pub async fn everything(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in ["stock_level", "movement", "reservation", "reservation_history", "installed_product", "outbox"] {
            let statement = sqlx::AssertSqlSafe(format!("select count(*) from inventory.{table}"));
            counts.push(sqlx::query_scalar(statement).fetch_one(&self.admin).await.unwrap());
        }
        let versions = "select coalesce(sum(version), 0)::bigint from inventory.product_stock";
        counts.push(sqlx::query_scalar(versions).fetch_one(&self.admin).await.unwrap());
        counts
    }
}

/// A line of a stock import.
pub fn opening(product: ProductId, quantity: &str) -> Value {
    json!({ "productId": product, "quantity": quantity, "reference": "opening" })
}

/// A line of a reservation.
pub fn line(item: &str, product: ProductId, quantity: &str) -> Value {
    json!({ "itemId": item, "productId": product, "quantity": quantity })
}

async fn connect(url: &str, connections: u32) -> PgPool {
    PgPoolOptions::new().max_connections(connections).connect(url).await.unwrap()
}
