//! An event as a Kafka record: CloudEvents 1.0, Kafka binding, binary mode. The context attributes are headers, the
//! payload is the value, byte for byte, and the key keeps an aggregate's events in one partition.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>
//!
//! Attributes that are ours alone are CloudEvents extensions (lower case, no separators): `tenant`, `aggregatetype`,
//! `aggregateid`, `aggregateversion`, `schemaversion`, `correlationid`, `causationid`. The trace context travels in the
//! header OpenTelemetry instrumentations look for, `traceparent`.

use std::str::FromStr;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use events::{Envelope, Record, data_schema};
use kernel::{EventId, Version};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";

/// A header of every record, or of some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireHeader {
    /// Its name.
    pub name: &'static str,
    /// Whether every record has it.
    pub required: bool,
    /// What it says.
    pub meaning: &'static str,
}

const fn always(name: &'static str, meaning: &'static str) -> WireHeader {
    WireHeader { name, required: true, meaning }
}

const fn sometimes(name: &'static str, meaning: &'static str) -> WireHeader {
    WireHeader { name, required: false, meaning }
}

/// The headers of a record, in the order they are written in.
pub const HEADERS: [WireHeader; 17] = [
    always("ce_specversion", "The version of CloudEvents: 1.0."),
    always("ce_id", "Identity of the fact, a UUID; records with equal ids are the same fact delivered again."),
    always("ce_source", "The service that published it: /quoin/quote."),
    always("ce_type", "The past fact: QuoteAccepted."),
    always("ce_subject", "The aggregate: quote/{id}."),
    always("ce_time", "When it happened in the domain's time, RFC 3339."),
    always("ce_dataschema", "The $id of the payload's schema."),
    always("ce_partitionkey", "The record's key: {tenant}:{aggregate}:{id}."),
    always("ce_tenant", "Whose fact it is."),
    always("ce_aggregatetype", "The kind of aggregate: quote."),
    always("ce_aggregateid", "Which aggregate, a UUID."),
    always("ce_aggregateversion", "The aggregate's version after the change, from 1, one event a version."),
    always("ce_schemaversion", "The version of the payload's schema, from 1."),
    always("content-type", "application/json."),
    sometimes("ce_correlationid", "Ties together everything one request of a client caused."),
    sometimes("ce_causationid", "The event this one reacts to, a UUID."),
    sometimes("traceparent", "W3C trace context of the transaction that wrote the event."),
];

/// The headers of an event.
pub(crate) fn headers(event: &Envelope) -> OwnedHeaders {
    let required = [
        ("ce_specversion", SPEC_VERSION.to_owned()),
        ("ce_id", event.id.to_string()),
        ("ce_source", event.source.clone()),
        ("ce_type", event.event_type.clone()),
        ("ce_subject", format!("{}/{}", event.aggregate_type, event.aggregate_id)),
        ("ce_time", event.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        ("ce_dataschema", data_schema(&event.event_type, event.schema_version)),
        ("ce_partitionkey", event.key()),
        ("ce_tenant", event.tenant.to_string()),
        ("ce_aggregatetype", event.aggregate_type.clone()),
        ("ce_aggregateid", event.aggregate_id.to_string()),
        ("ce_aggregateversion", event.aggregate_version.to_string()),
        ("ce_schemaversion", event.schema_version.to_string()),
        ("content-type", CONTENT_TYPE.to_owned()),
    ];
    let optional = [
        ("ce_correlationid", event.correlation_id.clone()),
        ("ce_causationid", event.causation_id.map(|id| id.to_string())),
        ("traceparent", event.traceparent.clone()),
    ];
    let present = optional.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let all = required.into_iter().chain(present);
    all.fold(OwnedHeaders::new_with_capacity(HEADERS.len()), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(&value) })
    })
}

/// A record as an event, or as the bytes it is with what is wrong with it.
pub(crate) fn read<M: Message>(message: &M) -> Record {
    let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    match envelope(message, value.clone()) {
        Ok(event) => Record::Event(event),
        Err(reason) => {
            let key = message.key().map(|key| String::from_utf8_lossy(key).into_owned());
            Record::Unreadable { key, value, reason }
        }
    }
}

