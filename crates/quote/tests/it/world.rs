//! One service under test with its neighbours, its database, its cache and people with tokens.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, MemoryStore};
use cache_ports::Caches;
use kernel::TenantId;
use quote::{Config, State};
use serde_json::{Value, json};
use service_runtime::{
    Role, Settings,
    testing::{TestClient, TestIdentity, TestReply, TestService},
};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::neighbours::{self, Asked, PRICE_BOOK};

/// A running service and everything around it.
pub struct World {
    pub service: TestService,
    pub caches: Caches,
    /// What the caches lie in; empty where they were given.
    pub store: Arc<MemoryStore>,
    pub config: Config,
    pub asked: Arc<Asked>,
    pub tenant: TenantId,
    /// As the owner of the tables: sees every tenant and may break what the service may not.
    pub owner: PgPool,
    /// As the worker.
    pub work: PgPool,
    pub database: dev_stack::test::TestDatabase,
    serve: PgPool,
    identity: TestIdentity,
}

impl World {
    pub async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let caches = Engine::new(store.clone(), EngineConfig::default()).caches();
        Self { store, ..Self::over(caches).await }
    }

    /// The same over other caches.
    pub async fn over(caches: Caches) -> Self {
        let database = dev_stack::test::database(&["quote"]).await.unwrap();
        let serve = PgPool::connect(&database.service_url("quote_serve")).await.unwrap();
        let work = PgPool::connect(&database.service_url("quote_work")).await.unwrap();
        let owner = PgPool::connect(&database.admin_url()).await.unwrap();
        let asked = Arc::new(Asked::default());
        let config = config(&neighbours::start(Arc::clone(&asked)).await);
        let identity = TestIdentity::new();
        let service = start(&identity, serve.clone(), caches.clone(), config.clone()).await;
        let tenant = "acme".parse().unwrap();
        let store = Arc::default();
        Self { service, caches, store, config, asked, tenant, owner, work, database, serve, identity }
    }

    /// Another replica over the same tables: what it does, this one learns from events alone.
    pub async fn replica(&self, caches: Caches) -> TestService {
        start(&self.identity, self.serve.clone(), caches, self.config.clone()).await
    }

    /// Somebody with one role; the name is the role's.
    pub fn client(&self, role: Role) -> TestClient {
        self.named(role.name(), role)
    }

    /// Somebody with a name of his own.
    pub fn named(&self, subject: &str, role: Role) -> TestClient {
        self.service.client(&self.tenant, subject, &[role])
    }

    pub fn rep(&self) -> TestClient {
        self.client(Role::SalesRep)
    }

    pub fn buyer(&self) -> TestClient {
        self.client(Role::Buyer)
    }

    /// The one number a query answers, asked as the owner.
    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.owner).await.unwrap()
    }

    /// Changes rows behind the service's back: as the superuser, with the triggers that protect them off.
    pub async fn tamper(&self, sql: &str) {
        let mut tx = self.owner.begin().await.unwrap();
        sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        let changed = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.unwrap();
        assert!(changed.rows_affected() > 0, "nothing was changed by {sql}");
        tx.commit().await.unwrap();
    }

    /// A digest of every row of the service, all tenants together: equal means nothing changed.
    pub async fn digest(&self) -> Vec<(String, Option<String>)> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'quote' and c.relkind in ('r', 'p') and not c.relispartition
               and c.relname <> 'schema_migrations'
             order by 1",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap();
        let mut digests = Vec::new();
        for table in tables {
            let sql = format!("select md5(string_agg(t::text, '|' order by t::text)) from quote.{table} t");
            digests.push((table, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.owner).await.unwrap()));
        }
        digests
    }

    /// A quote by the sales rep with one line of `quantity` pieces of offering 1.
    pub async fn draft(&self, quantity: &str) -> Quote {
        let reply = self.rep().post("/quote/v1/quotes", &new_quote(&[line(1, quantity)])).send().await.expect(201);
        Quote(reply.value())
    }

    pub async fn priced(&self, quantity: &str) -> Quote {
        let draft = self.draft(quantity).await;
        draft.then(&self.rep(), "price").await
    }

    pub async fn approved(&self, quantity: &str) -> Quote {
        let priced = self.priced(quantity).await;
        let quote = priced.then(&self.rep(), "submit").await;
        assert_eq!(quote.state(), "approved");
        quote
    }

    pub async fn presented(&self, quantity: &str) -> Quote {
        let approved = self.approved(quantity).await;
        approved.then(&self.rep(), "present").await
    }

    /// One whose discount of 30 % asks for approval.
    pub async fn in_approval(&self) -> Quote {
        let mut item = line(1, "10");
        item["adjustment"] = json!({ "kind": "discountPercent", "value": "30", "reason": "a friend" });
        let reply = self.rep().post("/quote/v1/quotes", &new_quote(&[item])).send().await.expect(201);
        let priced = Quote(reply.value()).then(&self.rep(), "price").await;
        let quote = priced.then(&self.rep(), "submit").await;
        assert_eq!(quote.state(), "inApproval");
        quote
    }
}

