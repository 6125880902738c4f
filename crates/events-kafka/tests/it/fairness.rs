//! Whoever has a backlog in every partition gets on in every partition.

use std::{collections::BTreeSet, iter::repeat_with, time::Duration};

use anyhow::Result;
use dev_stack::test::{kafka, unique_name};
use events::{Publisher, Source};
use events_kafka::{KafkaPublisher, KafkaSource, create_topics};
use uuid::Uuid;

use crate::history;

const TOPIC: &str = "quoin.order.v1";
const PARTITIONS: i32 = 6;
/// Events of a kilobyte: two megabytes in each partition.
const BACKLOG: u64 = 12_000;
/// A megabyte of a partition at a time, the client's own measure, would be a thousand records of each of the others first.
const SOON: usize = 3_000;
const WITHIN: Duration = Duration::from_secs(10);

/// A reader of a topic with a backlog in every partition.
async fn behind(name: &str) -> Result<KafkaSource> {
    let (brokers, prefix) = (kafka().await?, format!("{}.", unique_name(name)));
    create_topics(brokers, &prefix, &[TOPIC], crate::shape(PARTITIONS)).await?;
    let mut events = Vec::new();
    for _ in 0..BACKLOG {
        let noise: String = repeat_with(fastrand::alphanumeric).take(1_000).collect();
        let event = history(Uuid::now_v7(), 1..=1).remove(0);
        events.push(events::Envelope { data: format!("{{\"noise\":\"{noise}\"}}").into_bytes().into(), ..event });
    }
    let publisher = KafkaPublisher::new(brokers, &prefix)?;
    for batch in events.chunks(300) {
        publisher.publish(TOPIC, batch).await?;
    }
    Ok(KafkaSource::new(brokers, &prefix, name)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_partition_waits_behind_the_backlog_of_another() -> Result<()> {
    let mut source = behind("backlogs").await?;
    let partitions = source.partitions(TOPIC).await?;
    source.assign(&partitions.into_iter().map(|partition| (partition, 0)).collect::<Vec<_>>()).await?;
    let (mut read, mut heard) = (0, BTreeSet::new());
    while heard.len() < PARTITIONS.try_into()? {
        let batch = source.next_batch(100, WITHIN).await?;
        assert!(!batch.is_empty(), "nothing came after {read}, of {heard:?}");
        read += batch.len();
        heard.extend(batch.into_iter().map(|delivery| delivery.partition.number));
    }
    assert!(read <= SOON, "each partition had its turn only after {read} records of {BACKLOG}");
    Ok(())
}
