//! A file for each version of each event's schema.
//!
//! Owns their paths, and the comparison with the files that were published before: a schema may only grow by optional fields
//! while its version stays.

use std::{fs, path::Path};

use anyhow::Context;
use events::incompatibilities;
use serde_json::Value;

use crate::services::Service;

/// Where they are, from the root of the repository; one folder a service.
pub const FOLDER: &str = "docs/api/events";
/// How their names end.
pub const ENDING: &str = ".schema.json";

/// A schema and its file.
pub struct EventSchema {
    /// Who publishes it.
    pub service: Service,
    /// The event's type.
    pub name: &'static str,
    /// Its version.
    pub version: u16,
    /// The file, from the root of the repository.
    pub path: String,
    /// Today's schema.
    pub schema: Value,
}

/// The schemas of everything that is published today.
pub fn all() -> Vec<EventSchema> {
    let of = |service: Service| {
        service.published_events().into_iter().map(move |event| EventSchema {
            service,
            name: event.name,
            version: event.schema_version,
            path: format!("{FOLDER}/{service}/{}.v{}{ENDING}", event.name, event.schema_version),
            schema: event.schema,
        })
    };
    Service::ALL.into_iter().flat_map(of).collect()
}

/// Every difference between today's schemas and the files under `root` that somebody who knows the file cannot live with: such
/// a change needs a new schema version.
pub fn broken(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    for EventSchema { name, version, path, schema, .. } in all() {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        let published: Value = serde_json::from_str(&text).with_context(|| format!("{path} is not JSON"))?;
        let found = incompatibilities(&published, &schema);
        broken.extend(found.iter().map(|difference| format!("{name} v{version} {difference}")));
    }
    Ok(broken)
}
