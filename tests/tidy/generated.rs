//! Generated files are fresh: what the generators would write is what lies there. And what they write is sound.

use std::path::Path;

use serde_json::Value;

use crate::tree::{files, report, root};

#[tokio::test]
async fn generated_files_are_what_the_generators_write() {
    let stale = quoin::generate::stale(&root()).await.expect("the generators run");
    let broken: Vec<String> = stale.into_iter().map(|file| file.path).collect();
    report("run `make generate`", &broken);
}

#[test]
fn every_reference_of_an_api_document_leads_somewhere() {
    let mut broken = Vec::new();
    for file in files("docs/api", &[".json"]) {
        let document: Value = serde_json::from_str(&file.text).expect("generated documents are JSON");
        let folder = root().join(&file.path);
        let folder = folder.parent().expect("a file lies in a folder");
        for target in references(&document) {
            if !leads_somewhere(target, &document, folder) {
                broken.push(format!("{}: {target}", file.path));
            }
        }
    }
    report("a reference to nothing", &broken);
}

#[test]
fn a_reference_to_nothing_is_noticed() {
    let document = serde_json::json!({ "a": [{ "$ref": "#/b/c" }], "b": { "c": {}, "d": { "$ref": "#/b/e" } } });
    let found = references(&document);
    assert_eq!(found.len(), 2);
    let lost: Vec<&str> = found.into_iter().filter(|target| !leads_somewhere(target, &document, &root())).collect();
    assert_eq!(lost, ["#/b/e"]);
    assert!(!leads_somewhere("no-such-file.json", &document, &root()));
}

fn references(document: &Value) -> Vec<&str> {
    let (mut waiting, mut found) = (vec![document], Vec::new());
    while let Some(value) = waiting.pop() {
        found.extend(value["$ref"].as_str());
        match value {
            Value::Object(members) => waiting.extend(members.values()),
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

fn leads_somewhere(target: &str, document: &Value, folder: &Path) -> bool {
    match target.strip_prefix('#') {
        Some(pointer) => document.pointer(pointer).is_some(),
        None => folder.join(target).is_file(),
    }
}
