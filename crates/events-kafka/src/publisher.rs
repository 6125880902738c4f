//! Writes events to Kafka: idempotent, acknowledged by all in-sync replicas. What is not acknowledged in good time is begun
//! anew with a new producer, for as long as the caller repeats it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use events::{Envelope, PublishError, Publisher};
use fail_points::{Step, reached};
use futures::channel::oneshot::Canceled;
use rdkafka::{
    ClientConfig,
    error::{KafkaError as ClientError, RDKafkaErrorCode},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer, PurgeConfig},
};

use crate::{KafkaError, client, client::Quiet, wire};

/// Pause while the producer's queue is full.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);

/// For so long a partition may acknowledge nothing before the producer is replaced. A broker that is away costs a repetition a
/// minute; a producer that has lost a partition (librdkafka's issue 5430) would hold up its outbox until the process ends.
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes events to the topics of one installation.
///
/// After any failure, and when a call is dropped half-way, the producer is purged and replaced: librdkafka may have
/// written 1, 4, 5 when 2 and 3 failed, and nothing may be appended behind such a hole but a repetition from its start.
pub struct KafkaPublisher {
    config: ClientConfig,
    prefix: String,
    patience: Duration,
    producer: Mutex<Option<FutureProducer<Quiet>>>,
}

impl KafkaPublisher {
    /// A publisher to `brokers` (`host:port,…`), its topics' names beginning with `prefix`. Connects lazily: an absent
    /// broker delays the first batch, not the start.
    pub fn new(brokers: &str, prefix: &str) -> Result<Self, KafkaError> {
        let mut config = client::config(brokers);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("max.in.flight.requests.per.connection", "5")
            // Infinite: a batch is given up as a whole and begun anew, never a record of it by the producer, which would
            // leave a hole.
            .set("message.timeout.ms", "0")
            // A relay's batch is queued at once, so waiting longer for company gains nothing.
            .set("linger.ms", "1")
            .set("compression.type", "lz4")
            // As Java clients do it; librdkafka's own default differs, and a key must have one partition for everyone.
            .set("partitioner", "murmur2_random");
        let (prefix, producer) = (prefix.to_owned(), Mutex::new(None));
        let publisher = Self { config, prefix, patience: PATIENCE, producer };
        // Wrong settings must show at the start.
        drop(publisher.producer()?);
        Ok(publisher)
    }

    /// The same, giving up a batch after `patience` without an acknowledgement from one of its partitions; a minute if this is
    /// never called.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn slot(&self) -> MutexGuard<'_, Option<FutureProducer<Quiet>>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn producer(&self) -> Result<FutureProducer<Quiet>, ClientError> {
        let mut slot = self.slot();
        if let Some(producer) = &*slot {
            return Ok(producer.clone());
        }
        let producer: FutureProducer<Quiet> = self.config.create_with_context(Quiet)?;
        *slot = Some(producer.clone());
        Ok(producer)
    }
}

#[async_trait]
impl Publisher for KafkaPublisher {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        let topic = format!("{}{topic}", self.prefix);
        let producer = self.producer().map_err(refused)?;
        let mut attempt = Attempt { publisher: self, producer, acknowledged: false };
        let mut reports = Vec::with_capacity(batch.len());
        for event in batch {
            reports.push(enqueue(&attempt.producer, &topic, event).await?);
        }
        let half = reports.len() / 2;
        for (place, report) in reports.into_iter().enumerate() {
            if place == half {
                reached(Step::RelayHalfProduced);
            }
            // A partition acknowledges its records in their order: as long as it gets on, the next report is not far.
            match tokio::time::timeout(self.patience, report).await {
                Ok(Ok(Ok(_))) => {}
                Ok(Ok(Err((error, _)))) => return Err(refused(error)),
                Ok(Err(Canceled)) => return Err(PublishError("the producer was replaced".into())),
                Err(_) => return Err(PublishError(format!("no acknowledgement for {:?}", self.patience).into())),
            }
        }
        attempt.acknowledged = true;
        Ok(())
    }
}

/// Queues one event; waits while the queue is full.
async fn enqueue(
    producer: &FutureProducer<Quiet>,
    topic: &str,
    event: &Envelope,
) -> Result<DeliveryFuture, PublishError> {
    let key = event.key();
    let mut record = FutureRecord::to(topic).key(&key).payload(&*event.data).headers(wire::headers(event));
    loop {
        match producer.send_result(record) {
            Ok(report) => return Ok(report),
            Err((ClientError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                record = unsent;
                tokio::time::sleep(QUEUE_FULL_PAUSE).await;
            }
            Err((error, _)) => return Err(refused(error)),
        }
    }
}

fn refused(error: ClientError) -> PublishError {
    PublishError(Box::new(error))
}

/// One call of `publish`; unless it ends well, its producer is purged and thrown away.
struct Attempt<'a> {
    publisher: &'a KafkaPublisher,
    producer: FutureProducer<Quiet>,
    acknowledged: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.acknowledged {
            return;
        }
        self.producer.purge(PurgeConfig::default().queue().inflight());
        metrics::counter!("quoin_kafka_producer_replaced_total").increment(1);
        let thrown_away = (self.publisher.slot().take(), self.producer.clone());
        // The last clone flushes for up to half a second and joins a thread: not on a worker of the runtime.
        std::thread::spawn(move || drop(thrown_away));
    }
}
