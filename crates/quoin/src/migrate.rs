//! `quoin migrate`: the schema of every service, the passwords of their roles, the topics.
//!
//! Owns the order: the platform's roles and functions first, then each service's folder with its own bookkeeping. The
//! migrations are compiled in, so that an image can migrate without files beside it. Safe to repeat and to run twice at
//! once: PostgreSQL's advisory lock lets one of them wait.

use std::time::Duration;

use anyhow::{Context, ensure};
use events_kafka::TopicShape;
use secrecy::ExposeSecret;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};

use crate::{
    config::{Config, Duty},
    services::Service,
};

/// The folders in their order; `platform` gives the others their roles and functions.
const FOLDERS: [(&str, Migrator); 6] = [
    ("platform", sqlx::migrate!("../../migrations/platform")),
    ("catalog", sqlx::migrate!("../../migrations/catalog")),
    ("pricing", sqlx::migrate!("../../migrations/pricing")),
    ("quote", sqlx::migrate!("../../migrations/quote")),
    ("order", sqlx::migrate!("../../migrations/order")),
    ("inventory", sqlx::migrate!("../../migrations/inventory")),
];

/// What a migration did.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Migrated {
    /// Migrations applied now, as `folder/version`.
    pub applied: Vec<String>,
    /// Migrations that were applied before.
    pub known: usize,
    /// Topics made now.
    pub topics: usize,
}

/// Brings database and broker up to date.
pub async fn migrate(config: &Config) -> anyhow::Result<Migrated> {
    let mut migrated = migrate_database(config).await?;
    if !config.kafka.brokers.is_empty() {
        migrated.topics = make_topics(config).await?;
    }
    Ok(migrated)
}

async fn migrate_database(config: &Config) -> anyhow::Result<Migrated> {
    let url = config.owner.url()?;
    let mut connection = PgConnection::connect(url).await.context("cannot connect as the owner")?;
    let mut migrated = Migrated::default();
    for (folder, mut migrator) in FOLDERS {
        // Quoted, because `order` is a word of SQL.
        migrator.create_schema(format!(r#""{folder}""#));
        migrator.dangerous_set_table_name(format!(r#""{folder}".schema_migrations"#));
        let before = applied(&mut connection, folder).await?;
        migrator.run_direct(None, &mut connection, false).await.with_context(|| format!("cannot migrate {folder}"))?;
        migrated.known += before.len();
        let now = applied(&mut connection, folder).await?;
        migrated
            .applied
            .extend(now.iter().filter(|version| !before.contains(version)).map(|v| format!("{folder}/{v:04}")));
    }
    set_passwords(&mut connection, config.owner.role_password.expose_secret()).await?;
    connection.close().await?;
    Ok(migrated)
}

async fn applied(connection: &mut PgConnection, folder: &str) -> anyhow::Result<Vec<i64>> {
    let table = format!(r#""{folder}".schema_migrations"#);
    let (exists,): (bool,) =
        sqlx::query_as("select to_regclass($1) is not null").bind(&table).fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(Vec::new());
    }
    let select = AssertSqlSafe(format!("select version from {table} order by version"));
    let versions: Vec<(i64,)> = sqlx::query_as(select).fetch_all(connection).await?;
    Ok(versions.into_iter().map(|(version,)| version).collect())
}

/// What this program brings along and the database has not got, as `folder/version`.
pub async fn pending(connection: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    let mut pending = Vec::new();
    for (folder, migrator) in FOLDERS {
        let known = applied(connection, folder).await?;
        let ours = migrator.iter().map(|migration| migration.version).filter(|version| !known.contains(version));
        pending.extend(ours.map(|version| format!("{folder}/{version:04}")));
    }
    Ok(pending)
}

/// Gives the ten service roles their password. `alter role` takes no parameters, so the text is quoted by PostgreSQL.
async fn set_passwords(connection: &mut PgConnection, password: &str) -> anyhow::Result<()> {
    ensure!(!password.is_empty(), "set QUOIN__OWNER__ROLE_PASSWORD: roles without a password cannot log in");
    for role in Service::ALL.iter().flat_map(|service| [service.role(Duty::Serve), service.role(Duty::Work)]) {
        let (statement,): (String,) = sqlx::query_as("select format('alter role %I login password %L', $1, $2)")
            .bind(&role)
            .bind(password)
            .fetch_one(&mut *connection)
            .await?;
        alter_role(connection, &statement).await.with_context(|| format!("cannot set the password of {role}"))?;
    }
    Ok(())
}

/// Roles belong to the whole server: whoever migrates another database on it may be altering the same one.
async fn alter_role(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    for pause_ms in [10, 50, 200, 500] {
        match sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await {
            Err(sqlx::Error::Database(error)) if error.message().contains("concurrently updated") => {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            altered => return altered.map(|_| ()),
        }
    }
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(connection).await.map(|_| ())
}

/// Makes the topics of all services where they are missing: for facts, and for requests to publish facts again.
pub async fn make_topics(config: &Config) -> anyhow::Result<usize> {
    let topics = Service::ALL.iter().flat_map(|service| [&[service.topic()], service.requests().topics].concat());
    let (topics, kafka): (Vec<&str>, _) = (topics.collect(), &config.kafka);
    let shape = TopicShape { partitions: kafka.partitions, retention_days: kafka.retention_days };
    let made = events_kafka::create_topics(&kafka.brokers, &kafka.topic_prefix, &topics, shape).await;
    made.context("cannot make the topics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_its_migrations_compiled_in() {
        let folders: Vec<&str> = FOLDERS.iter().map(|(folder, _)| *folder).collect();
        assert_eq!(folders[0], "platform");
        assert!(Service::ALL.iter().all(|service| folders.contains(&service.name())));
        assert!(FOLDERS.iter().all(|(_, migrator)| !migrator.migrations.is_empty()));
    }
}
