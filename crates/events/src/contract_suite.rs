//! What every log behind [`Publisher`] and [`Source`] must do; run by the in-process bus here and by Kafka in
//! `events-kafka`. For tests only, behind the feature `contract-suite`. A violated clause panics with its sentence.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use kernel::{Clock, EventId, SystemClock, TenantId, Version};
use uuid::Uuid;

use crate::{Delivery, Envelope, MAX_PAYLOAD_BYTES, Partition, Publisher, Record, Source, SourceError};

/// How long the suite waits for records that were acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);

/// A log under test.
#[async_trait]
pub trait Log: Send + Sync {
    /// A new, empty topic.
    async fn topic(&self) -> String;
    /// A new publisher to the log.
    async fn publisher(&self) -> Arc<dyn Publisher>;
    /// A new source of the log.
    async fn source(&self) -> Box<dyn Source>;
}

/// Runs every clause.
pub async fn run(log: &dyn Log) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    an_event_arrives_as_it_was_published(log).await?;
    equal_keys_share_a_partition_and_keep_their_order(log).await?;
    reading_starts_where_it_is_told(log).await?;
    a_batch_is_bounded_and_nothing_is_skipped(log).await?;
    waiting_ends(log).await?;
    a_waiting_reader_is_woken(log).await?;
    stored_offsets_decide_nothing(log).await?;
    extents_follow_the_log(log).await?;
    Ok(())
}