async fn start(identity: &TestIdentity, serve: PgPool, caches: Caches, config: Config) -> TestService {
    let runtime = identity.service_state(quote::SERVICE, serve, caches);
    TestService::start(quote::router(State::new(runtime, config)), identity).await
}

/// The settings of the tests: the defaults, with the neighbours' address.
fn config(neighbours: &str) -> Config {
    let settings = Settings::load(&[quote::DEFAULTS], None).unwrap();
    let mut config: Config = settings.section("quote").unwrap();
    neighbours.clone_into(&mut config.catalog_url);
    neighbours.clone_into(&mut config.pricing_url);
    config
}

/// The answer of a command.
#[derive(Debug, Clone)]
pub struct Quote(pub Value);

impl Quote {
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    pub fn version(&self) -> u64 {
        self.0["version"].as_u64().unwrap()
    }

    pub fn revision(&self) -> &Value {
        &self.0["currentRevision"]
    }

    pub fn state(&self) -> &str {
        self.revision()["state"].as_str().unwrap()
    }

    pub fn hash(&self) -> &str {
        self.revision()["contentHash"].as_str().unwrap()
    }

    pub fn item(&self, n: usize) -> &str {
        self.revision()["items"][n]["id"].as_str().unwrap()
    }

    pub fn path(&self) -> String {
        format!("/quote/v1/quotes/{}", self.id())
    }

    pub fn revision_path(&self) -> String {
        format!("{}/revisions/{}", self.path(), self.revision()["revisionNo"])
    }

    /// Sends a command that needs If-Match and no body.
    pub async fn send(&self, client: &TestClient, command: &str) -> TestReply {
        let path = format!("{}/{command}", self.revision_path());
        client.request("POST".parse().unwrap(), &path).if_match(self.version()).send().await
    }

    /// The same, and it must succeed.
    pub async fn then(&self, client: &TestClient, command: &str) -> Self {
        Self(self.send(client, command).await.expect(200).value())
    }

    /// Sends a command that needs an idempotency key.
    pub async fn with_key(&self, client: &TestClient, command: &str, key: &str, body: &Value) -> TestReply {
        client.post(&format!("{}/{command}", self.revision_path()), body).key(key).send().await
    }

    /// Accepts what was shown.
    pub async fn accept(&self, client: &TestClient, key: &str) -> TestReply {
        self.with_key(client, "accept", key, &json!({ "contentHash": self.hash() })).await
    }

    /// Reads it again.
    pub async fn again(&self, client: &TestClient) -> Self {
        let path = format!("{}/revisions/{}", self.path(), self.0["currentRevisionNo"]);
        Self(client.get(&path).send().await.expect(200).value())
    }
}

/// The n-th offering of the tests.
pub fn offering(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub fn line(n: u128, quantity: &str) -> Value {
    json!({ "offeringId": offering(n), "quantity": quantity })
}

pub fn new_quote(items: &[Value]) -> Value {
    json!({ "priceBookId": PRICE_BOOK, "currency": "EUR", "items": items })
}
