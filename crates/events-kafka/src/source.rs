//! Reads events from Kafka, from positions its consumer keeps in PostgreSQL.
//!
//! Partitions are assigned by hand, each from an explicit offset, and shared among processes by the consumer's leases: no
//! group membership, no rebalance, and nothing that depends on offsets committed to Kafka. Those are still stored, so that
//! Kafka's own tools show a lag.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use events::{Delivery, Extent, Partition, Source, SourceError};
use futures::FutureExt;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer, StreamConsumer},
    error::{KafkaError as ClientError, RDKafkaErrorCode},
    message::BorrowedMessage,
    metadata::{MetadataPartition, MetadataTopic},
};
use tokio::time::Instant;

use crate::{
    KafkaError, client,
    client::Quiet,
    standstill::{Key, Standstill},
    wire,
};

/// For so long a partition may give nothing although its log goes on; then the client is replaced.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest wait for an answer about topics and offsets.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Reads partitions of one installation's topics.
pub struct KafkaSource {
    config: ClientConfig,
    consumer: Arc<StreamConsumer<Quiet>>,
    prefix: String,
    /// The next offset expected of each assigned partition.
    expected: HashMap<Key, (Partition, i64)>,
    standstill: Standstill,
}

impl KafkaSource {
    /// A source at `brokers` (`host:port,…`), its topics' names beginning with `prefix`; `consumer` names the offsets
    /// shown by Kafka's own tools. Connects lazily.
    pub fn new(brokers: &str, prefix: &str, consumer: &str) -> Result<Self, KafkaError> {
        let mut config = client::config(brokers);
        config
            .set("group.id", format!("{prefix}{consumer}"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A position outside the log is an alarm, never a silent jump to its end or its beginning.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "100")
            // What is fetched of one partition comes before what is fetched of the next. With the default of a megabyte, which
            // is thousands of compressed events, others would wait for minutes where processes come and go: each time the
            // partitions are shared out anew, what was fetched is forgotten.
            .set("max.partition.fetch.bytes", "65536")
            // A consumer takes batches of some hundred records; more than a few megabytes ahead is memory wasted.
            .set("queued.max.messages.kbytes", "8192");
        let consumer = Arc::new(config.create_with_context(Quiet)?);
        let (prefix, standstill) = (prefix.to_owned(), Standstill::after(PATIENCE));
        Ok(Self { config, consumer, prefix, expected: HashMap::new(), standstill })
    }

    /// The same, replacing its client where a partition gives nothing for `patience` although its log goes on; a minute if this
    /// is never called.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { standstill: Standstill::after(patience), ..self }
    }

    fn full_name(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// Asks the broker something; librdkafka blocks meanwhile.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&StreamConsumer<Quiet>) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let consumer = Arc::clone(&self.consumer);
        let answer = tokio::task::spawn_blocking(move || question(&consumer)).await;
        answer.map_err(|error| SourceError(error.into()))?.map_err(failed)
    }

    /// A client that has lost a partition is replaced by one that goes on where it stood.
    async fn replace(&mut self) -> Result<(), SourceError> {
        tracing::warn!("a partition gives nothing although its log goes on: Kafka's client is replaced");
        metrics::counter!("quoin_kafka_consumer_replaced_total").increment(1);
        let replacement = Arc::new(self.config.create_with_context(Quiet).map_err(failed)?);
        let lost = std::mem::replace(&mut self.consumer, replacement);
        // It is closed in order, which may take a while: not on a worker of the runtime.
        std::thread::spawn(move || drop(lost));
        let expected = self.expected.values().cloned().collect::<Vec<_>>();
        self.assign(&expected).await
    }