type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn an_event_arrives_as_it_was_published(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    let plain = event(Uuid::now_v7(), 1);
    let full = Envelope {
        correlation_id: Some("request 7/ü".to_owned()),
        causation_id: Some(EventId::generate()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        schema_version: 3,
        data: br#"{"b": 1, "a":"\u00e9 as written"}"#.to_vec().into(),
        ..event(Uuid::now_v7(), 7)
    };
    let large = Envelope { data: vec![b'x'; MAX_PAYLOAD_BYTES].into(), ..event(Uuid::now_v7(), 1) };
    let events = vec![plain, full, large];
    publisher.publish(&topic, &events).await?;
    read_everything(&mut *source, &topic).await?;
    let mut arrived = take(&mut *source, events.len()).await?;
    for event in events {
        let place = arrived.iter().position(|delivery| read(delivery).id == event.id);
        let delivery = arrived.remove(place.expect("every published event arrives"));
        assert_eq!(read(&delivery), &event, "an event arrives as it was published, byte for byte");
    }
    Ok(())
}

async fn equal_keys_share_a_partition_and_keep_their_order(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    for version in (1..=10).step_by(2) {
        let batch: Vec<_> =
            (version..version + 2).flat_map(|version| ids.iter().map(move |id| event(*id, version))).collect();
        publisher.publish(&topic, &batch).await?;
    }
    read_everything(&mut *source, &topic).await?;
    let mut seen: HashMap<Uuid, (Partition, Vec<u64>)> = HashMap::new();
    for delivery in take(&mut *source, 200).await? {
        let event = read(&delivery);
        let (partition, versions) =
            seen.entry(event.aggregate_id).or_insert_with(|| (delivery.partition.clone(), Vec::new()));
        assert_eq!(*partition, delivery.partition, "equal keys share a partition");
        versions.push(event.aggregate_version.get());
    }
    for (_, versions) in seen.values() {
        assert_eq!(*versions, (1..=10).collect::<Vec<_>>(), "a key's events arrive in the order of publishing");
    }
    let partitions: std::collections::HashSet<_> = seen.values().map(|(partition, _)| partition).collect();
    assert!(partitions.len() > 1, "twenty keys spread over the partitions");
    Ok(())
}

async fn reading_starts_where_it_is_told(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    let id = Uuid::now_v7();
    publisher.publish(&topic, &(1..=5).map(|version| event(id, version)).collect::<Vec<_>>()).await?;
    read_everything(&mut *source, &topic).await?;
    let all = take(&mut *source, 5).await?;
    let third = all.get(2).expect("five events arrived");
    for _ in 0..2 {
        source.assign(&[(third.partition.clone(), third.offset)]).await?;
        let rest = take(&mut *source, 3).await?;
        let versions: Vec<u64> = rest.iter().map(|delivery| read(delivery).aggregate_version.get()).collect();
        assert_eq!(versions, [3, 4, 5], "reading starts at the assigned offset, as often as it is assigned");
        assert_eq!(rest.first().map(|delivery| delivery.offset), Some(third.offset));
    }
    source.assign(&[]).await?;
    assert!(source.next_batch(10, Duration::from_millis(200)).await?.is_empty(), "nothing assigned, nothing read");
    Ok(())
}

async fn a_batch_is_bounded_and_nothing_is_skipped(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    let batch: Vec<_> = (0..50).map(|_| event(Uuid::now_v7(), 1)).collect();
    publisher.publish(&topic, &batch).await?;
    read_everything(&mut *source, &topic).await?;
    let mut offsets: HashMap<Partition, Vec<i64>> = HashMap::new();
    let mut left = 50;
    while left > 0 {
        let read = source.next_batch(7, PATIENCE).await?;
        assert!((1..=7).contains(&read.len()), "a batch has at most as many records as asked for");
        left -= read.len();
        for delivery in read {
            offsets.entry(delivery.partition).or_default().push(delivery.offset);
        }
    }
    for offsets in offsets.values() {
        assert!(offsets.is_sorted_by(|one, other| one < other), "offsets ascend: {offsets:?}");
    }
    Ok(())
}

async fn waiting_ends(log: &dyn Log) -> Checked {
    let (topic, mut source) = (log.topic().await, log.source().await);
    read_everything(&mut *source, &topic).await?;
    let waited = tokio::time::timeout(PATIENCE, source.next_batch(10, Duration::from_millis(100))).await?;
    assert!(waited?.is_empty(), "an empty log answers with an empty batch, in time");
    Ok(())
}

async fn a_waiting_reader_is_woken(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    read_everything(&mut *source, &topic).await?;
    let waiting = tokio::spawn(async move { source.next_batch(10, PATIENCE).await });
    tokio::task::yield_now().await;
    publisher.publish(&topic, &[event(Uuid::now_v7(), 1)]).await?;
    assert_eq!(waiting.await??.len(), 1, "a record wakes a waiting reader");
    Ok(())
}

async fn stored_offsets_decide_nothing(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    let id = Uuid::now_v7();
    publisher.publish(&topic, &[event(id, 1), event(id, 2)]).await?;
    read_everything(&mut *source, &topic).await?;
    let last = take(&mut *source, 2).await?.pop().expect("two events arrived");
    source.store_offsets(&[(last.partition.clone(), last.offset + 1)]).await?;
    let mut other = log.source().await;
    read_everything(&mut *other, &topic).await?;
    assert_eq!(take(&mut *other, 2).await?.len(), 2, "a reader's own position decides, not what was stored");
    Ok(())
}

async fn extents_follow_the_log(log: &dyn Log) -> Checked {
    let (topic, publisher, mut source) = (log.topic().await, log.publisher().await, log.source().await);
    let partitions = source.partitions(&topic).await?;
    assert!(!partitions.is_empty(), "a topic has partitions");
    assert!(partitions.iter().map(|partition| partition.number).zip(0..).all(|(number, place)| number == place));
    let id = Uuid::now_v7();
    publisher.publish(&topic, &(1..=4).map(|version| event(id, version)).collect::<Vec<_>>()).await?;
    let extents = source.extents(&partitions).await?;
    assert!(extents.iter().all(|extent| extent.first <= extent.next));
    let held: i64 = extents.iter().map(|extent| extent.next - extent.first).sum();
    assert_eq!(held, 4, "the extents hold what was published");
    let mut one_by_one = Vec::new();
    for partition in &partitions {
        one_by_one.push(source.extent(partition).await?);
    }
    assert_eq!(one_by_one, extents, "each in the order it was asked for");
    assert_eq!(source.extents(&[]).await?, []);
    assert_eq!(source.log_id().await?, log.source().await.log_id().await?, "a log has one name");
    Ok(())
}

/// Assigns every partition from its beginning.
async fn read_everything(source: &mut dyn Source, topic: &str) -> Result<(), SourceError> {
    let partitions = source.partitions(topic).await?;
    source.assign(&partitions.into_iter().map(|partition| (partition, 0)).collect::<Vec<_>>()).await
}

/// The next `count` records, and no more than that.
async fn take(
    source: &mut dyn Source,
    count: usize,
) -> Result<Vec<Delivery>, Box<dyn std::error::Error + Send + Sync>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = source.next_batch(count - taken.len(), PATIENCE).await?;
        assert!(!batch.is_empty(), "acknowledged records arrive: {} of {count} did", taken.len());
        taken.extend(batch);
    }
    Ok(taken)
}

fn read(delivery: &Delivery) -> &Envelope {
    match &delivery.record {
        Record::Event(event) => event,
        Record::Unreadable { reason, .. } => panic!("a published event can be read: {reason}"),
    }
}

fn event(aggregate_id: Uuid, version: u64) -> Envelope {
    let tenant: TenantId = "acme".parse().expect("a tenant id");
    // Microseconds are what PostgreSQL keeps, so no event has more.
    let occurred_at: DateTime<Utc> = SystemClock.now().trunc_subsecs(6);
    Envelope {
        id: EventId::generate(),
        source: "/quoin/test".to_owned(),
        event_type: "WidgetChanged".to_owned(),
        schema_version: 1,
        tenant,
        aggregate_type: "widget".to_owned(),
        aggregate_id,
        aggregate_version: Version::new(version),
        occurred_at,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: format!("{{\"version\":{version}}}").into_bytes().into(),
    }
}
