//! An event as it is sent: CloudEvents 1.0 in structured JSON, the payload byte for byte as it was published.

use chrono::{DateTime, SecondsFormat, Utc};
use events::Envelope;
use serde::Serialize;
use uuid::Uuid;

use super::secret::{Secret, signatures};

/// The media type of the body.
pub const CLOUD_EVENT: &str = "application/cloudevents+json";

/// One event with its place in the tenant's feed.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Its number: rises by one from event to event of the tenant.
    pub sequence: i64,
    /// The event.
    pub event: Envelope,
}

/// A body with the headers that say who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// `webhook-id`: the event's own id, the same at every repetition.
    pub id: String,
    /// `webhook-timestamp`: when this attempt was signed, in seconds of Unix time.
    pub timestamp: i64,
    /// `webhook-signature`: one signature for each secret in force.
    pub signatures: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The context attributes; names of extensions are lower case without separators, as CloudEvents asks. Those that Kafka
/// consumers see as well have the same names here.
#[derive(Serialize)]
struct Context<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    dataschema: String,
    /// Of equal length, so that it sorts as text, as the extension asks.
    sequence: String,
    tenant: &'a str,
    aggregatetype: &'a str,
    aggregateid: Uuid,
    aggregateversion: u64,
    schemaversion: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlationid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

/// The body of an event.
pub fn body(numbered: &Numbered) -> Result<Vec<u8>, serde_json::Error> {
    let event = &numbered.event;
    let context = Context {
        specversion: "1.0",
        id: event.id.to_string(),
        source: &event.source,
        event_type: &event.event_type,
        subject: format!("{}/{}", event.aggregate_type, event.aggregate_id),
        time: event.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        datacontenttype: "application/json",
        dataschema: format!("https://quoin.dev/schemas/{}/{}", event.event_type, event.schema_version),
        sequence: format!("{:020}", numbered.sequence),
        tenant: event.tenant.as_str(),
        aggregatetype: &event.aggregate_type,
        aggregateid: event.aggregate_id,
        aggregateversion: event.aggregate_version.get(),
        schemaversion: event.schema_version,
        correlationid: event.correlation_id.as_deref(),
        causationid: event.causation_id.map(|id| id.to_string()),
        traceparent: event.traceparent.as_deref(),
    };
    let mut body = serde_json::to_vec(&context)?;
    // The payload is JSON already; reading and writing it again could change numbers and the order of members.
    body.pop();
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(&event.data);
    body.push(b'}');
    Ok(body)
}

/// The letter of an event, signed at `now`.
pub fn letter(numbered: &Numbered, secrets: &[Secret], now: DateTime<Utc>) -> Result<Letter, serde_json::Error> {
    let (id, timestamp, body) = (numbered.event.id.to_string(), now.timestamp(), body(numbered)?);
    let signatures = signatures(secrets, &id, timestamp, &body);
    Ok(Letter { id, timestamp, signatures, body })
}

#[cfg(test)]
mod tests {
    use kernel::{EventId, Version};
    use serde_json::{Value, json};

    use super::*;

    fn numbered(data: &'static str) -> Numbered {
        let event = Envelope {
            id: EventId::from(Uuid::from_u128(7)),
            source: "/quoin/quote".to_owned(),
            event_type: "QuoteAccepted".to_owned(),
            schema_version: 1,
            tenant: "acme".parse().unwrap(),
            aggregate_type: "quote".to_owned(),
            aggregate_id: Uuid::from_u128(9),
            aggregate_version: Version::new(4),
            occurred_at: DateTime::UNIX_EPOCH,
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            data: data.into(),
        };
        Numbered { sequence: 12, event }
    }

    #[test]
    fn an_event_is_a_structured_cloud_event() {
        let body: Value = serde_json::from_slice(&body(&numbered(r#"{"total":"1.50"}"#)).unwrap()).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": "00000000-0000-0000-0000-000000000007", "source": "/quoin/quote",
            "type": "QuoteAccepted", "subject": "quote/00000000-0000-0000-0000-000000000009",
            "time": "1970-01-01T00:00:00Z", "datacontenttype": "application/json",
            "dataschema": "https://quoin.dev/schemas/QuoteAccepted/1", "sequence": "00000000000000000012",
            "tenant": "acme", "aggregatetype": "quote", "aggregateid": "00000000-0000-0000-0000-000000000009",
            "aggregateversion": 4, "schemaversion": 1, "data": { "total": "1.50" },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_payload_is_not_touched() {
        let odd = r#"{ "b":1.000, "a" : 1e2 }"#;
        let body = body(&numbered(odd)).unwrap();
        assert!(String::from_utf8(body).unwrap().ends_with(&format!(",\"data\":{odd}}}")));
    }
}
