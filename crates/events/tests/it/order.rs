//! The order test: many writers, savepoints, rollbacks and a transaction that stays open, read three ways at once. The
//! relay loses nothing and inverts nothing; the two naive readers, kept here as negative controls, must fail, or the test
//! proves nothing.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use events::{Relay, RelayConfig};
use sqlx::{Acquire, PgPool};
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
    let by_seq = tokio::spawn(read_by_seq(fixture.admin.clone(), stop.clone()));
    let by_xid = tokio::spawn(read_by_xid(fixture.admin.clone(), stop.clone()));

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

/// Negative control: remembers the highest sequence number. Loses what commits late.
async fn read_by_seq(pool: PgPool, stop: CancellationToken) -> Result<Vec<(Uuid, u64)>> {
    let (mut seen, mut last) = (Vec::new(), 0);
    loop {
        let stopping = stop.is_cancelled();
        let rows: Vec<(i64, Uuid, i64)> = sqlx::query_as(
            r#"select seq, aggregate_id, aggregate_version from "order".outbox where seq > $1 order by seq"#,
        )
        .bind(last)
        .fetch_all(&pool)
        .await?;
        for (seq, id, version) in rows {
            last = seq;
            seen.push((id, u64::try_from(version)?));
        }
        if stopping {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Negative control: waits for every older transaction, then reads by transaction id. Loses nothing, but transactions
/// take their ids before their locks, so the order is not that of the commits.
async fn read_by_xid(pool: PgPool, stop: CancellationToken) -> Result<Vec<(Uuid, u64)>> {
    let (mut seen, mut last) = (Vec::new(), ("0".to_owned(), 0));
    loop {
        let stopping = stop.is_cancelled();
        let rows: Vec<(String, i64, Uuid, i64)> = sqlx::query_as(
            r#"select xid::text, seq, aggregate_id, aggregate_version from "order".outbox
               where (xid, seq) > ($1::text::xid8, $2) and xid < pg_snapshot_xmin(pg_current_snapshot())
               order by outbox.xid, seq"#,
        )
        .bind(&last.0)
        .bind(last.1)
        .fetch_all(&pool)
        .await?;
        for (xid, seq, id, version) in rows {
            last = (xid, seq);
            seen.push((id, u64::try_from(version)?));
        }
        if stopping {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
