//! Topics are created explicitly, by `quoin migrate`, never by a stray write.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::RDKafkaErrorCode,
};

use crate::{client, client::Quiet};

/// How long records are kept: as long as outbox rows, so that either can replay what the other holds.
const RETENTION_MS: &str = "604800000";

/// The replication factor the brokers are configured with.
const BROKER_DEFAULT: i32 = -1;

/// Longest wait for the brokers.
const CREATED_WITHIN: Duration = Duration::from_secs(30);

/// Kafka could not be reached or refused.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The client refused its configuration or the broker a request.
    #[error("Kafka refused")]
    Client(#[from] rdkafka::error::KafkaError),
    /// A topic could not be created.
    #[error("topic {topic} cannot be created")]
    Topic {
        /// The topic's full name.
        topic: String,
        /// The broker's reason.
        source: RDKafkaErrorCode,
    },
}

/// Creates `topics` (logical names) with `partitions` partitions each where they do not exist; answers how many it made.
/// An existing topic stays as it is: its partition count decides which keys share an order and is frozen for its life.
pub async fn create_topics(brokers: &str, prefix: &str, topics: &[&str], partitions: i32) -> Result<usize, KafkaError> {
    let admin: AdminClient<Quiet> = client::config(brokers).create_with_context(Quiet)?;
    let names: Vec<String> = topics.iter().map(|topic| format!("{prefix}{topic}")).collect();
    let wanted: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(name, partitions, TopicReplication::Fixed(BROKER_DEFAULT))
                .set("cleanup.policy", "delete")
                .set("retention.ms", RETENTION_MS)
        })
        .collect();
    let within = AdminOptions::new().operation_timeout(Some(CREATED_WITHIN)).request_timeout(Some(CREATED_WITHIN));
    let mut made = 0;
    for outcome in admin.create_topics(&wanted, &within).await? {
        match outcome {
            Ok(_) => made += 1,
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, source)) => return Err(KafkaError::Topic { topic, source }),
        }
    }
    Ok(made)
}
