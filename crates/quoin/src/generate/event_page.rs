//! `docs/events.md`: every event for those who read it.
//!
//! Owns its text. What an event is comes from its service's declaration, who reads it from the reactions.

use std::fmt::Write;

use events::PublishedEvent;

use super::{
    consumers::{ReadingService, in_words},
    event_fields::fields,
};
use crate::services::Service;

const HEAD: &str = "\
# Events

Generated from the declarations in the services' `events.rs` by `quoin generate`; do not edit.

Every event is a record on its service's Kafka topic: CloudEvents 1.0 in binary mode, the attributes as headers, the payload below
as the value. For machines there are [events.asyncapi.json](api/events.asyncapi.json) (topics, headers, messages) and a JSON Schema
(2020-12) for each event and schema version, with samples, under [api/events](api/events).

- **Key**: `{tenant}:{aggregate}:{id}`. Records of one aggregate are in one partition, in the order of their versions; each version has one
  event ([ADR 0003](adr/0003-one-event-a-version.md)). A record may come twice: its `ce_id` is the same then.
- **Writing is closed, reading is tolerant** ([ADR 0020](adr/0020-closed-writing-tolerant-reading.md)): a payload has exactly the fields of its
  schema, and a reader must ignore fields it does not know. Within a schema version a payload only grows by optional fields; whatever
  else changes is a new version of the schema.
- **Guard**: how a consumer should treat an event it may have seen before or out of order. *Whole state: if newer* means that the payload
  says how things stand, so an older one can be skipped; *every one, once* that each says something of its own.
- A field that may be missing is left out, never null. Money is `{ \"amount\": \"93.14\", \"currency\": \"EUR\" }`, decimals are texts, times are
  UTC in RFC 3339, a period is `{ \"unit\": \"month\", \"length\": 1 }`.

| event | what happened | read by |
|---|---|---|
";

/// The page.
pub(super) fn markdown(consumers: &[ReadingService]) -> String {
    let mut page = HEAD.to_owned();
    for service in Service::ALL {
        for event in service.published_events() {
            let readers = readers(consumers, service, event.name);
            let names: Vec<String> = readers.iter().map(|(name, _)| format!("`{name}`")).collect();
            let names = if names.is_empty() { "others".to_owned() } else { names.join(", ") };
            let _ = writeln!(
                page,
                "| [{name}](#{anchor}) | {} | {names} |",
                event.meaning,
                name = event.name,
                anchor = event.name.to_lowercase()
            );
        }
    }
    for service in Service::ALL {
        let _ = writeln!(page, "\n## Topic `{}`", service.topic());
        let events = service.published_events();
        for (at, event) in events.iter().enumerate() {
            let like = events.iter().take(at).find(|other| same_payload(other, event));
            section(&mut page, service, event, like, &readers(consumers, service, event.name));
        }
    }
    page
}

/// Who reads it, and how.
fn readers(consumers: &[ReadingService], service: Service, event_type: &str) -> Vec<(&'static str, &'static str)> {
    let reads = |it: &ReadingService| Some((it.reaction.consumer(), in_words(it.guard(service, event_type)?)));
    consumers.iter().filter_map(reads).collect()
}

fn same_payload(one: &PublishedEvent, other: &PublishedEvent) -> bool {
    ["properties", "required", "$defs"].iter().all(|part| one.schema[part] == other.schema[part])
}

fn section(
    page: &mut String,
    service: Service,
    event: &PublishedEvent,
    like: Option<&PublishedEvent>,
    readers: &[(&str, &str)],
) {
    let PublishedEvent { name, aggregate_type, schema_version, guard, meaning, schema } = event;
    let _ = writeln!(page, "\n### {name}\n\n{meaning}\n");
    let _ = writeln!(page, "- Key: `{{tenant}}:{aggregate_type}:{{id}}`; version: that of the {aggregate_type}");
    let _ = writeln!(page, "- Guard: {}", in_words(*guard));
    let folder = format!("api/events/{service}/{name}");
    let versions: Vec<String> =
        (1..=*schema_version).map(|version| format!("[{version}]({folder}.v{version}.schema.json)")).collect();
    let _ = writeln!(page, "- Schema versions: {}", versions.join(", "));
    for (consumer, how) in readers {
        let _ = writeln!(page, "- Read by `{consumer}`: {how}");
    }
    if let Some(other) = like {
        let _ = writeln!(page, "\nThe fields are those of [{}](#{}).", other.name, other.name.to_lowercase());
        return;
    }
    let _ = writeln!(page, "\n| field | holds | always there | meaning |\n|---|---|---|---|");
    for field in fields(schema) {
        let always = if field.always { "yes" } else { "" };
        let _ = writeln!(page, "| `{}` | {} | {always} | {} |", field.path, field.holds, field.meaning);
    }
}
