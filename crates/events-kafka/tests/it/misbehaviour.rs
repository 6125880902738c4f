//! Brokers that are away, and calls that are dropped while they are. On librdkafka's mock cluster, which speaks the real
//! protocol in this process and can be taken down at will.

use std::time::Duration;

use anyhow::Result;
use events::{Envelope, Publisher, Record, Source};
use events_kafka::{KafkaPublisher, KafkaSource};
use kernel::{Clock, EventId, SystemClock, Version};
use rdkafka::mocking::MockCluster;
use uuid::Uuid;

const TOPIC: &str = "quoin.order.v1";

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

/// Every version in the log, in its order.
async fn versions(brokers: &str) -> Result<Vec<u64>> {
    let mut source = KafkaSource::new(brokers, "", "reader")?;
    let partitions = source.partitions(TOPIC).await?;
    source.assign(&partitions.into_iter().map(|partition| (partition, 0)).collect::<Vec<_>>()).await?;
    let mut versions = Vec::new();
    loop {
        let batch = source.next_batch(100, Duration::from_secs(2)).await?;
        if batch.is_empty() {
            return Ok(versions);
        }
        versions.extend(batch.iter().map(|delivery| match &delivery.record {
            Record::Event(event) => event.aggregate_version.get(),
            Record::Unreadable { reason, .. } => panic!("{reason}"),
        }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_waits_for_a_broker_that_is_away() -> Result<()> {
    let cluster = MockCluster::new(1)?;
    cluster.create_topic(TOPIC, 1, 1)?;
    let brokers = cluster.bootstrap_servers();
    let publisher = KafkaPublisher::new(&brokers, "")?;
    let batch = history(Uuid::now_v7(), 1..=20);
    publisher.publish(TOPIC, &batch[..5]).await?;
    cluster.broker_down(1)?;
    let rest = batch[5..].to_vec();
    let waiting = tokio::spawn(async move { publisher.publish(TOPIC, &rest).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished(), "nothing is given up");
    cluster.broker_up(1)?;
    waiting.await??;
    assert_eq!(versions(&brokers).await?, (1..=20).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_leaves_nothing_that_could_overtake_the_next() -> Result<()> {
    let cluster = MockCluster::new(1)?;
    cluster.create_topic(TOPIC, 1, 1)?;
    let brokers = cluster.bootstrap_servers();
    let publisher = KafkaPublisher::new(&brokers, "")?;
    let id = Uuid::now_v7();
    publisher.publish(TOPIC, &history(id, 1..=3)).await?;
    for _ in 0..3 {
        cluster.broker_down(1)?;
        let batch = history(id, 4..=8);
        let dropped = publisher.publish(TOPIC, &batch);
        assert!(tokio::time::timeout(Duration::from_millis(300), dropped).await.is_err());
        cluster.broker_up(1)?;
    }
    publisher.publish(TOPIC, &history(id, 4..=12)).await?;
    assert_eq!(versions(&brokers).await?, (1..=12).collect::<Vec<_>>(), "what was dropped does not come later");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_outlives_a_broker_restart() -> Result<()> {
    let cluster = MockCluster::new(1)?;
    cluster.create_topic(TOPIC, 1, 1)?;
    let brokers = cluster.bootstrap_servers();
    let publisher = KafkaPublisher::new(&brokers, "")?;
    let id = Uuid::now_v7();
    publisher.publish(TOPIC, &history(id, 1..=2)).await?;
    let mut source = KafkaSource::new(&brokers, "", "reader")?;
    let partitions = source.partitions(TOPIC).await?;
    source.assign(&partitions.into_iter().map(|partition| (partition, 0)).collect::<Vec<_>>()).await?;
    let mut read = source.next_batch(10, Duration::from_secs(10)).await?.len();
    cluster.broker_down(1)?;
    read += source.next_batch(10, Duration::from_millis(700)).await?.len();
    cluster.broker_up(1)?;
    publisher.publish(TOPIC, &history(id, 3..=4)).await?;
    while read < 4 {
        let batch = source.next_batch(10, Duration::from_secs(10)).await?;
        assert!(!batch.is_empty(), "only {read} of 4 were read");
        read += batch.len();
    }
    Ok(())
}

#[tokio::test]
async fn topics_on_brokers_that_are_away_are_refused_by_address() {
    // Bound and never listening: nobody can take the port meanwhile, and connecting is refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let brokers = socket.local_addr().unwrap().to_string();
    let refused = events_kafka::create_topics(&brokers, "", &[TOPIC], crate::shape(1)).await.unwrap_err();
    assert!(refused.to_string().contains(&brokers), "{refused}");
}
