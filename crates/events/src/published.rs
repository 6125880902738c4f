//! What a service says about an event it publishes, once, beside the payload: its name, its aggregate, the version of its
//! schema, how to consume it, and the payload's type, from which the schema follows.
//!
//! Owns tying these together, so that an event cannot be written with another payload than the one it was declared with.
//! Must never know which events there are: a service lists its own.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use kernel::{TenantId, Version};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Guard, NewEvent, UnwritablePayload, payload_schema::payload_schema};

/// A published event type whose payload is a `P`.
#[derive(Debug)]
pub struct EventType<P> {
    name: &'static str,
    aggregate_type: &'static str,
    schema_version: u16,
    guard: Guard,
    meaning: &'static str,
    payload: PhantomData<fn(&P)>,
}

/// A declaration with its payload's type turned into a schema.
#[derive(Debug, Clone)]
pub struct PublishedEvent {
    /// The past fact, PascalCase: `QuoteAccepted`.
    pub name: &'static str,
    /// The kind of aggregate, camelCase: `quote`.
    pub aggregate_type: &'static str,
    /// The version of the payload's schema, from 1.
    pub schema_version: u16,
    /// How a consumer that knows nothing better should treat it.
    pub guard: Guard,
    /// One line.
    pub meaning: &'static str,
    /// The payload's schema, complete in itself.
    pub schema: Value,
}

impl<P: Serialize + ToSchema> EventType<P> {
    /// A type in schema version 1. `guard` is what consumers are advised to use: the payload says the whole state, or each
    /// event counts.
    pub const fn new(name: &'static str, aggregate_type: &'static str, guard: Guard, meaning: &'static str) -> Self {
        Self { name, aggregate_type, schema_version: 1, guard, meaning, payload: PhantomData }
    }

    /// The same in a later schema version: its payload can no longer be read by those who know the one before.
    #[must_use]
    pub const fn in_schema_version(mut self, schema_version: u16) -> Self {
        self.schema_version = schema_version;
        self
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A new fact of this type.
    pub fn fact(
        &self,
        tenant: &TenantId,
        aggregate_id: impl Into<Uuid>,
        aggregate_version: Version,
        payload: &P,
        occurred_at: DateTime<Utc>,
    ) -> Result<NewEvent, UnwritablePayload> {
        let (aggregate, name) = (self.aggregate_type, self.name);
        let event = NewEvent::new(tenant, aggregate, aggregate_id, aggregate_version, name, payload, occurred_at)?;
        Ok(event.with_schema_version(self.schema_version))
    }

    /// What is told about it.
    pub fn published(&self) -> PublishedEvent {
        PublishedEvent {
            name: self.name,
            aggregate_type: self.aggregate_type,
            schema_version: self.schema_version,
            guard: self.guard,
            meaning: self.meaning,
            schema: payload_schema::<P>(self.name, self.schema_version),
        }
    }
}

/// Where a payload's schema is named: the `$id` of the schema and CloudEvents' `dataschema`.
pub fn data_schema(event_type: &str, schema_version: u16) -> String {
    format!("https://quoin.dev/schemas/{event_type}/{schema_version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, ToSchema)]
    struct Widget {
        size: u32,
    }

    #[test]
    fn a_fact_is_what_its_type_was_declared_as() {
        const CHANGED: EventType<Widget> =
            EventType::new("WidgetChanged", "widget", Guard::StateCarrying, "A widget changed.").in_schema_version(3);
        let (tenant, id) = ("acme".parse().unwrap(), Uuid::now_v7());
        let fact = CHANGED.fact(&tenant, id, Version::new(7), &Widget { size: 2 }, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!((fact.event_type, fact.aggregate_type, fact.schema_version), ("WidgetChanged", "widget", 3));
        assert_eq!((fact.aggregate_id, fact.aggregate_version.get()), (id, 7));
        assert_eq!(fact.payload, br#"{"size":2}"#);
        assert_eq!(CHANGED.published().schema["$id"], "https://quoin.dev/schemas/WidgetChanged/3");
    }
}
