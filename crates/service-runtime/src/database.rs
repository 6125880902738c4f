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

/// A pool that connects when it is first used: a process starts, and says it is not ready, while PostgreSQL is away.
pub fn pool(url: &SecretString, application: &str, config: &DatabaseConfig) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.expose_secret().parse()?;
    let options = options
        .application_name(application)
        .options([
            ("statement_timeout", config.statement_timeout_ms),
            ("lock_timeout", config.lock_timeout_ms),
            ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout_ms),
        ])
        .log_statements(tracing::log::LevelFilter::Off)
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_millis(config.slow_statement_ms));
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        // A connection is checked when it comes back; checking it again would cost every request a round trip.
        .test_before_acquire(false)
        .connect_lazy_with(options))
}
