//! The consumer over the in-process bus: effects once, whatever is repeated, interrupted or shared.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use events::{Consumer, ConsumerConfig, Envelope, Guard, InProcessBus, LeaseTimes, Publisher};
use kernel::Version;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixture::{Fixture, LEASE, SCHEMA, TOPIC, changes, envelope, fixture, relay, tenant, until},
    marks::{Drowsy, Mark, Running, caught_up, effects},
};

#[tokio::test]
async fn replaying_everything_twice_has_no_extra_effect() -> Result<()> {
    let (fixture, bus) = (fixture().await?, InProcessBus::new());
    let marks = [
        Mark::new("order.states", Guard::StateCarrying),
        Mark::new("order.deltas", Guard::Delta),
        Mark::new("order.once", Guard::EveryOnce),
    ];
    let running: Vec<_> = marks.iter().map(|mark| Running::start(&fixture, &bus, mark)).collect();
    let tenants = [tenant("acme"), tenant("rival")];
    let ids: Vec<Uuid> = (0..12).map(|_| Uuid::now_v7()).collect();
    let history: Vec<Envelope> = (1..=8)
        .flat_map(|version| ids.iter().enumerate().map(move |(place, id)| (version, place, *id)))
        .map(|(version, place, id)| envelope(&tenants[place % 2], id, version))
        .collect();
    for _ in 0..3 {
        bus.publish(TOPIC, &history).await?;
    }
    for mark in &marks {
        caught_up(&fixture, &bus, mark).await?;
        let effects = effects(&fixture, mark).await?;
        assert_eq!(effects.len(), history.len(), "{}", mark.name);
        for id in &ids {
            let versions: Vec<u64> = effects.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect();
            assert_eq!(versions, (1..=8).collect::<Vec<_>>(), "{}", mark.name);
        }
    }
    let wrong: (i64,) =
        sqlx::query_as(r#"select count(*) from "order".effect where tenant_id not in ('acme', 'rival')"#)
            .fetch_one(&fixture.admin)
            .await?;
    assert_eq!(wrong, (0,));
    let parked: (i64,) =
        sqlx::query_as(r#"select count(*) from "order".parked_event"#).fetch_one(&fixture.admin).await?;
    assert_eq!(parked, (0,), "repetitions are recognised, not refused");
    for running in running {
        running.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_and_a_consumer_killed_again_and_again_lose_nothing_and_repeat_nothing() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let ids: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    for round in 0..6 {
        let relaying = tokio::spawn(relay(&fixture, Arc::new(bus.clone())).run(CancellationToken::new()));
        let consumer = Running::start(&fixture, &bus, &mark);
        for id in &ids {
            changes(&fixture, &acme, *id, 6).await?;
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..60) * round)).await;
        relaying.abort();
        consumer.task.abort();
        // Leases lapse on their own; here nobody waits for that.
        sqlx::query(r#"update "order".lease set holder = null"#).execute(&fixture.admin).await?;
        sqlx::query(r#"delete from "order".lease_member"#).execute(&fixture.admin).await?;
    }
    let stop = CancellationToken::new();
    let relaying = tokio::spawn(relay(&fixture, Arc::new(bus.clone())).run(stop.clone()));
    let consumer = Running::start(&fixture, &bus, &mark);
    until("every effect was made", async || Ok(effects(&fixture, &mark).await?.len() >= 5 * 36)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    let effects = effects(&fixture, &mark).await?;
    for id in &ids {
        let versions: Vec<u64> = effects.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect();
        assert_eq!(versions, (1..=36).collect::<Vec<_>>());
    }
    stop.cancel();
    relaying.await?;
    consumer.stop().await
}

#[tokio::test]
async fn processes_that_die_before_they_are_through_get_through_together() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let id = Uuid::now_v7();
    // More than four processes can commit, each of them less than it is given.
    let backlog: Vec<Envelope> = (1..=120).map(|version| envelope(&acme, id, version)).collect();
    bus.publish(TOPIC, &backlog).await?;
    for _ in 0..4 {
        let death = mark.given.load(Ordering::Relaxed) + 30;
        mark.stands_still_at.store(death, Ordering::Relaxed);
        let consumer = Running::start(&fixture, &bus, &mark);
        until("it is in the middle of it", async || Ok(mark.given.load(Ordering::Relaxed) >= death)).await?;
        consumer.task.abort();
        consumer.task.await.unwrap_err();
        sqlx::query(r#"update "order".lease set holder = null"#).execute(&fixture.admin).await?;
        sqlx::query(r#"delete from "order".lease_member"#).execute(&fixture.admin).await?;
    }
    let versions: Vec<u64> = effects(&fixture, &mark).await?.into_iter().map(|(_, version)| version).collect();
    assert!(versions.len() >= 64, "what is committed need not be done again: {}", versions.len());
    assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_transient_failure_is_retried_and_nothing_is_skipped() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    mark.busy.store(4, Ordering::Relaxed);
    let id = Uuid::now_v7();
    bus.publish(TOPIC, &(1..=5).map(|version| envelope(&acme, id, version)).collect::<Vec<_>>()).await?;
    let consumer = Running::start(&fixture, &bus, &mark);
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, (1..=5).map(|version| (id, version)).collect::<Vec<_>>());
    let (parked,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".parked_event"#).fetch_one(&fixture.admin).await?;
    assert_eq!(parked, 0);
    consumer.stop().await
}

#[tokio::test]
async fn effects_after_the_commit_wait_for_redis_but_hold_nothing_up() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    mark.redis_away.store(true, Ordering::Relaxed);
    let id = Uuid::now_v7();
    let consumer = Running::start(&fixture, &bus, &mark);
    for version in 1..=3 {
        // Each in a batch of its own, so that a position is stored while effects are owed.
        bus.publish(TOPIC, &[envelope(&acme, id, version)]).await?;
        caught_up(&fixture, &bus, &mark).await?;
    }
    assert_eq!(effects(&fixture, &mark).await?.len(), 3, "the tables do not wait");
    assert_eq!(mark.settled(), []);

    // Killed while Redis is away: the position has moved, the effects after the commit are still owed.
    consumer.task.abort();
    mark.redis_away.store(false, Ordering::Relaxed);
    let successor = Running::start(&fixture, &bus, &mark);
    until("they were made after the restart", async || Ok(mark.settled().len() >= 3)).await?;
    assert_eq!(mark.settled(), [(id, 1), (id, 2), (id, 3)]);
    assert_eq!(effects(&fixture, &mark).await?.len(), 3, "and no effect was repeated");
    successor.stop().await?;

    // Once settled and stored, they are not made again.
    let third = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[envelope(&acme, id, 4)]).await?;
    until("the next event was settled", async || Ok(mark.settled().contains(&(id, 4)))).await?;
    assert_eq!(mark.settled().len(), 4);
    third.stop().await
}

#[tokio::test]
async fn consumers_of_one_name_share_the_partitions_and_effects_happen_once() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::Delta);
    let (first, second) = (Running::start(&fixture, &bus, &mark), Running::start(&fixture, &bus, &mark));
    until("each has half of the partitions", async || {
        let rows: Vec<(i64,)> = sqlx::query_as(
            r#"select count(*) from "order".lease where scope like 'consumer:%' and holder is not null group by holder"#,
        )
        .fetch_all(&fixture.admin)
        .await?;
        Ok(rows == [(2,), (2,)])
    })
    .await?;
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    let publish = async |versions: std::ops::RangeInclusive<u64>| {
        let events = versions.flat_map(|version| ids.iter().map(move |id| (version, *id)));
        let batch: Vec<_> = events.map(|(version, id)| envelope(&acme, id, version)).collect();
        bus.publish(TOPIC, &batch).await
    };
    publish(1..=10).await?;
    first.task.abort();
    publish(11..=20).await?;
    caught_up(&fixture, &bus, &mark).await?;
    let effects = effects(&fixture, &mark).await?;
    assert_eq!(effects.len(), 400);
    for id in &ids {
        let versions: Vec<u64> = effects.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect();
        assert_eq!(versions, (1..=20).collect::<Vec<_>>());
    }
    second.stop().await
}

#[tokio::test]
async fn a_consumer_that_slept_through_its_lease_can_no_longer_write() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    // Guards would hide what a zombie does to the position; this shows it.
    for statement in [
        r#"create function "order".note() returns trigger language plpgsql as
           $$ begin insert into "order".bystander (note) values ('went back'); return new; end $$"#,
        r#"create trigger backwards after update on "order".consumer_position for each row
           when (new.next_offset < old.next_offset) execute function "order".note()"#,
    ] {
        sqlx::query(statement).execute(&fixture.admin).await?;
    }
    let mark = Mark::new("order.widgets", Guard::Delta);
    let id = Uuid::now_v7();
    bus.publish(TOPIC, &(1..=3).map(|version| envelope(&acme, id, version)).collect::<Vec<_>>()).await?;
    let (awake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let (answers_after, pool) = (Duration::ZERO, fixture.work.clone());
    let (source, begun) = (bus.source(), Arc::default());
    let drowsy = Box::new(Drowsy { source, awake: awake.clone(), answers_after, pool, begun });
    let config = ConsumerConfig { lease: LEASE, ..ConsumerConfig::default() };
    let sleeper = Consumer::new(fixture.work.clone(), SCHEMA, drowsy, mark.clone()).with_config(config);
    let sleeper = tokio::spawn(sleeper.run(stop.clone()));
    let members = async || {
        let (members,): (i64,) =
            sqlx::query_as(r#"select count(distinct holder) from "order".lease where expires_at > clock_timestamp()"#)
                .fetch_one(&fixture.admin)
                .await?;
        anyhow::Ok(members)
    };
    until("the sleeper has the partitions", async || Ok(members().await? == 1)).await?;
    let successor = Running::start(&fixture, &bus, &mark);
    caught_up(&fixture, &bus, &mark).await?;
    bus.publish(TOPIC, &(4..=5).map(|version| envelope(&acme, id, version)).collect::<Vec<_>>()).await?;
    caught_up(&fixture, &bus, &mark).await?;

    awake.notify_one();
    until("the sleeper was refused and joined again", async || Ok(members().await? == 2)).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, (1..=5).map(|version| (id, version)).collect::<Vec<_>>());
    let (went_back,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".bystander"#).fetch_one(&fixture.admin).await?;
    assert_eq!(went_back, 0, "the position never goes back");
    stop.cancel();
    awake.notify_one();
    sleeper.await?;
    successor.stop().await
}

#[tokio::test]
async fn events_not_for_this_consumer_only_move_the_position() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let other = Envelope { event_type: "GadgetChanged".to_owned(), ..envelope(&acme, Uuid::now_v7(), 1) };
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[other]).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, []);
    assert_eq!(mark.settled(), []);
    let (known,): (i64,) =
        sqlx::query_as(r#"select count(*) from "order".consumer_applied"#).fetch_one(&fixture.admin).await?;
    assert_eq!(known, 0);
    consumer.stop().await
}

