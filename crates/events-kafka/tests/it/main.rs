//! The Kafka adapter against a real broker, and against librdkafka's own mock where a broker must misbehave.

#![expect(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

mod contract;
mod fairness;
mod journey;
mod misbehaviour;

use events::Envelope;
use kernel::{Clock, EventId, SystemClock, Version};
use uuid::Uuid;

/// Topics of a test, which ends long before a week does.
fn shape(partitions: i32) -> events_kafka::TopicShape {
    events_kafka::TopicShape { partitions, retention_days: 7 }
}

/// Events of one aggregate.
fn history(id: Uuid, versions: std::ops::RangeInclusive<u64>) -> Vec<Envelope> {
    versions
        .map(|version| Envelope {
            id: EventId::generate(),
            source: "/quoin/test".to_owned(),
            event_type: "WidgetChanged".to_owned(),
            schema_version: 1,
            tenant: "acme".parse().unwrap(),
            aggregate_type: "widget".to_owned(),
            aggregate_id: id,
            aggregate_version: Version::new(version),
            occurred_at: SystemClock.now(),
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            data: format!("{{\"version\":{version}}}").into_bytes().into(),
        })
        .collect()
}
