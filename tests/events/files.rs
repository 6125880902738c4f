//! The files of the contract, as they lie in the repository.
//!
//! A name is `<EventType>.v<version>.schema.json`, `<EventType>.v<version>.sample.json`, or, where a type has several samples,
//! `<EventType>.v<version>.<variant>.sample.json`, in the folder of its service.

use std::{fs, path::PathBuf};

use quoin::{
    generate::event_schemas::{ENDING as SCHEMA, FOLDER},
    services::Service,
};
use serde_json::Value;

/// How the names of samples end.
pub const SAMPLE: &str = ".sample.json";

/// One file.
#[derive(Debug, Clone)]
pub struct ContractFile {
    /// From the root of the repository.
    pub path: String,
    /// Whose event it is about.
    pub service: Service,
    /// The event's type.
    pub event_type: String,
    /// The version of its schema.
    pub version: u16,
    /// Its content, byte for byte.
    pub text: String,
}

impl ContractFile {
    /// Its content.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    /// Whether both are about one version of one event.
    pub fn is_about(&self, service: Service, event_type: &str, version: u16) -> bool {
        (self.service, self.event_type.as_str(), self.version) == (service, event_type, version)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// All samples, in order of path.
pub fn samples() -> Vec<ContractFile> {
    ending_in(SAMPLE)
}

/// All schemas, in order of path.
pub fn schemas() -> Vec<ContractFile> {
    ending_in(SCHEMA)
}

fn ending_in(ending: &str) -> Vec<ContractFile> {
    let mut found: Vec<ContractFile> =
        Service::ALL.into_iter().flat_map(|service| of_service(service, ending)).collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn of_service(service: Service, ending: &str) -> Vec<ContractFile> {
    let folder = format!("{FOLDER}/{service}");
    let entries = fs::read_dir(root().join(&folder)).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (event_type, rest) = name.strip_suffix(ending)?.split_once(".v").expect("a name says a version");
        let version = rest.split('.').next().and_then(|number| number.parse().ok()).expect("a version is a number");
        let text = fs::read_to_string(entry.path()).expect("it can be read");
        Some(ContractFile {
            path: format!("{folder}/{name}"),
            service,
            event_type: event_type.to_owned(),
            version,
            text,
        })
    };
    entries.filter_map(file).collect()
}
