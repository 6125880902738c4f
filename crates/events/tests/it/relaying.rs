//! The relay when things break: killed between produce and cursor, refused by the log, sharing with others, paging.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use events::{Envelope, Relay, RelayConfig};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixture::{
        Fixture, LEASE, OUTBOX, SCHEMA, TOPIC, Verdict, begin, change, changes, committed, event, fixture, judge,
        relay, sequence, tenant, until,
    },
    publishers::{Recorder, Speechless, StuckOnce, Stumbling, Volatile, Weighing},
};

async fn all_seen(fixture: &Fixture, recorder: &Recorder) -> Result<bool> {
    Ok(judge(&sequence(&recorder.events()), &committed(fixture).await?).lost == 0)
}

#[tokio::test]
async fn a_relay_killed_between_produce_and_cursor_publishes_again_and_loses_nothing() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let recorder = Arc::new(Recorder::default());
    changes(&fixture, &acme, Uuid::now_v7(), 30).await?;
    let doomed = tokio::spawn(relay(&fixture, Arc::new(Speechless(recorder.clone()))).run(CancellationToken::new()));
    until("the first batch was produced", async || Ok(recorder.len() == 30)).await?;
    doomed.abort();
    assert!(doomed.await.is_err_and(|end| end.is_cancelled()));

    changes(&fixture, &acme, Uuid::now_v7(), 20).await?;
    let stop = CancellationToken::new();
    let successor = tokio::spawn(relay(&fixture, recorder.clone()).run(stop.clone()));
    until("the successor published everything", async || all_seen(&fixture, &recorder).await).await?;
    stop.cancel();
    successor.await?;
    let verdict = judge(&sequence(&recorder.events()), &committed(&fixture).await?);
    assert_eq!((verdict.lost, verdict.inversions, verdict.gaps), (0, 0, 0));
    assert_eq!(verdict.duplicated, 30, "what the cursor does not cover is published again");

    // What the cursor does cover is not.
    let stop = CancellationToken::new();
    let third = tokio::spawn(relay(&fixture, recorder.clone()).run(stop.clone()));
    changes(&fixture, &acme, Uuid::now_v7(), 1).await?;
    until("the third relay published", async || all_seen(&fixture, &recorder).await).await?;
    stop.cancel();
    third.await?;
    assert_eq!(recorder.len(), 81);
    Ok(())
}

#[tokio::test]
async fn after_a_refused_batch_the_relay_begins_again_at_its_cursor() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let recorder = Arc::new(Recorder::default());
    let stumbling = Stumbling { recorder: recorder.clone(), calls: AtomicUsize::new(0) };
    let stop = CancellationToken::new();
    let relaying = tokio::spawn(relay(&fixture, Arc::new(stumbling)).run(stop.clone()));
    let ids: Vec<Uuid> = (0..10).map(|_| Uuid::now_v7()).collect();
    for _ in 0..30 {
        for id in &ids {
            changes(&fixture, &acme, *id, 1).await?;
        }
    }
    until("everything was published", async || all_seen(&fixture, &recorder).await).await?;
    stop.cancel();
    relaying.await?;
    let verdict = judge(&sequence(&recorder.events()), &committed(&fixture).await?);
    assert_eq!((verdict.lost, verdict.inversions, verdict.gaps), (0, 0, 0));
    assert!(verdict.duplicated > 0, "the refused halves must come again");
    Ok(())
}

#[tokio::test]
async fn a_backlog_larger_than_a_batch_is_paged_in_order_across_a_kill() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let ids: Vec<Uuid> = (0..7).map(|_| Uuid::now_v7()).collect();
    for _ in 0..60 {
        let mut tx = begin(&fixture.serve, &acme).await?;
        for id in &ids {
            change(&mut tx, &acme, *id).await?;
        }
        tx.commit().await?;
    }
    let recorder = Arc::new(Recorder::default());
    let config = RelayConfig { batch: 8, lease: LEASE, ..RelayConfig::default() };
    let small = |fixture: &Fixture| {
        Relay::new(fixture.work.clone(), SCHEMA, TOPIC, recorder.clone(), Arc::new(Notify::new()), config)
    };
    let first = tokio::spawn(small(&fixture).run(CancellationToken::new()));
    until("some pages were published", async || Ok(recorder.len() > 100)).await?;
    first.abort();
    let stop = CancellationToken::new();
    let second = tokio::spawn(small(&fixture).run(stop.clone()));
    until("everything was published", async || all_seen(&fixture, &recorder).await).await?;
    stop.cancel();
    second.await?;
    let verdict = judge(&sequence(&recorder.events()), &committed(&fixture).await?);
    assert_eq!((verdict.lost, verdict.inversions, verdict.gaps), (0, 0, 0));
    Ok(())
}

