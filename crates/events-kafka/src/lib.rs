//! The Kafka adapter of the `events` ports; the only crate that names rdkafka.
//!
//! Owns the wire format (CloudEvents 1.0 in binary mode), the producer's and reader's settings, and the topics. Must
//! never know a table, a domain type or what a consumer does.

mod publisher;
mod source;
mod topics;

pub use publisher::KafkaPublisher;
pub use source::KafkaSource;
pub use topics::{KafkaError, create_topics};
