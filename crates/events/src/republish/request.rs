//! What is asked, and how it is written down.

use std::sync::Arc;

use bytes::Bytes;
use kernel::{Clock, EventId, SystemClock, TenantId, Version};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Envelope, envelope::aggregate_key};

/// The type of a request's record.
pub(super) const REPUBLISH_REQUESTED: &str = "RepublishRequested";

/// Where the service that publishes on `topic` is asked to publish again.
pub fn requests_topic(topic: &str) -> String {
    format!("{topic}.requests")
}

/// A version a key waits for, and the topic it should have come on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub topic: Arc<str>,
    pub tenant: TenantId,
    pub aggregate_type: String,
    pub aggregate_id: Uuid,
    pub version: Version,
}

impl Wanted {
    /// `version` of the aggregate `event` is of.
    pub fn before(event: &Envelope, topic: Arc<str>, version: Version) -> Self {
        Self {
            topic,
            tenant: event.tenant.clone(),
            aggregate_type: event.aggregate_type.clone(),
            aggregate_id: event.aggregate_id,
            version,
        }
    }

    /// The key that waits.
    pub fn key(&self) -> String {
        aggregate_key(&self.tenant, &self.aggregate_type, self.aggregate_id)
    }
}

/// The payload of a request. It says the key again, so that a record whose headers were changed gives itself away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    /// The aggregate's ordering key; its tenant is the record's.
    pub key: String,
    /// The first version that is missing.
    pub from_version: u64,
    /// Who misses it, for the log.
    pub consumer: String,
}

/// The record by which `consumer` of the service `schema` asks for `wanted`.
pub(crate) fn request(wanted: &Wanted, schema: &str, consumer: &str) -> Result<Envelope, serde_json::Error> {
    let payload = Request { key: wanted.key(), from_version: wanted.version.get(), consumer: consumer.to_owned() };
    Ok(Envelope {
        id: EventId::generate(),
        source: format!("/quoin/{schema}"),
        event_type: REPUBLISH_REQUESTED.to_owned(),
        schema_version: 1,
        tenant: wanted.tenant.clone(),
        aggregate_type: wanted.aggregate_type.clone(),
        aggregate_id: wanted.aggregate_id,
        aggregate_version: wanted.version,
        occurred_at: SystemClock.now(),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: Bytes::from(serde_json::to_vec(&payload)?),
    })
}
