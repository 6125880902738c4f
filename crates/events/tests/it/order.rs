//! The order test: many writers, savepoints, rollbacks and a transaction that stays open, read three ways at once. The
//! relay loses nothing and inverts nothing; the two naive readers are negative controls and must fail, or the test proves
//! nothing. `bench order` is the same with a million events through a real Kafka.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use events::{
    Relay, RelayConfig,
    order_proof::{read_by_seq, read_by_xid},
};
use sqlx::Acquire;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixture::{
        Fixture, LEASE, SCHEMA, TOPIC, Verdict, begin, change, committed, fixture, judge, sequence, tenant, until,
    },
    publishers::Recorder,
};

const WRITERS: usize = 8;
const TRANSACTIONS_PER_WRITER: usize = 400;
const AGGREGATES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_relay_loses_nothing_and_keeps_the_order_where_naive_readers_fail() -> Result<()> {
    let fixture = Arc::new(fixture().await?);
    let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
    // Small batches, so that differences are paged while writers go on.
    let config = RelayConfig { batch: 5, lease: LEASE, ..RelayConfig::default() };
    let relaying = Relay::new(fixture.work.clone(), SCHEMA, TOPIC, recorder.clone(), Arc::new(Notify::new()), config);
    let relaying = tokio::spawn(relaying.run(stop.clone()));
    let by_seq = tokio::spawn(read_by_seq(fixture.admin.clone(), SCHEMA, stop.clone()));
    let by_xid = tokio::spawn(read_by_xid(fixture.admin.clone(), SCHEMA, stop.clone()));

    let aggregates: Arc<Vec<Uuid>> = Arc::new((0..AGGREGATES).map(|_| Uuid::now_v7()).collect());
    let late = tokio::spawn(write_late(fixture.clone(), aggregates.clone()));
    let writers = (0..WRITERS).map(|_| tokio::spawn(write(fixture.clone(), aggregates.clone())));
    for writer in futures::future::join_all(writers).await {
        writer??;
    }
    late.await??;

    let expected = committed(&fixture).await?;
    until("every committed event was published", async || Ok(recorder.len() >= expected.len())).await?;
    stop.cancel();
    relaying.await?;
    let relayed = judge(&sequence(&recorder.events()), &expected);
    assert_eq!(relayed, Verdict::default(), "of {} events", expected.len());

    let by_seq = judge(&by_seq.await??, &expected);
    assert!(by_seq.lost > 0, "the control `seq > last` must lose events: {by_seq:?}");
    let by_xid = judge(&by_xid.await??, &expected);
    assert!(by_xid.inversions > 0, "the control `(xid, seq)` must invert the order: {by_xid:?}");
    Ok(())
}

/// Half of the transactions take their id long before the aggregate's lock; one in six rolls back; some roll back to a
/// savepoint and try again.
async fn write(fixture: Arc<Fixture>, aggregates: Arc<Vec<Uuid>>) -> Result<()> {
    let tenant = tenant("acme");
    for _ in 0..TRANSACTIONS_PER_WRITER {
        let mut tx = begin(&fixture.serve, &tenant).await?;
        if fastrand::bool() {
            sqlx::query(r#"insert into "order".bystander (note) values ('early')"#).execute(&mut *tx).await?;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=12))).await;
        }
        let id = aggregates[fastrand::usize(..aggregates.len())];
        let mut savepoint = tx.begin().await?;
        change(&mut savepoint, &tenant, id).await?;
        if fastrand::u8(..8) == 0 {
            savepoint.rollback().await?;
            change(&mut tx, &tenant, id).await?;
        } else {
            savepoint.commit().await?;
        }
        if fastrand::u8(..6) == 0 { tx.rollback().await? } else { tx.commit().await? }
    }
    Ok(())
}

/// Takes its id and more sequence numbers than a batch has room for first of all, and commits last of all.
async fn write_late(fixture: Arc<Fixture>, aggregates: Arc<Vec<Uuid>>) -> Result<()> {
    let tenant = tenant("acme");
    let mut tx = begin(&fixture.serve, &tenant).await?;
    for _ in 0..10 {
        change(&mut tx, &tenant, Uuid::now_v7()).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    change(&mut tx, &tenant, aggregates[0]).await?;
    tx.commit().await?;
    Ok(())
}
