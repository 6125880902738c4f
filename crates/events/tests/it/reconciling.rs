//! Reconciliation: nothing wrong is 0; whatever is lost, forged, altered or out of order is found and named.

use std::sync::Arc;

use anyhow::Result;
use events::{Divergence, Envelope, InProcessBus, Publisher, Reconciled, Reconciliation};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixture::{Fixture, SCHEMA, TOPIC, begin, change, changes, envelope, fixture, now, relay, tenant, until},
    publishers::Recorder,
};

fn reconciliation(fixture: &Fixture) -> Reconciliation {
    Reconciliation::of(fixture.work.clone(), SCHEMA, TOPIC)
}

async fn compared(fixture: &Fixture, bus: &InProcessBus) -> Result<Reconciled> {
    Ok(reconciliation(fixture).compare(bus.source(), None, |_| ()).await?)
}

fn counts(compared: &Reconciled) -> [u64; 5] {
    Divergence::ALL.map(|kind| compared.events(kind))
}

/// Everything the relay published, as the outbox has it.
async fn published(fixture: &Fixture, count: usize) -> Result<Vec<Envelope>> {
    let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
    let relaying = tokio::spawn(relay(fixture, recorder.clone()).run(stop.clone()));
    until("everything was published", async || Ok(recorder.len() == count)).await?;
    stop.cancel();
    relaying.await?;
    Ok(recorder.events())
}

#[tokio::test]
async fn a_sound_log_diverges_by_nothing_whatever_was_repeated_or_is_on_its_way() -> Result<()> {
    let (fixture, bus, acme, rival) = (fixture().await?, InProcessBus::new(), tenant("acme"), tenant("rival"));
    assert_eq!(compared(&fixture, &bus).await?.since, None, "an empty outbox");
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    changes(&fixture, &acme, one, 5).await?;
    changes(&fixture, &rival, two, 3).await?;
    let history = published(&fixture, 8).await?;
    bus.publish(TOPIC, &history).await?;
    bus.publish(TOPIC, &history[2..5]).await?;
    // Written, but not published yet; and published before the outbox says so.
    changes(&fixture, &acme, Uuid::now_v7(), 1).await?;
    let mut tx = begin(&fixture.serve, &acme).await?;
    let young = change(&mut tx, &acme, one).await?;
    tx.commit().await?;
    bus.publish(TOPIC, &[Envelope { id: young.id, ..envelope(&acme, one, 6) }]).await?;
    let compared = compared(&fixture, &bus).await?;
    assert_eq!((compared.outbox, compared.log, compared.total()), (8, 12, 0), "{:?}", compared.found);
    Ok(())
}

#[tokio::test]
async fn what_is_lost_forged_altered_or_out_of_order_is_found_and_named() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let ids: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        changes(&fixture, &acme, *id, 3).await?;
    }
    let history = published(&fixture, 12).await?;
    let of = |id: Uuid, version: u64| {
        history
            .iter()
            .find(|event| event.aggregate_id == id && event.aggregate_version.get() == version)
            .cloned()
            .unwrap()
    };
    let altered = Envelope { data: "{\"version\":7}".into(), ..of(ids[1], 2) };
    let ghost = Envelope { occurred_at: now(), ..envelope(&acme, Uuid::now_v7(), 1) };
    let log = [
        // 2 is lost.
        of(ids[0], 1),
        of(ids[0], 3),
        of(ids[1], 1),
        altered,
        of(ids[1], 3),
        // 2 and 3 changed places.
        of(ids[2], 1),
        of(ids[2], 3),
        of(ids[2], 2),
        of(ids[3], 1),
        of(ids[3], 2),
        of(ids[3], 3),
        ghost.clone(),
    ];
    bus.publish(TOPIC, &log).await?;
    let found = compared(&fixture, &bus).await?;
    assert_eq!((counts(&found), found.total()), ([1, 1, 1, 1, 0], 4), "{:?}", found.found);
    let named = |kind| found.found.iter().find(|found| found.kind == kind).unwrap().examples[0].clone();
    assert_eq!(named(Divergence::Missing), format!("acme:widget:{} version 2", ids[0]));
    assert!(named(Divergence::Unknown).starts_with(&ghost.key()), "{}", named(Divergence::Unknown));
    assert!(named(Divergence::Content).starts_with(&format!("acme:widget:{} version 2", ids[1])));
    assert_eq!(named(Divergence::Order), format!("acme:widget:{} version 2", ids[2]));

    // What is missing is published again with what follows it; what is wrong in a log stays there.
    assert_eq!(reconciliation(&fixture).repair(&found, &bus).await?, 2);
    let again = compared(&fixture, &bus).await?;
    assert_eq!(counts(&again), [0, 1, 1, 1, 0], "{:?}", again.found);
    Ok(())
}

#[tokio::test]
async fn a_lost_end_is_repaired_to_nothing() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    changes(&fixture, &acme, one, 4).await?;
    let noon = now();
    changes(&fixture, &acme, two, 2).await?;
    let history = published(&fixture, 6).await?;
    bus.publish(TOPIC, &history[..2]).await?;
    let late = reconciliation(&fixture).compare(bus.source(), Some(noon), |_| ()).await?;
    assert_eq!((late.outbox, counts(&late)), (2, [2, 0, 0, 0, 0]), "only what is younger");
    let found = compared(&fixture, &bus).await?;
    assert_eq!(counts(&found), [4, 0, 0, 0, 0]);
    assert_eq!(reconciliation(&fixture).repair(&found, &bus).await?, 4);
    assert_eq!(compared(&fixture, &bus).await?.total(), 0);
    Ok(())
}
