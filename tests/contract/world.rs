//! The whole product in this process, answering and not working: nothing moves but what a request moves.

use std::path::Path;

use anyhow::{Context, Result};
use dev_stack::test::{self, TestDatabase};
use quoin::{
    app::{self, Doors, Duties, Log},
    config::{CacheBackend, Config},
    services::Service,
};
use reqwest::Method;
use serde_json::json;
use system_tests::Shop;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    document::Document,
    ledger::Ledger,
    wire::{Call, Wire},
};

/// A running product with a shop in it.
pub struct World {
    /// The line to it.
    pub wire: Wire,
    /// The shop the trials trade in.
    pub shop: Shop,
    /// What stands in its database.
    pub ledger: Ledger,
    /// Tokens of the people who call.
    pub people: People,
    serving: JoinHandle<Result<()>>,
    _folder: TempDir,
    _database: TestDatabase,
}

/// What stands in `Authorization` when they call.
pub struct People {
    /// May do everything in the shop but approve what he edited.
    pub admin: String,
    /// Approves.
    pub approver: String,
    /// The same as the admin, in a shop nobody else touches.
    pub publisher: String,
    /// Is in the shop without being anything there.
    pub visitor: String,
    /// The same as the admin, in another tenant.
    pub stranger: String,
}

impl World {
    /// Starts the product on a database of its own and opens a shop.
    pub async fn start() -> Result<Self> {
        let database = test::whole_database().await?;
        let folder = tempfile::tempdir()?;
        let mut config = configuration(&database, folder.path())?;
        let doors = Doors::open(&config).await?;
        let url = doors.url()?;
        config.all_behind(&url);
        let duties = Duties { serve: Service::ALL.to_vec(), work: Vec::new() };
        let log = Log::of(&config);
        let serving = tokio::spawn(app::run(config, log, duties, doors, async |_| ()));
        let wire = Wire::new(&url)?;
        let tenant = test::unique_name("t");
        let shop = Shop::open(&url, &tenant).await.context("the shop cannot be opened")?;
        let quiet = test::unique_name("q");
        Shop::open(&url, &quiet).await.context("the second shop cannot be opened")?;
        let people = People {
            publisher: token(&wire, &quiet, "publisher", &["tenantAdmin"]).await?,
            admin: token(&wire, &tenant, "trial", &["tenantAdmin"]).await?,
            approver: token(&wire, &tenant, "approver", &["approver"]).await?,
            visitor: token(&wire, &tenant, "visitor", &[]).await?,
            stranger: token(&wire, &test::unique_name("s"), "stranger", &["tenantAdmin"]).await?,
        };
        let ledger = Ledger::open(&database.admin_url()).await?;
        Ok(Self { wire, shop, ledger, people, serving, _folder: folder, _database: database })
    }

    /// The document a service serves of itself.
    pub async fn document(&self, service: Service) -> Result<Document> {
        let reply = self.wire.send(&Call::new(Method::GET, format!("/{service}/v1/openapi.json"))).await?;
        anyhow::ensure!(reply.status == 200, "{service} serves no document: {}", reply.status);
        Ok(Document::new(serde_json::from_slice(&reply.body)?))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The defaults, with this test's servers, no limits, and nothing that outlives it.
fn configuration(database: &TestDatabase, folder: &Path) -> Result<Config> {
    let mut config = Config::load(None)?;
    config.owner.database_url = database.admin_url().into();
    config.cache.backend = CacheBackend::Memory;
    config.kafka.brokers = String::new();
    config.development.issuer = true;
    let runtime = &mut config.runtime;
    runtime.http.bind.set_port(0);
    runtime.http.internal_bind.set_port(0);
    runtime.limits.enabled = false;
    runtime.database.max_connections = 4;
    runtime.database.warm_connections = 0;
    runtime.auth.issuer_key_file = folder.join("issuer.key");
    "error".clone_into(&mut runtime.telemetry.log);
    Ok(config)
}

async fn token(wire: &Wire, tenant: &str, subject: &str, roles: &[&str]) -> Result<String> {
    let person = json!({ "tenant": tenant, "subject": subject, "roles": roles });
    let reply = wire.send(&Call::new(Method::POST, "/dev/v1/tokens").with_bytes(person.to_string())).await?;
    let token = reply.json()["token"].as_str().map(|token| format!("Bearer {token}"));
    token.with_context(|| format!("no token for {subject}: {}", reply.status))
}