/// How many groups each relay holds.
async fn holders(fixture: &Fixture) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> =
        sqlx::query_as(r#"select count(*) from "order".lease where holder is not null group by holder order by 1"#)
            .fetch_all(&fixture.admin)
            .await?;
    Ok(rows.into_iter().map(|(count,)| count).collect())
}

#[tokio::test]
async fn relays_share_the_shards_and_survivors_take_over() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let (one, two) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let stop = CancellationToken::new();
    let first = tokio::spawn(relay(&fixture, one.clone()).run(stop.clone()));
    let second = tokio::spawn(relay(&fixture, two.clone()).run(stop.clone()));
    until("each holds half of the groups", async || Ok(holders(&fixture).await? == [4, 4])).await?;
    for _ in 0..64 {
        changes(&fixture, &acme, Uuid::now_v7(), 2).await?;
    }
    until("both published", async || Ok(one.len() + two.len() >= 128)).await?;
    assert!(one.len() > 0 && two.len() > 0, "{} and {}", one.len(), two.len());

    first.abort();
    let before = two.len();
    for _ in 0..64 {
        changes(&fixture, &acme, Uuid::now_v7(), 2).await?;
    }
    let everything = committed(&fixture).await?;
    until("the survivor took over", async || {
        let both: Vec<Envelope> = one.events().into_iter().chain(two.events()).collect();
        Ok(judge(&sequence(&both), &everything).lost == 0)
    })
    .await?;
    assert!(two.len() > before);
    let verdict = judge(&sequence(&two.events()), &[]);
    assert_eq!((verdict.inversions, verdict.duplicated), (0, 0));
    stop.cancel();
    second.await?;
    assert_eq!(
        holders(&fixture).await?,
        Vec::<i64>::new(),
        "the dead relay's leases were taken over, the stopped one's given back"
    );
    Ok(())
}

#[tokio::test]
async fn a_relay_that_lost_its_lease_while_publishing_steps_down() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    for _ in 0..64 {
        changes(&fixture, &acme, Uuid::now_v7(), 1).await?;
    }
    let (own, others) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let stuck = Arc::new(StuckOnce { recorder: own.clone(), calls: AtomicUsize::new(0) });
    let stop = CancellationToken::new();
    let zombie = tokio::spawn(relay(&fixture, stuck.clone()).run(stop.clone()));
    until("it is in the middle of a batch", async || Ok(stuck.calls.load(Ordering::Relaxed) == 1)).await?;
    // Its groups are given away behind its back.
    let successor = tokio::spawn(relay(&fixture, others.clone()).run(stop.clone()));
    for statement in [r#"delete from "order".lease_member"#, r#"update "order".lease set holder = null"#] {
        sqlx::query(statement).execute(&fixture.admin).await?;
    }
    until("the batch was published by whoever may", async || Ok(own.len() + others.len() >= 64)).await?;
    until("both have their share", async || Ok(holders(&fixture).await? == [4, 4])).await?;
    for _ in 0..64 {
        changes(&fixture, &acme, Uuid::now_v7(), 1).await?;
    }
    until("both work again", async || Ok(own.len() + others.len() >= 128 && own.len() > 0)).await?;
    let everything: Vec<_> = own.events().into_iter().chain(others.events()).collect();
    let verdict = judge(&sequence(&everything), &committed(&fixture).await?);
    assert_eq!((verdict.lost, verdict.inversions, verdict.gaps), (0, 0, 0));
    stop.cancel();
    zombie.await?;
    Ok(successor.await?)
}

#[tokio::test]
async fn a_hint_saves_the_wait_for_the_next_poll() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let (recorder, hint, stop) = (Arc::new(Recorder::default()), Arc::new(Notify::new()), CancellationToken::new());
    // A poll that never comes within the test.
    let config =
        RelayConfig { poll_min: Duration::from_mins(10), poll_max: Duration::from_mins(10), ..Default::default() };
    let relaying =
        Relay::new(fixture.work.clone(), SCHEMA, TOPIC, recorder.clone(), hint.clone(), config).run(stop.clone());
    let relaying = tokio::spawn(relaying);
    until("the relay claimed its groups", async || Ok(holders(&fixture).await? == [8])).await?;
    changes(&fixture, &acme, Uuid::now_v7(), 1).await?;
    hint.notify_one();
    until("the hinted event was published", async || Ok(recorder.len() == 1)).await?;
    stop.cancel();
    Ok(relaying.await?)
}

