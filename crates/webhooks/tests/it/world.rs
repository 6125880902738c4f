//! A service that does nothing but let its events be heard, over the tables of the quote service.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRef;
use cache_engine::{Engine, EngineConfig, MemoryStore};
use chrono::{DateTime, Utc};
use events::Envelope;
use kernel::{EventId, SystemClock, TenantId, Version};
use serde_json::{Value, json};
use service_runtime::{
    Role, ServiceState, TenantTx, service_router,
    testing::{TestClient, TestIdentity, TestReply, TestService},
};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use webhooks::{Config, Hub, Webhooks, routes, rules::filter::Vocabulary};

use crate::receiver::PATIENCE;

pub static HUB: Hub = Hub {
    service: "quote",
    consumer: "quote.webhooks",
    topics: &["quoin.quote.v1"],
    vocabulary: Vocabulary {
        event_types: &["QuoteAccepted", "QuoteChanged", "QuoteExpired"],
        aggregate_types: &["customer", "quote"],
    },
};

pub const PATH: &str = "/quote/v1/hub";

#[derive(Clone, FromRef)]
struct State {
    runtime: ServiceState,
    webhooks: Webhooks,
}

/// The service, its database and its people.
pub struct World {
    pub service: TestService,
    pub tenant: TenantId,
    pub owner: PgPool,
    pub work: PgPool,
    pub config: Config,
    pub database: dev_stack::test::TestDatabase,
}

/// Settings for receivers on this machine that come back soon.
pub fn config() -> Config {
    Config {
        allow_http: true,
        allow_private_addresses: true,
        retry_base_ms: 20,
        retry_cap_ms: 200,
        ..Config::default()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: Config) -> Self {
        let database = dev_stack::test::database(&["quote"]).await.unwrap();
        let serve = PgPool::connect(&database.service_url("quote_serve")).await.unwrap();
        let work = PgPool::connect(&database.service_url("quote_work")).await.unwrap();
        let owner = PgPool::connect(&database.admin_url()).await.unwrap();
        let identity = TestIdentity::new();
        let caches = Engine::new(Arc::new(MemoryStore::new()), EngineConfig::default()).caches();
        let state =
            State { runtime: identity.service_state("quote", serve, caches), webhooks: Webhooks::new(&HUB, &config) };
        let (router, _) = service_router("quote", "Quote", routes::<State>());
        let service = TestService::start(router.with_state(state), &identity).await;
        Self { service, tenant: "acme".parse().unwrap(), owner, work, config, database }
    }

    pub fn admin(&self) -> TestClient {
        self.admin_of(&self.tenant)
    }

    pub fn admin_of(&self, tenant: &TenantId) -> TestClient {
        self.service.client(tenant, "admin", &[Role::TenantAdmin])
    }

    /// Registers a callback for everything.
    pub async fn register(&self, callback: &str) -> Listener {
        self.register_for(callback, "").await
    }

    /// Registers a callback for what a filter admits.
    pub async fn register_for(&self, callback: &str, query: &str) -> Listener {
        let body = json!({ "callback": callback, "query": query });
        Listener(self.admin().post(PATH, &body).send().await.expect(201).value())
    }

    /// A dispatcher of a process of its own, until it is dropped.
    pub fn work(&self) -> Working {
        let stop = CancellationToken::new();
        let webhooks = Webhooks::new(&HUB, &self.config);
        let (_, worker) = webhooks.worker(self.work.clone(), Arc::new(SystemClock), stop.clone());
        tokio::spawn(worker);
        Working(stop)
    }

    /// The consumer hears an event.
    pub async fn hear(&self, event: &Envelope) {
        let reaction = Webhooks::new(&HUB, &self.config).reaction();
        let mut tx = TenantTx::begin(&self.work, &event.tenant).await.unwrap();
        reaction.apply(&mut tx, event).await.unwrap();
        tx.commit().await.unwrap();
        reaction.committed(event).await.unwrap();
    }

    /// The consumer hears version `version` of a quote.
    pub async fn quote_changed(&self, quote: Uuid, version: u64) -> Envelope {
        let event = event(&self.tenant, "QuoteChanged", quote, version);
        self.hear(&event).await;
        event
    }

    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.owner).await.unwrap()
    }

    pub async fn tamper(&self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.owner).await.unwrap();
    }

    /// Waits until a query answers `wanted`.
    pub async fn until(&self, sql: &str, wanted: i64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.count(sql).await;
            if found == wanted {
                return;
            }
            assert!(Instant::now() < end, "{sql} is {found}, not {wanted}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Every row about callbacks.
    pub async fn digest(&self) -> Vec<Option<String>> {
        let mut digests = Vec::new();
        for table in ["feed", "event", "subscription", "delivery"] {
            let sql = format!("select md5(string_agg(t::text, '|' order by t::text)) from quote.webhook_{table} t");
            digests.push(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.owner).await.unwrap());
        }
        digests
    }
}

/// A running dispatcher.
pub struct Working(CancellationToken);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// An event of a quote.
pub fn event(tenant: &TenantId, event_type: &str, quote: Uuid, version: u64) -> Envelope {
    Envelope {
        id: EventId::generate(),
        source: "/quoin/quote".to_owned(),
        event_type: event_type.to_owned(),
        schema_version: 1,
        tenant: tenant.clone(),
        aggregate_type: "quote".to_owned(),
        aggregate_id: quote,
        aggregate_version: Version::new(version),
        occurred_at: DateTime::<Utc>::UNIX_EPOCH,
        correlation_id: Some("because".to_owned()),
        causation_id: None,
        traceparent: None,
        data: json!({ "version": version }).to_string().into(),
    }
}

/// The answer to a registration.
#[derive(Debug, Clone)]
pub struct Listener(pub Value);

impl Listener {
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    pub fn secret(&self) -> &str {
        self.0["secret"].as_str().unwrap()
    }

    pub fn path(&self) -> String {
        format!("{PATH}/{}", self.id())
    }

    /// As it is now.
    pub async fn now(&self, world: &World) -> TestReply {
        world.admin().get(&self.path()).send().await.expect(200)
    }

    /// Sends a command in the version it is in.
    pub async fn command(&self, world: &World, command: &str, body: &Value) -> TestReply {
        let version = self.now(world).await.version();
        world.admin().post(&format!("{}/{command}", self.path()), body).if_match(version).send().await
    }

    /// The numbers of what waits.
    pub async fn waiting(&self, world: &World) -> Vec<i64> {
        let page = world.admin().get(&format!("{}/deliveries", self.path())).send().await.expect(200).value();
        page["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_i64().unwrap()).collect()
    }
}
