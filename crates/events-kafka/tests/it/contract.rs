//! Kafka keeps the contract of a log.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use async_trait::async_trait;
use dev_stack::test::unique_name;
use events::{Publisher, Source, contract_suite};
use events_kafka::{KafkaPublisher, KafkaSource, create_topics};

struct Kafka {
    brokers: &'static str,
    prefix: String,
}

#[async_trait]
impl contract_suite::Log for Kafka {
    async fn topic(&self) -> String {
        let topic = unique_name("topic");
        assert_eq!(create_topics(self.brokers, &self.prefix, &[&topic], crate::shape(4)).await.unwrap(), 1);
        topic
    }

    async fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(KafkaPublisher::new(self.brokers, &self.prefix).unwrap())
    }

    async fn source(&self) -> Box<dyn Source> {
        Box::new(KafkaSource::new(self.brokers, &self.prefix, "contract").unwrap())
    }
}

#[tokio::test]
async fn kafka_keeps_the_contract() -> Result<()> {
    let log = Kafka { brokers: dev_stack::test::kafka().await?, prefix: format!("{}.", unique_name("contract")) };
    contract_suite::run(&log).await.map_err(anyhow::Error::from_boxed)
}

#[tokio::test]
async fn topics_are_created_once_and_only_on_purpose() -> Result<()> {
    let (brokers, prefix) = (dev_stack::test::kafka().await?, format!("{}.", unique_name("topics")));
    assert_eq!(create_topics(brokers, &prefix, &["one", "two"], crate::shape(3)).await?, 2);
    assert_eq!(create_topics(brokers, &prefix, &["two", "three"], crate::shape(5)).await?, 1);
    let mut source = KafkaSource::new(brokers, &prefix, "topics")?;
    // A busy broker says that topics are made before it knows of them itself.
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while source.partitions("three").await.is_err() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(source.partitions("two").await?.len(), 3, "an existing topic stays as it is");
    assert_eq!(source.partitions("three").await?.len(), 5);
    assert!(source.partitions("misspelt").await.is_err());
    assert!(source.partitions("misspelt").await.is_err(), "asking for a topic does not make it");
    Ok(())
}
