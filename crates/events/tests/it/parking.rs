//! The parking lot: poison holds its key and nothing else, gaps wait for what is missing, and a redrive ends as if
//! nothing had gone wrong.

use std::sync::{Arc, atomic::Ordering};

use anyhow::Result;
use events::{Envelope, Guard, InProcessBus, ParkedKey, ParkingLot, ParkingLotError, Publisher, Redriven};
use kernel::TenantId;
use uuid::Uuid;

use crate::{
    fixture::{Fixture, SCHEMA, TOPIC, envelope, fixture, tenant, until},
    marks::{Mark, Running, caught_up, effects},
};

fn lot(fixture: &Fixture) -> ParkingLot {
    ParkingLot::of(fixture.work.clone(), SCHEMA)
}

fn history(tenant: &TenantId, ids: &[Uuid], versions: std::ops::RangeInclusive<u64>) -> Vec<Envelope> {
    versions
        .flat_map(|version| ids.iter().map(move |id| (version, *id)))
        .map(|(v, id)| envelope(tenant, id, v))
        .collect()
}

async fn versions(fixture: &Fixture, mark: &Mark, id: Uuid) -> Result<Vec<u64>> {
    let effects = effects(fixture, mark).await?;
    Ok(effects.into_iter().filter(|(of, _)| *of == id).map(|(_, version)| version).collect())
}

async fn only_key(lot: &ParkingLot) -> Result<ParkedKey> {
    let mut keys = lot.keys().await?;
    assert_eq!(keys.len(), 1, "{keys:?}");
    Ok(keys.remove(0))
}

async fn poison_holds_its_key_alone(panics: bool) -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let twin = Mark::new("order.twin", Guard::Delta);
    let ids: Vec<Uuid> = (0..10).map(|_| Uuid::now_v7()).collect();
    let bad = ids[4];
    mark.poison.lock().unwrap().push((bad, 3));
    mark.panics.store(panics, Ordering::Relaxed);
    let consumers = [Running::start(&fixture, &bus, &mark), Running::start(&fixture, &bus, &twin)];
    bus.publish(TOPIC, &history(&acme, &ids, 1..=5)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    bus.publish(TOPIC, &history(&acme, &ids, 6..=8)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    for id in &ids {
        let expected = if *id == bad { 1..=2 } else { 1..=8 };
        assert_eq!(versions(&fixture, &mark, *id).await?, expected.collect::<Vec<_>>());
    }
    let key = only_key(&lot(&fixture)).await?;
    assert_eq!((key.reason.as_str(), key.events, key.event_key), ("poison", 6, format!("acme:widget:{bad}")));
    let error = key.error.unwrap_or_default();
    assert!(error.contains(if panics { "panicked: poisoned" } else { "division by zero" }), "{error}");
    assert!(!mark.settled().contains(&(bad, 3)), "what was not applied is not announced");

    // Redriven too early, it stays and counts.
    let key = format!("acme:widget:{bad}");
    let redriven = lot(&fixture).redrive(mark.clone(), &key).await?;
    assert_eq!(redriven, Redriven { released: 0, free: false });
    assert_eq!(lot(&fixture).events("order.widgets", &key).await?[0].attempts, 2);

    // Redriven after the repair, the state is that of a twin that never failed.
    mark.poison.lock().unwrap().clear();
    let redriven = lot(&fixture).redrive(mark.clone(), &key).await?;
    assert_eq!(redriven, Redriven { released: 6, free: true });
    caught_up(&fixture, &bus, &twin).await?;
    for id in &ids {
        assert_eq!(versions(&fixture, &mark, *id).await?, versions(&fixture, &twin, *id).await?);
    }
    assert!((3..=8).all(|version| mark.settled().contains(&(bad, version))));
    bus.publish(TOPIC, &history(&acme, &[bad], 9..=9)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(versions(&fixture, &mark, bad).await?, (1..=9).collect::<Vec<_>>(), "and the key flows again");
    for consumer in consumers {
        consumer.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn poison_parks_its_key_and_a_redrive_catches_up_in_order() -> Result<()> {
    poison_holds_its_key_alone(false).await
}

#[tokio::test]
async fn a_panic_is_poison() -> Result<()> {
    poison_holds_its_key_alone(true).await
}

#[tokio::test]
async fn a_gap_holds_the_key_until_the_missing_version_comes() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let (gappy, sound) = (Uuid::now_v7(), Uuid::now_v7());
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[1, 2, 5, 6].map(|version| envelope(&acme, gappy, version))).await?;
    bus.publish(TOPIC, &history(&acme, &[sound], 1..=3)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(versions(&fixture, &mark, gappy).await?, [1, 2]);
    assert_eq!(versions(&fixture, &mark, sound).await?, [1, 2, 3], "other keys flow");
    let key = only_key(&lot(&fixture)).await?;
    assert_eq!((key.reason.as_str(), key.wanted_version, key.events), ("gap", Some(3), 2));

    // The source publishes again, from before the gap; half of it first.
    bus.publish(TOPIC, &history(&acme, &[gappy], 2..=3)).await?;
    until("the gap has moved", async || Ok(only_key(&lot(&fixture)).await?.wanted_version == Some(4))).await?;
    assert_eq!(versions(&fixture, &mark, gappy).await?, [1, 2, 3]);
    bus.publish(TOPIC, &history(&acme, &[gappy], 4..=6)).await?;
    until("the key is free", async || Ok(lot(&fixture).keys().await?.is_empty())).await?;
    bus.publish(TOPIC, &history(&acme, &[gappy], 7..=7)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(versions(&fixture, &mark, gappy).await?, (1..=7).collect::<Vec<_>>());
    until("all were settled", async || Ok(mark.settled().iter().filter(|(id, _)| *id == gappy).count() >= 7)).await?;
    consumer.stop().await
}

#[tokio::test]
async fn a_key_that_stumbles_over_poison_behind_a_gap_waits_for_a_redrive() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let id = Uuid::now_v7();
    mark.poison.lock().unwrap().push((id, 4));
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[1, 3, 4, 5, 2].map(|version| envelope(&acme, id, version))).await?;
    caught_up(&fixture, &bus, &mark).await?;
    until("the gap turned into poison", async || Ok(only_key(&lot(&fixture)).await?.reason == "poison")).await?;
    assert_eq!(versions(&fixture, &mark, id).await?, [1, 2, 3]);
    mark.poison.lock().unwrap().clear();
    let redriven = lot(&fixture).redrive(mark.clone(), &format!("acme:widget:{id}")).await?;
    assert_eq!(redriven, Redriven { released: 2, free: true });
    assert_eq!(versions(&fixture, &mark, id).await?, [1, 2, 3, 4, 5]);
    consumer.stop().await
}

#[tokio::test]
async fn repetitions_of_parked_events_are_parked_once() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::EveryOnce);
    let id = Uuid::now_v7();
    mark.poison.lock().unwrap().push((id, 1));
    let consumer = Running::start(&fixture, &bus, &mark);
    let events = history(&acme, &[id], 1..=3);
    for _ in 0..3 {
        bus.publish(TOPIC, &events).await?;
    }
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(only_key(&lot(&fixture)).await?.events, 3);
    mark.poison.lock().unwrap().clear();
    lot(&fixture).redrive(mark.clone(), &format!("acme:widget:{id}")).await?;
    bus.publish(TOPIC, &events).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(versions(&fixture, &mark, id).await?, [1, 2, 3]);
    consumer.stop().await
}

