//! Schemas and samples against each other, and today's schemas against those that were published.

use std::collections::{BTreeMap, BTreeSet};

use cache_ports::keyspace::Coherence;
use events::PublishedEvent;
use jsonschema::Validator;
use quoin::{generate::event_schemas, services::Service};
use serde_json::{Value, json};

use crate::files::{self, ContractFile, root};

/// Everything that is published today.
fn published() -> Vec<(Service, PublishedEvent)> {
    let of = |service: Service| service.published_events().into_iter().map(move |event| (service, event));
    Service::ALL.into_iter().flat_map(of).collect()
}

fn validator(schema: &Value) -> Validator {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(schema).expect("a schema is a schema")
}

fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path())).collect()
}

/// The schema a sample is to be judged by.
fn schema_of<'a>(sample: &ContractFile, schemas: &'a [ContractFile]) -> &'a ContractFile {
    let found = schemas.iter().find(|schema| schema.is_about(sample.service, &sample.event_type, sample.version));
    found.unwrap_or_else(|| panic!("{} has no schema", sample.path))
}

#[test]
fn every_sample_fits_its_schema_and_nothing_more_would() {
    let (schemas, samples) = (files::schemas(), files::samples());
    for sample in &samples {
        let schema = schema_of(sample, &schemas).json();
        let (judge, payload) = (validator(&schema), sample.json());
        assert_eq!(errors(&judge, &payload), Vec::<String>::new(), "{}", sample.path);
        let mut more = payload.clone();
        more["addedInSilence"] = json!(1);
        assert!(!judge.is_valid(&more), "{}: writing is closed", sample.path);
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let mut less = payload.clone();
            less.as_object_mut().expect("a payload is an object").remove(name);
            assert!(!judge.is_valid(&less), "{}: {name} is required", sample.path);
        }
    }
    assert!(samples.len() >= published().len(), "{} samples", samples.len());
}

#[test]
fn every_event_has_a_name_of_its_own_a_schema_and_a_sample_for_each_version() {
    let (schemas, samples, published) = (files::schemas(), files::samples(), published());
    let names: BTreeSet<&str> = published.iter().map(|(_, event)| event.name).collect();
    assert_eq!(names.len(), published.len(), "an event's name is used once");
    for (service, event) in &published {
        for version in 1..=event.schema_version {
            let among = |files: &[ContractFile]| files.iter().any(|it| it.is_about(*service, event.name, version));
            assert!(among(&schemas), "{} v{version} has no schema", event.name);
            assert!(among(&samples), "{} v{version} has no sample", event.name);
        }
    }
    for file in schemas.iter().chain(&samples) {
        let known = published.iter().any(|(service, event)| {
            (*service, event.name) == (file.service, file.event_type.as_str()) && file.version <= event.schema_version
        });
        assert!(known, "{} is about nothing that was ever published", file.path);
    }
}

/// Fields that are always written although they may be missing: their types are those of answers, which hide them from readers
/// who may not see discounts, or hold values from before they were known.
const ALWAYS_WRITTEN: [&str; 3] = [".totals.list", ".totals.discountPercent", ".items[].name"];

/// By path: whether a place of the schema was shown, and whether it was left out or has to be there.
type Seen = BTreeMap<String, (bool, bool)>;

fn look(schema: &Value, root: &Value, value: Option<&Value>, path: &str, seen: &mut Seen) {
    let target = schema["$ref"].as_str().and_then(|at| root.pointer(at.trim_start_matches('#')));
    let schema = target.unwrap_or(schema);
    if let Some(items) = schema.get("items") {
        let shown = value.and_then(Value::as_array).into_iter().flatten().map(Some);
        shown.chain([None]).for_each(|item| look(items, root, item, &format!("{path}[]"), seen));
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{path}.{name}");
        let here = value.and_then(|value| value.get(name));
        let required = schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
        let (shown, left_out) = seen.entry(at.clone()).or_insert((false, required));
        *shown |= here.is_some();
        *left_out |= value.is_some() && here.is_none();
        look(member, root, here, &at, seen);
    }
}

#[test]
fn the_samples_of_an_event_show_each_field_and_leave_out_each_that_may_be_missing() {
    let samples = files::samples();
    let mut wrong = Vec::new();
    for (service, event) in published() {
        let mut seen = Seen::new();
        for sample in samples.iter().filter(|it| it.is_about(service, event.name, event.schema_version)) {
            look(&event.schema, &event.schema, Some(&sample.json()), "", &mut seen);
        }
        for (at, (shown, left_out)) in &seen {
            if !shown {
                wrong.push(format!("{}{at} is never shown", event.name));
            } else if !left_out && !ALWAYS_WRITTEN.contains(&at.as_str()) {
                wrong.push(format!("{}{at} is never left out", event.name));
            }
        }
    }
    assert!(wrong.is_empty(), "write a sample more\n  {}", wrong.join("\n  "));
}

#[test]
fn what_was_published_still_holds_for_those_who_know_it() {
    let broken = event_schemas::broken(&root()).expect("the schemas can be read");
    assert!(
        broken.is_empty(),
        "an event changed for those who know it: raise its schema version and keep reading the old one\n  {}",
        broken.join("\n  ")
    );
    let files: BTreeSet<String> = files::schemas().into_iter().map(|file| file.path).collect();
    for schema in event_schemas::all() {
        assert!(files.contains(&schema.path), "{} is missing: run `make generate`", schema.path);
    }
}

#[test]
fn every_reference_of_the_asyncapi_document_leads_somewhere() {
    let folder = root().join("docs/api");
    let text = std::fs::read_to_string(folder.join("events.asyncapi.json")).expect("the document is there");
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    let (mut waiting, mut followed) = (vec![&document], 0);
    while let Some(value) = waiting.pop() {
        if let Some(target) = value["$ref"].as_str() {
            let leads = match target.strip_prefix('#') {
                Some(pointer) => document.pointer(pointer).is_some(),
                None => folder.join(target).is_file(),
            };
            assert!(leads, "{target}");
            followed += 1;
        }
        match value {
            Value::Object(members) => waiting.extend(members.values()),
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    // Each message refers to its headers and its payload, and is referred to by its channel and its sender.
    assert!(followed >= 4 * published().len(), "{followed} references");
}

#[test]
fn whatever_a_keyspace_waits_for_is_published() {
    let names: BTreeSet<&str> = published().iter().map(|(_, event)| event.name).collect();
    let mut waited_for = 0;
    for keyspace in cache_ports::registry::all() {
        let (Coherence::EventInvalidated(events) | Coherence::Hybrid(events)) = &keyspace.coherence else { continue };
        for event in *events {
            assert!(names.contains(event.event_type), "{} waits for {}", keyspace.name, event.event_type);
            waited_for += 1;
        }
    }
    assert!(waited_for > 0);
}
