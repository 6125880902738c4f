//! A domain event on its way into the outbox: what a command hands to [`crate::Outbox::append`].

use chrono::{DateTime, Utc};
use kernel::{EventId, TenantId, Version};
use serde::Serialize;
use uuid::Uuid;

/// A fact about one aggregate, not yet stored. One aggregate version has exactly one event.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Identity of the fact; stays the same however often it is delivered.
    pub id: EventId,
    /// Whose fact it is.
    pub tenant: TenantId,
    /// The kind of aggregate, camelCase: `quote`, `priceBook`.
    pub aggregate_type: &'static str,
    /// Which aggregate.
    pub aggregate_id: Uuid,
    /// The aggregate's version after the change; gap-free per aggregate.
    pub aggregate_version: Version,
    /// The past fact, PascalCase: `QuoteAccepted`.
    pub event_type: &'static str,
    /// The version of the payload's schema, from 1.
    pub schema_version: u16,
    /// When it happened in the domain's time.
    pub occurred_at: DateTime<Utc>,
    /// Ties together everything one request of a client caused.
    pub correlation_id: Option<String>,
    /// The event this one reacts to.
    pub causation_id: Option<EventId>,
    /// The payload, JSON in UTF-8, stored byte for byte (hashes over it stay valid).
    pub payload: Vec<u8>,
}

/// The payload cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("the payload of {event_type} cannot be written as JSON")]
pub struct UnwritablePayload {
    /// The event's type.
    pub event_type: &'static str,
    /// Why.
    pub source: serde_json::Error,
}

impl NewEvent {
    /// A new fact with schema version 1, a fresh id and no correlation.
    pub fn new<P: Serialize + ?Sized>(
        tenant: &TenantId,
        aggregate_type: &'static str,
        aggregate_id: impl Into<Uuid>,
        aggregate_version: Version,
        event_type: &'static str,
        payload: &P,
        occurred_at: DateTime<Utc>,
    ) -> Result<Self, UnwritablePayload> {
        Ok(Self {
            id: EventId::generate(),
            tenant: tenant.clone(),
            aggregate_type,
            aggregate_id: aggregate_id.into(),
            aggregate_version,
            event_type,
            schema_version: 1,
            occurred_at,
            correlation_id: None,
            causation_id: None,
            payload: serde_json::to_vec(payload).map_err(|source| UnwritablePayload { event_type, source })?,
        })
    }

    /// With the correlation id of the request that caused it.
    #[must_use]
    pub fn correlated(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }

    /// With the event it reacts to.
    #[must_use]
    pub const fn caused_by(mut self, event: EventId) -> Self {
        self.causation_id = Some(event);
        self
    }

    /// With a schema version other than 1.
    #[must_use]
    pub const fn with_schema_version(mut self, schema_version: u16) -> Self {
        self.schema_version = schema_version;
        self
    }
}
