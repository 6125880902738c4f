//! One whole product in this process, over an engine that the test made.
//!
//! Owns the database, the listener and the end of it. Must never know what the store behind it does.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cache_engine::Engine;
use dev_stack::test::{TestDatabase, whole_database};
use quoin::{
    app::{self, Log},
    config::Config,
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// Connections of one of the product's ten pools.
const CONNECTIONS: u32 = 5;

/// See the module.
pub struct Stage {
    /// Where it answers.
    pub url: String,
    /// Sees everything, for waiting and for comparing.
    pub owner: PgPool,
    running: JoinHandle<Result<()>>,
    end: oneshot::Sender<()>,
    _database: TestDatabase,
}

impl Stage {
    /// Starts it on a database of its own.
    pub async fn over(engine: Engine) -> Result<Self> {
        let database = whole_database().await?;
        let door = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", door.local_addr()?);
        let mut config = Config::load(None)?;
        config.owner.database_url = database.admin_url().into();
        config.owner.role_password = "quoin".into();
        config.kafka.brokers = String::new();
        config.development.issuer = true;
        config.runtime.database.max_connections = CONNECTIONS;
        config.runtime.database.warm_connections = 0;
        config.all_behind(&url);
        let log = Log::of(&config);
        let (end, ended) = oneshot::channel();
        let ended = async move {
            // Dropping the stage ends it as well.
            let _ = ended.await;
        };
        let running = tokio::spawn(app::run_over(config, log, engine, door, ended));
        let owner = PgPoolOptions::new().max_connections(4).connect(&database.admin_url()).await?;
        Ok(Self { url, owner, running, end, _database: database })
    }

    /// Ends it in order.
    pub async fn end(self) -> Result<()> {
        let _ = self.end.send(());
        self.owner.close().await;
        self.running.await.context("the product broke")?
    }

    /// A token of somebody of a tenant.
    pub async fn token(&self, http: &reqwest::Client, tenant: &str, subject: &str, roles: &[&str]) -> Result<String> {
        let person = serde_json::json!({ "tenant": tenant, "subject": subject, "roles": roles });
        let answer = http.post(format!("{}/dev/v1/tokens", self.url)).json(&person).send().await?.error_for_status()?;
        let answer: BTreeMap<String, serde_json::Value> = answer.json().await?;
        Ok(answer.get("token").and_then(serde_json::Value::as_str).context("no token")?.to_owned())
    }
}