#[tokio::test]
async fn a_cursor_of_another_cluster_is_refused() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let recorder = Arc::new(Recorder::default());
    changes(&fixture, &acme, Uuid::now_v7(), 3).await?;
    sqlx::query(r#"update "order".relay_cursor set system_identifier = 1"#).execute(&fixture.admin).await?;
    let stop = CancellationToken::new();
    let relaying = tokio::spawn(relay(&fixture, recorder.clone()).run(stop.clone()));
    until("the relay tried", async || Ok(holders(&fixture).await? == [8])).await?;
    assert_eq!(recorder.len(), 0);
    sqlx::query(r#"update "order".relay_cursor set system_identifier = null"#).execute(&fixture.admin).await?;
    until("the reset cursor is used", async || Ok(recorder.len() == 3)).await?;
    stop.cancel();
    Ok(relaying.await?)
}

#[tokio::test]
async fn a_log_that_forgets_is_told_everything_again() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    changes(&fixture, &acme, Uuid::now_v7(), 5).await?;
    for _ in 0..2 {
        let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
        let relaying = tokio::spawn(relay(&fixture, Arc::new(Volatile(recorder.clone()))).run(stop.clone()));
        until("the whole outbox was published", async || Ok(recorder.len() == 5)).await?;
        stop.cancel();
        relaying.await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_of_large_events_ends_at_its_bytes_and_loses_none() -> Result<()> {
    let (fixture, acme, id) = (fixture().await?, tenant("acme"), Uuid::now_v7());
    let mut tx = begin(&fixture.serve, &acme).await?;
    for version in 1..=40 {
        let mut large = event(&acme, id, version);
        large.payload = vec![b'x'; 800 * 1024];
        OUTBOX.append(&mut tx, &[large]).await?;
    }
    tx.commit().await?;
    let weighing = Arc::new(Weighing { recorder: Arc::default(), heaviest: AtomicUsize::new(0) });
    let stop = CancellationToken::new();
    let relaying = tokio::spawn(relay(&fixture, weighing.clone()).run(stop.clone()));
    until("all were published", async || Ok(weighing.recorder.len() >= 40)).await?;
    stop.cancel();
    relaying.await?;
    let verdict = judge(&sequence(&weighing.recorder.events()), &committed(&fixture).await?);
    assert_eq!(verdict, Verdict::default());
    let heaviest = weighing.heaviest.load(Ordering::Relaxed);
    assert!((800 * 1024 + 1..9 * 1024 * 1024).contains(&heaviest), "{heaviest} bytes at once");
    Ok(())
}

/// Rows of the outbox that were met by reading a day as a whole. Making the days looked through them while they were empty.
async fn rows_read_in_passing(fixture: &Fixture) -> Result<Option<i64>> {
    let counted = r"select sum(seq_tup_read)::bigint from pg_stat_user_tables where relname ~ '^outbox_\d{8}$'";
    Ok(sqlx::query_scalar(counted).fetch_one(&fixture.admin).await?)
}

#[tokio::test]
async fn a_poll_reads_by_index_whatever_the_statistics_say() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let mut tx = begin(&fixture.serve, &acme).await?;
    let events: Vec<_> = (0..3_000).map(|_| event(&acme, Uuid::now_v7(), 1)).collect();
    OUTBOX.append(&mut tx, &events).await?;
    tx.commit().await?;
    // Statistics are what misleads the planner: it then believes a third of the rows to be new.
    sqlx::query(r#"analyze "order".outbox"#).execute(&fixture.admin).await?;
    let (recorder, stop) = (Arc::new(Recorder::default()), CancellationToken::new());
    let relaying = tokio::spawn(relay(&fixture, recorder.clone()).run(stop.clone()));
    until("the backlog was published", async || Ok(recorder.len() == 3_000)).await?;
    changes(&fixture, &acme, Uuid::now_v7(), 10).await?;
    until("the rest was published", async || Ok(recorder.len() == 3_010)).await?;
    // A session's counters are reported when it ends.
    stop.cancel();
    relaying.await?;
    until("reads were counted", async || {
        let (by_index,): (Option<i64>,) =
            sqlx::query_as(r"select sum(idx_scan)::bigint from pg_stat_user_tables where relname ~ '^outbox_\d{8}$'")
                .fetch_one(&fixture.admin)
                .await?;
        Ok(by_index > Some(0))
    })
    .await?;
    assert_eq!(rows_read_in_passing(&fixture).await?, Some(0), "no poll may read a whole day");
    Ok(())
}
