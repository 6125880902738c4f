//! The committed query data (`.sqlx/`) say what the migrated database says, so that the offline build checks the statements
//! against the schema of this commit and not of an older one. `make generate` writes them again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use dev_stack::{migrations_folder, test};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};

#[tokio::test]
async fn query_data_agree_with_the_migrations() -> Result<()> {
    let folder = migrations_folder().join("../.sqlx");
    let database = test::whole_database().await?;
    let mut connection = PgConnection::connect(&database.admin_url()).await?;
    let (mut checked, mut stale) = (0, Vec::new());
    for entry in fs::read_dir(&folder).context("there is no .sqlx folder")? {
        let path = entry?.path();
        if let Some(reason) = disagreement(&mut connection, &path).await? {
            stale.push(format!("{}: {reason}", path.display()));
        }
        checked += 1;
    }
    assert!(checked > 0, "there are no query data at all");
    assert!(stale.is_empty(), "run `make generate`:\n{}", stale.join("\n"));
    Ok(())
}

/// Why the data in this file are out of date, if they are.
async fn disagreement(connection: &mut PgConnection, path: &Path) -> Result<Option<String>> {
    let data: Value =
        serde_json::from_slice(&fs::read(path)?).with_context(|| format!("{} is no JSON", path.display()))?;
    let query = data["query"].as_str().context("query data name their query")?.to_owned();
    let described = connection.describe(AssertSqlSafe(query).into_sql_str()).await;
    Ok(match described {
        Err(error) => Some(error.to_string()),
        Ok(described) => {
            let described = serde_json::to_value(&described)?;
            let agrees = without_overruled(&described) == without_overruled(&data["describe"]);
            (!agrees).then(|| format!("the database now describes it as {described}"))
        }
    })
}

/// The description without the nullability of columns whose name overrules it (`"name!"`, `"name?"`): sqlx reads it from the
/// query plan, which changes with the statistics.
fn without_overruled(described: &Value) -> Value {
    let mut described = described.clone();
    let names: Vec<String> =
        described["columns"].as_array().into_iter().flatten().map(|column| column["name"].to_string()).collect();
    if let Some(nullable) = described["nullable"].as_array_mut() {
        for (value, name) in nullable.iter_mut().zip(&names) {
            if name.contains(['!', '?']) {
                *value = Value::Null;
            }
        }
    }
    described
}
