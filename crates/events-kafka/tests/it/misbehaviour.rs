//! Brokers that are away, and calls that are dropped while they are. On librdkafka's mock cluster, which speaks the real
//! protocol in this process and can be taken down at will.

use std::time::Duration;

use anyhow::Result;
use events::{Publisher, Record, Source};
use events_kafka::{KafkaPublisher, KafkaSource};
use metrics_exporter_prometheus::PrometheusBuilder;
use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use uuid::Uuid;

use crate::history;

const TOPIC: &str = "quoin.order.v1";

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
async fn what_is_never_acknowledged_is_given_up_and_goes_with_the_next_producer() -> Result<()> {
    let cluster = MockCluster::new(1)?;
    cluster.create_topic(TOPIC, 1, 1)?;
    let brokers = cluster.bootstrap_servers();
    let batch = history(Uuid::now_v7(), 1..=20);
    KafkaPublisher::new(&brokers, "")?.publish(TOPIC, &batch[..5]).await?;
    let publisher = KafkaPublisher::new(&brokers, "")?.with_patience(Duration::from_secs(2));
    // Taken and never answered.
    cluster.broker_round_trip_time(1, Duration::from_mins(5))?;
    let given_up = publisher.publish(TOPIC, &batch[5..]).await.unwrap_err();
    assert!(given_up.0.to_string().starts_with("no acknowledgement"), "{}", given_up.0);
    cluster.broker_round_trip_time(1, Duration::ZERO)?;
    // As a relay does: a busy machine may need more than one attempt.
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while let Err(error) = publisher.publish(TOPIC, &batch[5..]).await {
        assert!(tokio::time::Instant::now() < deadline, "{error:?}");
    }
    let written = versions(&brokers).await?;
    assert_eq!(
        written[written.len() - 15..],
        (6..=20).collect::<Vec<_>>(),
        "whole and in order, whatever was there before"
    );
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

/// Reads what was published while a broker says how far its log reaches and gives nothing of it.
async fn read_from_a_silent_broker() -> Result<()> {
    let cluster = MockCluster::new(1)?;
    cluster.create_topic(TOPIC, 2, 1)?;
    let brokers = cluster.bootstrap_servers();
    let mut source = KafkaSource::new(&brokers, "", "reader")?.with_patience(Duration::from_secs(1));
    let partitions = source.partitions(TOPIC).await?;
    source.assign(&partitions.iter().cloned().map(|partition| (partition, 0)).collect::<Vec<_>>()).await?;
    cluster.request_errors(RDKafkaApiKey::Fetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 1_000]);
    let id = Uuid::now_v7();
    KafkaPublisher::new(&brokers, "")?.publish(TOPIC, &history(id, 1..=5)).await?;
    for _ in 0..4 {
        source.extents(&partitions).await?;
        assert!(source.next_batch(10, Duration::from_secs(1)).await?.is_empty(), "it is silent");
    }
    cluster.clear_request_errors(RDKafkaApiKey::Fetch);
    let mut read = Vec::new();
    while read.len() < 5 {
        let batch = source.next_batch(10, Duration::from_secs(10)).await?;
        assert!(!batch.is_empty(), "only {read:?} were read");
        read.extend(batch.into_iter().map(|delivery| delivery.offset));
    }
    assert_eq!(read, (0..5).collect::<Vec<_>>(), "each once, in order");
    Ok(())
}

#[test]
fn a_reader_that_hears_nothing_of_a_log_that_goes_on_gets_another_client() -> Result<()> {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(read_from_a_silent_broker())
    })?;
    let shown = recorder.handle().render();
    assert!(shown.contains("quoin_kafka_consumer_replaced_total "), "{shown}");
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
