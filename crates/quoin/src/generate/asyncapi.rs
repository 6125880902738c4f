//! `docs/api/events.asyncapi.json`: topics, headers and messages for machines (AsyncAPI 3.0).
//! <https://www.asyncapi.com/docs/reference/specification/v3.0.0>
//!
//! Owns the document's shape. The headers are those of `events-kafka`, the payloads refer to the schemas' own files.

use events::PublishedEvent;
use events_kafka::{HEADERS, WireHeader};
use serde_json::{Map, Value, json};

use super::consumers::ReadingService;
use crate::services::Service;

/// JSON Schema in the dialect the payloads' schemas are written in.
const SCHEMA_FORMAT: &str = "application/schema+json;version=draft-2020-12";
/// Of the Kafka bindings that are used.
const BINDING_VERSION: &str = "0.5.0";

/// The document.
pub(super) fn document(consumers: &[ReadingService]) -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for service in Service::ALL {
        let events = service.published_events();
        let within: Map<String, Value> = events
            .iter()
            .map(|event| (event.name.to_owned(), reference(&["components", "messages", event.name])))
            .collect();
        channels.insert(
            service.name().to_owned(),
            json!({ "address": service.topic(), "description": format!("What {service} publishes."), "messages": within }),
        );
        operations
            .insert(format!("{service}.publish"), operation("send", service, events.iter().map(|event| event.name)));
        messages.extend(events.iter().map(|event| (event.name.to_owned(), message(service, event))));
        for consumer in consumers {
            let read: Vec<&str> =
                events.iter().map(|event| event.name).filter(|name| consumer.guard(service, name).is_some()).collect();
            if !read.is_empty() {
                let name = format!("{}.from-{service}", consumer.reaction.consumer());
                operations.insert(name, operation("receive", service, read.into_iter()));
            }
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "quoin", "version": "1",
            "description": "CloudEvents 1.0 on Kafka, binary mode. An installation may put a prefix before every topic.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": { "CloudEvent": headers() } },
    })
}

fn reference(path: &[&str]) -> Value {
    json!({ "$ref": format!("#/{}", path.join("/")) })
}

fn operation<'a>(action: &str, service: Service, names: impl Iterator<Item = &'a str>) -> Value {
    let channel = reference(&["channels", service.name()]);
    let messages: Vec<Value> = names.map(|name| reference(&["channels", service.name(), "messages", name])).collect();
    json!({ "action": action, "channel": channel, "messages": messages })
}

fn message(service: Service, event: &PublishedEvent) -> Value {
    let PublishedEvent { name, aggregate_type, schema_version, meaning, .. } = event;
    let key = format!("{{tenant}}:{aggregate_type}:{{id}}");
    json!({
        "name": name,
        "summary": meaning,
        "contentType": "application/json",
        "headers": reference(&["components", "schemas", "CloudEvent"]),
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": { "$ref": format!("events/{service}/{name}.v{schema_version}.schema.json") },
        },
        "bindings": { "kafka": {
            "key": { "type": "string", "description": key },
            "bindingVersion": BINDING_VERSION,
        } },
    })
}

fn headers() -> Value {
    let property =
        |header: &WireHeader| (header.name.to_owned(), json!({ "type": "string", "description": header.meaning }));
    let properties: Map<String, Value> = HEADERS.iter().map(property).collect();
    let required: Vec<&str> = HEADERS.iter().filter(|header| header.required).map(|header| header.name).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}
