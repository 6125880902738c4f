//! Targeted re-publish: a gap asks for what it lacks and closes by itself; nobody else makes a source publish anything.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use async_trait::async_trait;
use events::{
    Consumer, ConsumerConfig, Envelope, Guard, InProcessBus, PublishError, Publisher, Republish, RepublishNames,
    requests_topic,
};
use kernel::{EventId, Version};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixture::{Fixture, LEASE, SCHEMA, TOPIC, changes, fixture, relay, sequence, tenant, until},
    marks::{Mark, Running, effects},
    publishers::Recorder,
};

const REQUESTS: &str = "quoin.order.v1.requests";

/// Publishes on the bus, but fails the first requests.
struct Failing {
    bus: InProcessBus,
    failures: AtomicUsize,
}

#[async_trait]
impl Publisher for Failing {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(PublishError("the broker is away".into()));
        }
        self.bus.publish(topic, batch).await
    }
}

fn start(consumer: Consumer) -> Running {
    let config =
        ConsumerConfig { lease: LEASE, ask_again_after: Duration::from_millis(50), ..ConsumerConfig::default() };
    let stop = CancellationToken::new();
    Running { task: tokio::spawn(consumer.with_config(config).run(stop.clone())), stop }
}

/// The source's side, which answers requests.
fn answering(fixture: &Fixture, bus: &InProcessBus) -> Running {
    let names = RepublishNames { consumer: "order.requests", topics: &[REQUESTS] };
    let reaction = Republish::new(fixture.work.clone(), SCHEMA, TOPIC, names, Arc::new(bus.clone()));
    start(Consumer::new(fixture.work.clone(), SCHEMA, bus.source(), Arc::new(reaction)))
}

/// Everything the relay published so far, none of it on the bus.
async fn published(fixture: &Fixture, count: usize) -> Result<Vec<Envelope>> {
    let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
    let relaying = tokio::spawn(relay(fixture, recorder.clone()).run(stop.clone()));
    until("everything was published", async || Ok(recorder.len() == count)).await?;
    stop.cancel();
    relaying.await?;
    Ok(recorder.events())
}

async fn records(bus: &InProcessBus, topic: &str) -> Result<i64> {
    let mut source = bus.source();
    let mut records = 0;
    for partition in source.partitions(topic).await? {
        records += source.extent(&partition).await?.next;
    }
    Ok(records)
}

/// Waits until every request was read and what follows from it is done.
async fn answered(fixture: &Fixture, bus: &InProcessBus) -> Result<()> {
    let asked = records(bus, REQUESTS).await?;
    until("every request was looked at", async || {
        let sql = r#"select coalesce(sum(settled_offset), 0)::bigint from "order".consumer_position
                     where consumer = 'order.requests'"#;
        let (settled,): (i64,) = sqlx::query_as(sql).fetch_one(&fixture.admin).await?;
        Ok(settled == asked)
    })
    .await
}

/// A request as a consumer writes it.
fn request(event: &Envelope, from: u64) -> Envelope {
    Envelope {
        id: EventId::generate(),
        event_type: "RepublishRequested".to_owned(),
        aggregate_version: Version::new(from),
        data: json!({ "key": event.key(), "fromVersion": from, "consumer": "a.b" }).to_string().into(),
        ..event.clone()
    }
}

