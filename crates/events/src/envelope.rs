//! A published event as consumers see it, and the key that keeps an aggregate's events in one order.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::{EventId, TenantId, Version};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// One event with everything needed to route, order, trace and apply it. CloudEvents 1.0 in shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Identity of the fact; equal ids are the same fact delivered again.
    pub id: EventId,
    /// The service that published it: `/quoin/quote`.
    pub source: String,
    /// The past fact: `QuoteAccepted`.
    pub event_type: String,
    /// The version of the payload's schema.
    pub schema_version: u16,
    /// Whose fact it is.
    pub tenant: TenantId,
    /// The kind of aggregate: `quote`.
    pub aggregate_type: String,
    /// Which aggregate.
    pub aggregate_id: Uuid,
    /// The aggregate's version after the change.
    pub aggregate_version: Version,
    /// When it happened in the domain's time.
    pub occurred_at: DateTime<Utc>,
    /// Ties together everything one request of a client caused.
    pub correlation_id: Option<String>,
    /// The event this one reacts to.
    pub causation_id: Option<EventId>,
    /// W3C trace context of the transaction that wrote the event.
    pub traceparent: Option<String>,
    /// The payload, JSON in UTF-8. Left out of this struct's own JSON: it travels beside it, byte for byte.
    #[serde(skip)]
    pub data: Bytes,
}

/// The payload is not what the reader expects.
#[derive(Debug, thiserror::Error)]
#[error("the payload of {event_type} schema {schema_version} cannot be read")]
pub struct UnreadablePayload {
    /// The event's type.
    pub event_type: String,
    /// The schema version it claims.
    pub schema_version: u16,
    /// Why.
    pub source: serde_json::Error,
}

impl Envelope {
    /// The payload as `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, UnreadablePayload> {
        serde_json::from_slice(&self.data).map_err(|source| UnreadablePayload {
            event_type: self.event_type.clone(),
            schema_version: self.schema_version,
            source,
        })
    }

    /// The ordering key, `tenant:aggregateType:aggregateId`: events with equal keys are delivered in version order.
    pub fn key(&self) -> String {
        aggregate_key(&self.tenant, &self.aggregate_type, self.aggregate_id)
    }
}

/// The ordering key of an aggregate.
pub(crate) fn aggregate_key(tenant: &TenantId, aggregate_type: &str, aggregate_id: Uuid) -> String {
    format!("{tenant}:{aggregate_type}:{aggregate_id}")
}

/// FNV-1a, 64 bit: a hash that is the same in every process and release, unlike the standard library's.
/// Shards and in-process partitions are derived from it, so it must never change.
pub(crate) fn stable_hash(key: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    key.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stable_hash_is_fnv_1a() {
        // Test vectors of the FNV reference code (isthe.com/chongo/src/fnv/test_fnv.c).
        assert_eq!(stable_hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(stable_hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(stable_hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
