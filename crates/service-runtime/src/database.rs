//! Connections to PostgreSQL: one pool a role, with deadlines on everything.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// How a process connects.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Most connections of one pool.
    pub max_connections: u32,
    /// Connections that a pool which answers requests opens ahead of need, and keeps; at most all of them.
    pub warm_connections: u32,
    /// How long a request waits for a free connection.
    pub acquire_timeout_ms: u64,
    /// How long one statement may run.
    pub statement_timeout_ms: u64,
    /// How long a statement may wait for a lock.
    pub lock_timeout_ms: u64,
    /// How long a transaction may do nothing.
    pub idle_in_transaction_timeout_ms: u64,
    /// Statements slower than this are logged.
    pub slow_statement_ms: u64,
}

/// How long a pool that is kept warm waits before it tries again.
const WARM_AGAIN: Duration = Duration::from_secs(1);

/// A pool that connects when it is first used: a process starts, and says it is not ready, while PostgreSQL is away.
pub fn pool(url: &SecretString, application: &str, config: &DatabaseConfig) -> Result<PgPool, sqlx::Error> {
    Ok(limits(config).connect_lazy_with(connection(url, application, config)?))
}

/// The same, with connections opened ahead of need, in the background. While the cache answers, one or two are enough; when it is
/// lost, all are wanted at once, and that is no moment to open them. Needs a Tokio runtime.
pub fn warm_pool(url: &SecretString, application: &str, config: &DatabaseConfig) -> Result<PgPool, sqlx::Error> {
    let kept = config.warm_connections.min(config.max_connections);
    let pool = limits(config).min_connections(kept).connect_lazy_with(connection(url, application, config)?);
    let warming = pool.clone();
    tokio::spawn(async move {
        while !warming.is_closed() && !is_warm(&warming).await {
            tokio::time::sleep(WARM_AGAIN).await;
        }
    });
    Ok(pool)
}

fn connection(url: &SecretString, application: &str, config: &DatabaseConfig) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = url.expose_secret().parse()?;
    Ok(options
        .application_name(application)
        .options([
            ("statement_timeout", config.statement_timeout_ms),
            ("lock_timeout", config.lock_timeout_ms),
            ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout_ms),
        ])
        .log_statements(tracing::log::LevelFilter::Off)
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_millis(config.slow_statement_ms)))
}

fn limits(config: &DatabaseConfig) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        // A connection is checked when it comes back; checking it again would cost every request a round trip.
        .test_before_acquire(false)
}

/// Opens what is missing, and says whether it could. What breaks later, the pool itself replaces.
async fn is_warm(pool: &PgPool) -> bool {
    // Held until all stand: the pool would give the same one again.
    let mut held = Vec::new();
    while pool.size() < pool.options().get_min_connections() {
        match pool.acquire().await {
            Ok(connection) => held.push(connection),
            Err(_) => return false,
        }
    }
    true
}
