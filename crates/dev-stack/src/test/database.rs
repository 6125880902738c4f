//! A database per test, copied from a template that was migrated once.
//!
//! The template is keyed by the content of its migrations. It is built under another name and renamed when it is whole, all
//! under a server-wide advisory lock, so that test binaries that start together build it once and a killed builder leaves
//! nothing that looks finished.

use std::fs;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::background;
use crate::migrate::{FIRST, every_folder, migrate, migrations_folder};

/// Any number no migration tool uses; taken in the database `postgres`, where advisory locks of all test binaries meet.
const TEMPLATE_LOCK: i64 = 7_146_100_201;
/// Part of the template's key: raise it when this file makes templates differently.
const TEMPLATE_FORMAT: &str = "1";
/// Password of every service role on a test server.
const ROLE_PASSWORD: &str = "quoin";
/// Databases older than this belong to test binaries that were killed, in seconds.
const ABANDONED_AFTER_SECS: i64 = 2 * 60 * 60;

static SWEPT: OnceCell<()> = OnceCell::const_new();

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: PgConnectOptions,
}

impl TestDatabase {
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// URL of the superuser: for fixtures and for looking at what row-level security hides.
    pub fn admin_url(&self) -> String {
        url_of(&self.server.clone().database(&self.name))
    }

    /// URL of a service's role as in production: not the owner, row-level security applies. The role must come from a
    /// migration, e.g. `catalog_serve` or `catalog_work`.
    pub fn service_url(&self, role: &str) -> String {
        url_of(&self.server.clone().database(&self.name).username(role).password(ROLE_PASSWORD))
    }
}

/// The URL without sqlx's own parameters, so that `psql` takes it as well.
fn url_of(options: &PgConnectOptions) -> String {
    let mut url = options.to_url_lossy();
    let foreign: Vec<_> = url
        .query_pairs()
        .filter(|(name, _)| name != "statement-cache-capacity")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(foreign);
    url.into()
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server.clone());
        background::finish(async move {
            let mut connection = server.connect().await?;
            drop_database(&mut connection, &name).await?;
            connection.close().await?;
            Ok(())
        });
    }
}

/// A new database with the migrations of the given folders; `platform` comes first whether named or not.
pub async fn database(folders: &[&str]) -> Result<TestDatabase> {
    let rest = folders.iter().copied().filter(|folder| *folder != FIRST);
    let folders: Vec<&str> = std::iter::once(FIRST).chain(rest).collect();
    let server = PgConnectOptions::from_str(super::postgres().await?)?;
    let mut connection = server.connect().await.context("cannot reach the test server")?;
    SWEPT.get_or_try_init(|| sweep(&server)).await?;
    let template = template(&mut connection, &server, &folders).await?;
    let name = super::unique_name("quoin_test").replace('-', "_");
    let create = format!(r#"create database "{name}" template "{template}""#);
    sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await.context("cannot copy the template")?;
    connection.close().await?;
    Ok(TestDatabase { name, server })
}

/// A new database with all migrations of the workspace.
pub async fn whole_database() -> Result<TestDatabase> {
    let folders = every_folder()?;
    database(&folders.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// The name of the template for these folders, which is built if nobody has.
async fn template(connection: &mut PgConnection, server: &PgConnectOptions, folders: &[&str]) -> Result<String> {
    // Migrations prepare outbox partitions for a fortnight, so a template is good for the week it was made in.
    let (week,): (String,) =
        sqlx::query_as("select to_char(current_date, 'IYYY\"w\"IW')").fetch_one(&mut *connection).await?;
    let name = format!("quoin_template_{week}_{}", fingerprint(folders)?);
    if exists(connection, &name).await? {
        return Ok(name);
    }
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *connection).await?;
    let built = if exists(connection, &name).await? { Ok(()) } else { build(connection, server, folders, &name).await };
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut *connection).await?;
    built.with_context(|| format!("cannot make a test database of migrations {folders:?}"))?;
    Ok(name)
}

async fn build(connection: &mut PgConnection, server: &PgConnectOptions, folders: &[&str], name: &str) -> Result<()> {
    let unfinished = format!("{name}_unfinished");
    drop_database(connection, &unfinished).await?;
    sqlx::query(AssertSqlSafe(format!(r#"create database "{unfinished}""#))).execute(&mut *connection).await?;
    migrate(&url_of(&server.clone().database(&unfinished)), folders).await?;
    let_services_log_in(connection).await?;
    sqlx::query(AssertSqlSafe(format!(r#"alter database "{unfinished}" rename to "{name}""#)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Migrations make the service roles without a password; on a test server all of them get the same one.
async fn let_services_log_in(connection: &mut PgConnection) -> Result<()> {
    let roles: Vec<(String,)> =
        sqlx::query_as(r"select rolname::text from pg_roles where rolname ~ '^[a-z]+_(serve|work)$'")
            .fetch_all(&mut *connection)
            .await?;
    for (role,) in roles {
        let statement = format!(r#"alter role "{role}" login password '{ROLE_PASSWORD}'"#);
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn exists(connection: &mut PgConnection, database: &str) -> Result<bool> {
    let found: (bool,) = sqlx::query_as("select exists(select 1 from pg_database where datname = $1)")
        .bind(database)
        .fetch_one(connection)
        .await?;
    Ok(found.0)
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<()> {
    let statement = format!(r#"drop database if exists "{name}" with (force)"#);
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// Drops databases of test binaries that were killed: once per process, and only on a server that lives long enough to have some.
async fn sweep(server: &PgConnectOptions) -> Result<()> {
    let mut connection = server.connect().await?;
    // A database's folder carries the time of its creation; the file `PG_VERSION` in it is never written again.
    let abandoned: Vec<(String,)> = sqlx::query_as(
        "select datname::text from pg_database
         where datname like 'quoin\\_test\\_%'
           and (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification < now() - make_interval(secs => $1::float8)",
    )
    .bind(ABANDONED_AFTER_SECS)
    .fetch_all(&mut connection)
    .await?;
    for (name,) in abandoned {
        drop_database(&mut connection, &name).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Hash of the names and contents of all migrations of these folders, in order.
fn fingerprint(folders: &[&str]) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(TEMPLATE_FORMAT);
    for folder in folders {
        let path = migrations_folder().join(folder);
        let entries = fs::read_dir(&path).with_context(|| format!("there are no migrations in {}", path.display()))?;
        let mut files: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| file.extension().is_some_and(|end| end == "sql"))
            .collect();
        files.sort();
        ensure!(!files.is_empty(), "there are no migrations in {}", path.display());
        for file in files {
            hash.update(folder.as_bytes());
            hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(fs::read(&file)?);
        }
    }
    Ok(hex::encode(&hash.finalize()[..8]))
}