    /// A record of an assigned partition that was not delivered before; anything else is left over from an earlier
    /// assignment.
    fn accept(&mut self, message: &BorrowedMessage<'_>) -> Option<Delivery> {
        let (partition, next) = self.expected.get_mut(&(message.topic().to_owned(), message.partition()))?;
        if message.offset() < *next {
            return None;
        }
        *next = message.offset() + 1;
        Some(Delivery { partition: partition.clone(), offset: message.offset(), record: wire::read(message) })
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn log_id(&mut self) -> Result<String, SourceError> {
        let id = self.ask(|consumer| Ok(consumer.client().fetch_cluster_id(ANSWER_WITHIN))).await?;
        id.ok_or_else(|| SourceError("the brokers do not answer".into()))
    }

    async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, SourceError> {
        let name = self.full_name(topic);
        let topic: Arc<str> = topic.into();
        self.ask(move |consumer| {
            let metadata = consumer.fetch_metadata(Some(&name), ANSWER_WITHIN)?;
            let described = metadata.topics().first();
            if let Some(error) = described.and_then(MetadataTopic::error) {
                return Err(ClientError::MetadataFetch(error.into()));
            }
            let mut numbers: Vec<i32> = described
                .map(|topic| topic.partitions().iter().map(MetadataPartition::id).collect())
                .unwrap_or_default();
            if numbers.is_empty() {
                return Err(ClientError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
            }
            numbers.sort_unstable();
            Ok(numbers.into_iter().map(|number| Partition { topic: Arc::clone(&topic), number }).collect())
        })
        .await
    }

    async fn extents(&mut self, partitions: &[Partition]) -> Result<Vec<Extent>, SourceError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let key = |partition: &Partition| (self.full_name(&partition.topic), partition.number);
        let keys: Vec<Key> = partitions.iter().map(key).collect();
        let asked = keys.clone();
        let both = self.ask(move |consumer| {
            Ok((edges(consumer, &asked, Offset::Beginning)?, edges(consumer, &asked, Offset::End)?))
        });
        let (first, next) = both.await?;
        for (key, next) in keys.into_iter().zip(&next) {
            self.standstill.reaches(key, *next);
        }
        Ok(first.into_iter().zip(next).map(|(first, next)| Extent { first, next }).collect())
    }

    async fn offset_at(&mut self, partition: &Partition, at: DateTime<Utc>) -> Result<i64, SourceError> {
        let (name, number) = (self.full_name(&partition.topic), partition.number);
        let found = self.ask(move |consumer| {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset(&name, number, Offset::Offset(at.timestamp_millis().max(0)))?;
            let found = consumer.offsets_for_times(asked, ANSWER_WITHIN)?;
            Ok(found.find_partition(&name, number).map(|partition| partition.offset()))
        });
        match found.await? {
            Some(Offset::Offset(offset)) => Ok(offset),
            // Nothing is as young as that.
            _ => Ok(self.extent(partition).await?.next),
        }
    }

    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.expected.clear();
        self.standstill.forget();
        let mut list = TopicPartitionList::with_capacity(from.len());
        for (partition, offset) in from {
            let name = self.full_name(&partition.topic);
            list.add_partition_offset(&name, partition.number, Offset::Offset(*offset)).map_err(failed)?;
            self.expected.insert((name, partition.number), (partition.clone(), *offset));
        }
        if from.is_empty() { self.consumer.unassign() } else { self.consumer.assign(&list) }.map_err(failed)
    }

    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError> {
        let deadline = Instant::now() + wait;
        let consumer = Arc::clone(&self.consumer);
        let mut batch = Vec::new();
        while batch.len() < max {
            // Waits for the first record only; then takes what is there.
            let received = if batch.is_empty() {
                tokio::time::timeout_at(deadline, consumer.recv()).await.ok()
            } else {
                consumer.recv().now_or_never()
            };
            match received {
                None => break,
                Some(Ok(message)) => batch.extend(self.accept(&message)),
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(failed(error)),
            }
        }
        // Only who has nothing left of what was fetched can stand still: what waits in the client's queue will come.
        let positions = self.expected.iter().map(|(key, (_, next))| (key, *next));
        if batch.is_empty() && self.standstill.found(positions, Instant::now()) {
            self.replace().await?;
        }
        Ok(batch)
    }

    async fn store_offsets(&mut self, next: &[(Partition, i64)]) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::with_capacity(next.len());
        for (partition, offset) in next {
            let name = self.full_name(&partition.topic);
            list.add_partition_offset(&name, partition.number, Offset::Offset(*offset)).map_err(failed)?;
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets for Kafka's own tools were not stored");
        }
        Ok(())
    }
}

/// Where the logs of these partitions begin or end, by one question to each broker.
fn edges(consumer: &StreamConsumer<Quiet>, keys: &[Key], edge: Offset) -> Result<Vec<i64>, ClientError> {
    let mut asked = TopicPartitionList::with_capacity(keys.len());
    for (topic, number) in keys {
        asked.add_partition_offset(topic, *number, edge)?;
    }
    // In Kafka's protocol both edges are moments beyond all others, so they are asked for like any other moment.
    let found = consumer.offsets_for_times(asked, ANSWER_WITHIN)?;
    let offset = |(topic, number): &Key| {
        let unknown = ClientError::OffsetFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
        let partition = found.find_partition(topic, *number).ok_or(unknown.clone())?;
        partition.error()?;
        if let Offset::Offset(offset) = partition.offset() { Ok(offset) } else { Err(unknown) }
    };
    keys.iter().map(offset).collect()
}

fn failed(error: ClientError) -> SourceError {
    SourceError(Box::new(error))
}

/// Whether librdkafka goes on by itself: lost connections. Offsets outside the log and unknown topics are not of that kind.
fn is_passing(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, LeaderNotAvailable, NotLeaderForPartition, OperationTimedOut,
        RequestTimedOut, Resolve,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            AllBrokersDown
                | BrokerTransportFailure
                | LeaderNotAvailable
                | NotLeaderForPartition
                | OperationTimedOut
                | RequestTimedOut
                | Resolve
        )
    )
}