async fn a_gap_closes(failures: usize) -> Result<()> {
    let (fixture, bus, acme, id) = (fixture().await?, InProcessBus::new(), tenant("acme"), Uuid::now_v7());
    let mark = Mark::new("order.widgets", Guard::Delta);
    changes(&fixture, &acme, id, 6).await?;
    let history = published(&fixture, 6).await?;
    let publisher = Arc::new(Failing { bus: bus.clone(), failures: AtomicUsize::new(failures) });
    let consumer = Consumer::new(fixture.work.clone(), SCHEMA, bus.source(), mark.clone()).asking_through(publisher);
    let (consumer, source) = (start(consumer), answering(&fixture, &bus));
    // 2 and 4 never came.
    for event in [0, 2, 4, 5] {
        bus.publish(TOPIC, &history[event..=event]).await?;
    }
    until("the gaps have closed", async || Ok(effects(&fixture, &mark).await?.len() == 6)).await?;
    assert_eq!(effects(&fixture, &mark).await?, sequence(&history), "each once, in order");
    until("the key is free", async || {
        let (parked,): (i64,) =
            sqlx::query_as(r#"select count(*) from "order".parked_key"#).fetch_one(&fixture.admin).await?;
        Ok(parked == 0)
    })
    .await?;
    consumer.stop().await?;
    source.stop().await
}

#[tokio::test]
async fn a_gap_closes_by_itself() -> Result<()> {
    a_gap_closes(0).await
}

#[tokio::test]
async fn a_request_that_was_lost_is_repeated_while_the_gap_lasts() -> Result<()> {
    a_gap_closes(3).await
}

#[tokio::test]
async fn a_request_is_answered_with_that_aggregate_from_that_version_on_and_once() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    changes(&fixture, &acme, one, 4).await?;
    changes(&fixture, &acme, two, 3).await?;
    let history = published(&fixture, 7).await?;
    let source = answering(&fixture, &bus);
    let first = &history[0];
    assert_eq!(first.aggregate_id, one);
    bus.publish(REQUESTS, &[request(first, 3), request(first, 3), request(first, 4)]).await?;
    answered(&fixture, &bus).await?;
    assert_eq!(records(&bus, TOPIC).await?, 2, "3 and 4, once");
    let mut reader = bus.source();
    let partitions: Vec<_> = reader.partitions(TOPIC).await?.into_iter().map(|partition| (partition, 0)).collect();
    reader.assign(&partitions).await?;
    let again: Vec<Envelope> = reader
        .next_batch(10, Duration::from_secs(1))
        .await?
        .into_iter()
        .filter_map(|delivery| match delivery.record {
            events::Record::Event(event) => Some(event),
            events::Record::Unreadable { .. } => None,
        })
        .collect();
    assert_eq!(again, history[2..4], "the very same events");
    // From an earlier version on is another question.
    bus.publish(REQUESTS, &[request(first, 1)]).await?;
    answered(&fixture, &bus).await?;
    assert_eq!(records(&bus, TOPIC).await?, 6);
    source.stop().await
}

#[tokio::test]
async fn forged_late_and_unanswerable_requests_publish_nothing() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let (id, unpublished) = (Uuid::now_v7(), Uuid::now_v7());
    changes(&fixture, &acme, id, 4).await?;
    let history = published(&fixture, 4).await?;
    changes(&fixture, &acme, unpublished, 1).await?;
    sqlx::query(r#"delete from "order".outbox where aggregate_version <= 2 and aggregate_id = $1"#)
        .bind(id)
        .execute(&fixture.admin)
        .await?;
    let source = answering(&fixture, &bus);
    let honest = request(&history[0], 3);
    let nobody = Envelope { aggregate_id: Uuid::now_v7(), ..history[0].clone() };
    let waiting = Envelope { aggregate_id: unpublished, ..history[0].clone() };
    let forged = [
        Envelope { tenant: tenant("rival"), ..honest.clone() },
        Envelope { data: "no request".into(), ..honest.clone() },
        Envelope { aggregate_version: Version::new(1), ..honest.clone() },
        Envelope { event_type: "WidgetChanged".to_owned(), ..honest.clone() },
        Envelope { occurred_at: honest.occurred_at - chrono::TimeDelta::hours(3), ..honest.clone() },
        // Not kept any more: what is kept would be an answer to another question.
        request(&history[0], 2),
        request(&nobody, 1),
        request(&waiting, 1),
    ];
    let forged: Vec<Envelope> = forged.into_iter().map(|event| Envelope { id: EventId::generate(), ..event }).collect();
    bus.publish(REQUESTS, &forged).await?;
    answered(&fixture, &bus).await?;
    assert_eq!(records(&bus, TOPIC).await?, 0);
    let (parked,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".parked_key"#).fetch_one(&fixture.admin).await?;
    assert_eq!(parked, 0, "a forged request does not hold up an honest one of its key");
    bus.publish(REQUESTS, &[honest]).await?;
    answered(&fixture, &bus).await?;
    assert_eq!(records(&bus, TOPIC).await?, 2);
    source.stop().await
}

#[test]
fn requests_lie_beside_their_topic() {
    assert_eq!(requests_topic(TOPIC), REQUESTS);
}