fn envelope<M: Message>(message: &M, data: Bytes) -> Result<Envelope, String> {
    let present = |name: &str| text(message, name).ok_or_else(|| format!("the header {name} is missing"));
    let version = present("ce_specversion")?;
    if version != SPEC_VERSION {
        return Err(format!("ce_specversion is {version}, not {SPEC_VERSION}"));
    }
    let time = present("ce_time")?;
    let occurred_at: DateTime<Utc> =
        DateTime::parse_from_rfc3339(time).map_err(|_| format!("ce_time is no time: {time}"))?.to_utc();
    Ok(Envelope {
        id: parsed(message, "ce_id")?,
        source: present("ce_source")?.to_owned(),
        event_type: present("ce_type")?.to_owned(),
        schema_version: parsed(message, "ce_schemaversion")?,
        tenant: parsed(message, "ce_tenant")?,
        aggregate_type: present("ce_aggregatetype")?.to_owned(),
        aggregate_id: parsed(message, "ce_aggregateid")?,
        aggregate_version: Version::new(parsed(message, "ce_aggregateversion")?),
        occurred_at,
        correlation_id: text(message, "ce_correlationid").map(str::to_owned),
        causation_id: text(message, "ce_causationid")
            .map(|_| parsed::<EventId, M>(message, "ce_causationid"))
            .transpose()?,
        traceparent: text(message, "traceparent").map(str::to_owned),
        data,
    })
}

/// A header's value, if it is there and is text.
fn text<'a, M: Message>(message: &'a M, name: &str) -> Option<&'a str> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}

fn parsed<T: FromStr, M: Message>(message: &M, name: &str) -> Result<T, String> {
    let text = text(message, name).ok_or_else(|| format!("the header {name} is missing"))?;
    text.parse().map_err(|_| format!("the header {name} cannot be read: {text}"))
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use events::Envelope;
    use rdkafka::message::{OwnedMessage, Timestamp};
    use uuid::Uuid;

    use super::*;

    pub(super) fn event() -> Envelope {
        Envelope {
            id: EventId::generate(),
            source: "/quoin/quote".to_owned(),
            event_type: "QuoteAccepted".to_owned(),
            schema_version: 2,
            tenant: "acme".parse().unwrap(),
            aggregate_type: "quote".to_owned(),
            aggregate_id: Uuid::now_v7(),
            aggregate_version: Version::new(7),
            occurred_at: "2026-11-22T10:11:12.000013Z".parse().unwrap(),
            correlation_id: Some("ü".to_owned()),
            causation_id: Some(EventId::generate()),
            traceparent: None,
            data: Bytes::from_static(b"{\"z\":1,\"a\":2}"),
        }
    }

    pub(super) fn message(headers: OwnedHeaders, event: &Envelope) -> OwnedMessage {
        let (payload, key) = (event.data.to_vec(), event.key().into_bytes());
        OwnedMessage::new(Some(payload), Some(key), String::new(), Timestamp::NotAvailable, 0, 0, Some(headers))
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let event = event();
        match read(&message(headers(&event), &event)) {
            Record::Event(read) => assert_eq!(read, event),
            Record::Unreadable { reason, .. } => panic!("{reason}"),
        }
    }

    #[test]
    fn the_headers_are_those_that_are_told() {
        let names = |event: &Envelope| headers(event).iter().map(|header| header.key.to_owned()).collect::<Vec<_>>();
        let told = |which: &dyn Fn(&WireHeader) -> bool| {
            HEADERS.iter().filter(|header| which(header)).map(|header| header.name.to_owned()).collect::<Vec<_>>()
        };
        let full = Envelope { traceparent: Some("00-1-2-01".to_owned()), ..event() };
        assert_eq!(names(&full), told(&|_| true));
        let least = Envelope { correlation_id: None, causation_id: None, ..event() };
        assert_eq!(names(&least), told(&|header| header.required));
    }

    #[test]
    fn what_is_no_event_is_kept_as_it_is_with_the_reason() {
        let event = event();
        let all: Vec<(String, Vec<u8>)> = headers(&event)
            .iter()
            .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
            .collect();
        let ignorable = ["ce_subject", "ce_dataschema", "ce_partitionkey", "content-type", "ce_correlationid"];
        for (name, _) in all.iter().filter(|(name, _)| !ignorable.contains(&name.as_str())) {
            let broken = all.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                let value: &[u8] = if key == name { b"\xff" } else { value };
                headers.insert(Header { key, value: Some(value) })
            });
            let read = read(&message(broken, &event));
            if name == "ce_causationid" {
                assert!(matches!(read, Record::Event(event) if event.causation_id.is_none()));
                continue;
            }
            let Record::Unreadable { key, value, reason } = read else { panic!("{name} must be needed") };
            assert_eq!((key, value), (Some(event.key()), event.data.clone()));
            assert!(reason.contains(name), "{reason}");
        }
        assert!(matches!(read(&message(OwnedHeaders::new(), &event)), Record::Unreadable { .. }));
    }
}
