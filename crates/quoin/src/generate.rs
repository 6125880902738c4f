//! `quoin generate`: files that say what the code says, written by the code.
//!
//! Owns the list of generated files. Each is a pure function of the code, so that `tests/tidy` can compare without
//! writing, and a review sees every change of an API or a keyspace.

mod alerts;
mod asyncapi;
pub mod consumers;
mod dashboards;
mod event_fields;
mod event_page;
pub mod event_schemas;

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::services::Service;

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Its path from the root of the repository.
    pub path: String,
    /// Its content.
    pub content: String,
}

/// All generated files.
pub async fn all() -> anyhow::Result<Vec<GeneratedFile>> {
    let consumers = consumers::all().await?;
    let mut files = vec![
        file("docs/keyspaces.md", cache_ports::registry::keyspaces_markdown()),
        file("deploy/redis/users.acl", cache_ports::registry::users_acl("")),
        file("deploy/observability/rules.yaml", alerts::rules_yaml()),
        file("docs/events.md", event_page::markdown(&consumers)),
        file("docs/api/events.asyncapi.json", pretty(&asyncapi::document(&consumers))?),
    ];
    for (name, dashboard) in dashboards::all() {
        files.push(file(&format!("deploy/observability/{name}"), pretty(&dashboard)?));
    }
    for service in Service::ALL {
        let json = pretty(&service.openapi()).with_context(|| format!("the API of {service}"))?;
        files.push(file(&format!("docs/api/{service}.json"), json));
    }
    for schema in event_schemas::all() {
        files.push(file(&schema.path, pretty(&schema.schema)?));
    }
    Ok(files)
}

fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

fn file(path: &str, content: String) -> GeneratedFile {
    GeneratedFile { path: path.to_owned(), content }
}

/// The files that differ from what lies under `root`.
pub async fn stale(root: &Path) -> anyhow::Result<Vec<GeneratedFile>> {
    let same =
        |file: &GeneratedFile| std::fs::read_to_string(root.join(&file.path)).is_ok_and(|text| text == file.content);
    Ok(all().await?.into_iter().filter(|file| !same(file)).collect())
}

/// Writes the files that differ and returns their paths. Writes none where an event's schema would break those who know it.
pub async fn write(root: &Path) -> anyhow::Result<Vec<String>> {
    let broken = event_schemas::broken(root)?;
    ensure!(broken.is_empty(), "an event changed without a new schema version:\n  {}", broken.join("\n  "));
    let stale = stale(root).await?;
    for file in &stale {
        let path = root.join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, &file.content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(stale.into_iter().map(|file| file.path).collect())
}