/// Poison that nobody mends is discarded; the log says everything once more, and goes on.
async fn a_discarded_event_is_passed_over(guard: Guard) -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", guard);
    let id = Uuid::now_v7();
    mark.poison.lock().unwrap().push((id, 2));
    let consumer = Running::start(&fixture, &bus, &mark);
    let events = history(&acme, &[id], 1..=5);
    bus.publish(TOPIC, &events[..4]).await?;
    caught_up(&fixture, &bus, &mark).await?;
    let (lot, key) = (lot(&fixture), format!("acme:widget:{id}"));
    let parked: Vec<i64> = lot.events(mark.name, &key).await?.into_iter().map(|event| event.id).collect();
    let refused = lot.discard(&*mark, &key, parked[1]).await;
    assert!(matches!(refused, Err(ParkingLotError::NotFirst { first }) if first == parked[0]), "{refused:?}");
    lot.discard(&*mark, &key, parked[0]).await?;
    assert_eq!(lot.redrive(Arc::clone(&mark) as _, &key).await?, Redriven { released: 2, free: true });
    bus.publish(TOPIC, &events).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(lot.keys().await?, [], "what was discarded is not parked again");
    assert_eq!(versions(&fixture, &mark, id).await?, [1, 3, 4, 5]);
    let refused = lot.discard(&*mark, &key, parked[0]).await;
    assert!(matches!(refused, Err(ParkingLotError::NotParked)), "{refused:?}");
    consumer.stop().await
}

#[tokio::test]
async fn a_state_that_was_discarded_is_passed_over() -> Result<()> {
    a_discarded_event_is_passed_over(Guard::StateCarrying).await
}

#[tokio::test]
async fn a_change_that_was_discarded_is_passed_over() -> Result<()> {
    a_discarded_event_is_passed_over(Guard::Delta).await
}

#[tokio::test]
async fn a_fact_that_was_discarded_is_passed_over() -> Result<()> {
    a_discarded_event_is_passed_over(Guard::EveryOnce).await
}

#[tokio::test]
async fn a_gap_nobody_can_close_ends_with_the_event_behind_it() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let id = Uuid::now_v7();
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &history(&acme, &[id], 1..=1)).await?;
    bus.publish(TOPIC, &history(&acme, &[id], 3..=4)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    let (lot, key) = (lot(&fixture), format!("acme:widget:{id}"));
    let first = lot.events(mark.name, &key).await?.remove(0);
    lot.discard(&*mark, &key, first.id).await?;
    assert_eq!(lot.redrive(Arc::clone(&mark) as _, &key).await?, Redriven { released: 1, free: true });
    assert_eq!(versions(&fixture, &mark, id).await?, [1, 4]);
    consumer.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_beside_a_running_consumer_leaves_nothing_behind() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let consumer = Running::start(&fixture, &bus, &mark);
    // Keys that are applied before the parked one in every batch, so that there is time between looking and parking.
    let others: Vec<Uuid> = (0..60).map(|_| Uuid::now_v7()).collect();
    let mut last = 0;
    for _ in 0..8 {
        let id = Uuid::now_v7();
        mark.poison.lock().unwrap().push((id, 1));
        bus.publish(TOPIC, &history(&acme, &[id], 1..=3)).await?;
        caught_up(&fixture, &bus, &mark).await?;
        mark.poison.lock().unwrap().clear();
        for version in 4..=6 {
            last += 1;
            bus.publish(TOPIC, &history(&acme, &others, last..=last)).await?;
            bus.publish(TOPIC, &history(&acme, &[id], version..=version)).await?;
        }
        let (lot, key) = (lot(&fixture), format!("acme:widget:{id}"));
        assert!(lot.redrive(mark.clone(), &key).await?.free);
        caught_up(&fixture, &bus, &mark).await?;
        assert_eq!(lot.keys().await?, [], "nobody is parked behind nothing");
        assert_eq!(versions(&fixture, &mark, id).await?, (1..=6).collect::<Vec<_>>());
    }
    consumer.stop().await
}
