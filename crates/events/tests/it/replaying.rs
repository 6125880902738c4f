//! Publishing again: the right rows, in order, none that the relay still has to send.

use std::sync::Arc;

use anyhow::Result;
use events::{Guard, InProcessBus, OutboxStatus, Publisher, Replay};
use kernel::Version;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixture::{SCHEMA, TOPIC, begin, change, changes, envelope, fixture, now, relay, sequence, tenant, until},
    marks::{Mark, Running, effects},
    publishers::Recorder,
};

#[tokio::test]
async fn a_replay_repeats_what_matches_and_was_published_and_nothing_else() -> Result<()> {
    let (fixture, acme, rival) = (fixture().await?, tenant("acme"), tenant("rival"));
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    changes(&fixture, &acme, one, 5).await?;
    let noon = now();
    changes(&fixture, &rival, two, 3).await?;
    let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
    let relaying = tokio::spawn(relay(&fixture, recorder.clone()).run(stop.clone()));
    until("everything was published", async || Ok(recorder.len() == 8)).await?;
    stop.cancel();
    relaying.await?;
    // Committed, but not published yet: not to be overtaken by its successors.
    let mut tx = begin(&fixture.serve, &acme).await?;
    change(&mut tx, &acme, one).await?;
    tx.commit().await?;

    let status = OutboxStatus::of(&fixture.work, SCHEMA).await?;
    assert_eq!((status.unpublished, status.retained), (1, 9));
    assert!(status.oldest_unpublished_at > Some(noon) && status.oldest_retained_at < Some(noon), "{status:?}");
    let everything = Replay::default();
    let cases = [
        (everything.clone(), 8),
        (Replay { tenant: Some(rival.clone()), ..everything.clone() }, 3),
        (Replay { aggregate_id: Some(one), from_version: Some(Version::new(4)), ..everything.clone() }, 2),
        (Replay { aggregate_type: Some("widget".to_owned()), ..everything.clone() }, 8),
        (Replay { event_type: Some("GadgetChanged".to_owned()), ..everything.clone() }, 0),
        (Replay { since: Some(noon), ..everything.clone() }, 3),
        (Replay { before: Some(noon), ..everything }, 5),
    ];
    for (replay, expected) in cases {
        let again = Recorder::default();
        assert_eq!(replay.count(&fixture.work, SCHEMA).await?, expected, "{replay:?}");
        let mut heard = 0;
        let published = replay.publish(&fixture.work, SCHEMA, TOPIC, &again, |total| heard = total).await?;
        assert_eq!((published, heard, again.len() as u64), (expected, expected, expected), "{replay:?}");
        let originals = recorder.events();
        assert!(again.events().iter().all(|event| originals.contains(event)), "the very same events");
        let order: Vec<_> = sequence(&again.events());
        assert!(order.is_sorted_by_key(|(id, version)| (*id != one, *version)), "{order:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_replay_closes_a_gap() -> Result<()> {
    let (fixture, bus, acme, id) = (fixture().await?, InProcessBus::new(), tenant("acme"), Uuid::now_v7());
    let mark = Mark::new("order.widgets", Guard::Delta);
    changes(&fixture, &acme, id, 4).await?;
    let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
    let relaying = tokio::spawn(relay(&fixture, recorder.clone()).run(stop.clone()));
    until("everything was published", async || Ok(recorder.len() == 4)).await?;
    stop.cancel();
    relaying.await?;
    // A log that lost some: the consumer sees 1 and 5.
    bus.publish(TOPIC, &recorder.events()[..1]).await?;
    bus.publish(TOPIC, &[envelope(&acme, id, 5)]).await?;
    let consumer = Running::start(&fixture, &bus, &mark);
    until("the key waits", async || {
        let (waiting,): (i64,) = sqlx::query_as(r#"select count(*) from "order".parked_key where wanted_version = 2"#)
            .fetch_one(&fixture.admin)
            .await?;
        Ok(waiting == 1)
    })
    .await?;
    let replay = Replay { aggregate_id: Some(id), from_version: Some(Version::new(2)), ..Replay::default() };
    assert_eq!(replay.publish(&fixture.work, SCHEMA, TOPIC, &bus, |_| ()).await?, 3);
    until("the gap is closed", async || Ok(effects(&fixture, &mark).await?.len() == 5)).await?;
    assert_eq!(effects(&fixture, &mark).await?, (1..=5).map(|version| (id, version)).collect::<Vec<_>>());
    consumer.stop().await
}
