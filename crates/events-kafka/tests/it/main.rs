//! The Kafka adapter against a real broker, and against librdkafka's own mock where a broker must misbehave.

#![expect(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

mod contract;
mod journey;
mod misbehaviour;

/// Topics of a test, which ends long before a week does.
fn shape(partitions: i32) -> events_kafka::TopicShape {
    events_kafka::TopicShape { partitions, retention_days: 7 }
}
