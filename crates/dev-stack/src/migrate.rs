//! Migrations run from disk, with the same bookkeeping as `quoin migrate`, which carries them inside the binary.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use crate::settings::workspace;

/// The folder that is migrated before all others: roles and functions the services' migrations call.
pub(crate) const FIRST: &str = "platform";

/// `migrations/` of this workspace.
pub fn migrations_folder() -> PathBuf {
    workspace().join("migrations")
}

/// Runs `migrations/<folder>/*.sql` for each folder in the given order, each with its own table `<folder>.schema_migrations`.
/// `url` must belong to an account that may create schemas and roles.
pub async fn migrate(url: &str, folders: &[&str]) -> Result<()> {
    let mut connection = PgConnection::connect(url).await.context("cannot connect to migrate")?;
    for folder in folders {
        let path = migrations_folder().join(folder);
        let mut migrator =
            Migrator::new(path.clone()).await.with_context(|| format!("cannot read {}", path.display()))?;
        // Quoted, because `order` is a word of SQL.
        migrator.create_schema(format!(r#""{folder}""#));
        migrator.dangerous_set_table_name(format!(r#""{folder}".schema_migrations"#));
        migrator.run_direct(None, &mut connection, false).await.with_context(|| format!("cannot migrate {folder}"))?;
    }
    connection.close().await?;
    Ok(())
}

/// Every folder of `migrations/`, the platform's first and the others by name.
pub(crate) fn every_folder() -> Result<Vec<String>> {
    let root = migrations_folder();
    let entries = fs::read_dir(&root).with_context(|| format!("cannot read {}", root.display()))?;
    let folders = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut folders: Vec<String> = folders.collect();
    folders.sort_by_key(|folder| (folder != FIRST, folder.clone()));
    Ok(folders)
}
