//! Topics are created explicitly, by `quoin migrate`, never by a stray write.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::RDKafkaErrorCode,
};

use crate::{client, client::Quiet};

/// What topics are made with; what exists stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicShape {
    /// Decides which keys share an order, and is frozen for a topic's life.
    pub partitions: i32,
    /// Days a record is kept, 0: without end. A projection is rebuilt from a topic's beginning, so that it must not be lost.
    pub retention_days: u32,
}

impl TopicShape {
    /// In Kafka's words.
    fn retention_ms(self) -> String {
        const MS_OF_A_DAY: u64 = 24 * 60 * 60 * 1_000;
        match self.retention_days {
            0 => "-1".to_owned(),
            days => (u64::from(days) * MS_OF_A_DAY).to_string(),
        }
    }
}

/// The replication factor the brokers are configured with.
const BROKER_DEFAULT: i32 = -1;

/// Longest wait for the first broker to answer at all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Longest wait for the brokers to make the topics.
const CREATED_WITHIN: Duration = Duration::from_secs(30);

/// Kafka could not be reached or refused.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// No broker answered.
    #[error("no broker answered at {brokers} within {} s", ANSWERED_WITHIN.as_secs())]
    Unreachable {
        /// `host:port,…` as configured.
        brokers: String,
        /// The client's reason.
        source: rdkafka::error::KafkaError,
    },
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

/// Creates `topics` (logical names) of this shape where they do not exist; answers how many it made.
pub async fn create_topics(
    brokers: &str,
    prefix: &str,
    topics: &[&str],
    shape: TopicShape,
) -> Result<usize, KafkaError> {
    let admin: Arc<AdminClient<Quiet>> = Arc::new(client::config(brokers).create_with_context(Quiet)?);
    answers(&admin, brokers).await?;
    let names: Vec<String> = topics.iter().map(|topic| format!("{prefix}{topic}")).collect();
    let retention_ms = shape.retention_ms();
    let wanted: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(name, shape.partitions, TopicReplication::Fixed(BROKER_DEFAULT))
                .set("cleanup.policy", "delete")
                .set("retention.ms", &retention_ms)
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

/// Asks who is there before asking for anything, so that a wrong address is called by its name and soon.
async fn answers(admin: &Arc<AdminClient<Quiet>>, brokers: &str) -> Result<(), KafkaError> {
    let asking = Arc::clone(admin);
    let asked = tokio::task::spawn_blocking(move || asking.inner().fetch_metadata(None, ANSWERED_WITHIN).map(drop));
    let unreachable = |source| KafkaError::Unreachable { brokers: brokers.to_owned(), source };
    match asked.await {
        Ok(answered) => answered.map_err(unreachable),
        // Only a runtime that is shutting down cancels it.
        Err(_) => Err(unreachable(rdkafka::error::KafkaError::Canceled)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_for_days_or_without_end() {
        let kept = |retention_days| TopicShape { partitions: 1, retention_days }.retention_ms();
        assert_eq!((kept(0).as_str(), kept(7).as_str()), ("-1", "604800000"));
    }
}
