//! The Kafka adapter of the `events` ports; the only crate that names rdkafka.
//!
//! Owns the wire format (CloudEvents 1.0 in binary mode), the producer's and the reader's settings, and the topics. Must
//! never know a table, a domain type or what a consumer does.
//!
//! A topic's full name is an installation's prefix followed by the logical name; everything outside this crate uses the
//! logical name.

mod client;
mod publisher;
mod source;
mod standstill;
mod topics;
mod wire;

pub use publisher::KafkaPublisher;
pub use source::KafkaSource;
pub use topics::{KafkaError, TopicShape, create_topics};
pub use wire::{HEADERS, WireHeader};