#[tokio::test]
async fn an_effect_belongs_to_the_trace_that_wrote_the_event() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    bus.publish(TOPIC, &[Envelope { traceparent, ..envelope(&acme, Uuid::now_v7(), 1) }]).await?;
    let consumer = Running::start(&fixture, &bus, &mark);
    until("the event was applied", async || Ok(!mark.traces.lock().unwrap().is_empty())).await?;
    assert_eq!(*mark.traces.lock().unwrap(), ["0af7651916cd43dd8448eb211c80319c"]);
    consumer.stop().await
}

#[tokio::test]
async fn a_state_that_skips_versions_is_applied_and_older_ones_are_not() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let id = Uuid::now_v7();
    let consumer = Running::start(&fixture, &bus, &mark);
    bus.publish(TOPIC, &[3, 2, 7, 7, 1].map(|version| envelope(&acme, id, version))).await?;
    caught_up(&fixture, &bus, &mark).await?;
    assert_eq!(effects(&fixture, &mark).await?, [(id, 3), (id, 7)]);
    let (version,): (i64,) =
        sqlx::query_as(r#"select version from "order".consumer_applied"#).fetch_one(&fixture.admin).await?;
    assert_eq!(Version::from_i64(version), Version::new(7));
    consumer.stop().await
}

/// Two events are applied, one after the other, by a consumer with this pool and lease, of a log that takes its time to say how far
/// it reaches. Answers how often the consumer began to read.
async fn consumes(fixture: &Fixture, pool: PgPool, lease: LeaseTimes, answers_after: Duration) -> Result<usize> {
    let bus = InProcessBus::new();
    let mark = Mark::new("order.widgets", Guard::Delta);
    let (awake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let begun = Arc::new(AtomicUsize::default());
    let (source, lent) = (bus.source(), pool.clone());
    let source = Box::new(Drowsy { source, awake: awake.clone(), answers_after, pool: lent, begun: begun.clone() });
    let config = ConsumerConfig { lease, ..ConsumerConfig::default() };
    let consumer = Consumer::new(pool, SCHEMA, source, mark.clone()).with_config(config);
    let consumer = tokio::spawn(consumer.run(stop.clone()));
    let id = Uuid::now_v7();
    for version in 1..=2 {
        bus.publish(TOPIC, &[envelope(&tenant("acme"), id, version)]).await?;
        awake.notify_one();
        caught_up(fixture, &bus, &mark).await?;
        tokio::time::sleep(lease.renew_every).await;
    }
    assert_eq!(effects(fixture, &mark).await?, [(id, 1), (id, 2)]);
    stop.cancel();
    consumer.await?;
    Ok(begun.load(Ordering::Relaxed))
}

#[tokio::test]
async fn no_connection_is_held_while_the_log_is_asked() -> Result<()> {
    let fixture = fixture().await?;
    let only_one = fixture.work.options().clone().max_connections(1).acquire_timeout(Duration::from_secs(10));
    let pool = only_one.connect_with((*fixture.work.connect_options()).clone()).await?;
    consumes(&fixture, pool, LEASE, Duration::ZERO).await.map(drop)
}

#[tokio::test]
async fn a_log_that_answers_slowly_is_asked_for_all_partitions_at_once() -> Result<()> {
    let fixture = fixture().await?;
    // One by one the leases would be over before the last answer, every time.
    let lease = LeaseTimes { ttl: Duration::from_secs(6), renew_every: Duration::from_secs(1) };
    let begun = consumes(&fixture, fixture.work.clone(), lease, Duration::from_secs(2)).await?;
    assert_eq!(begun, 1, "it was never interrupted");
    Ok(())
}
