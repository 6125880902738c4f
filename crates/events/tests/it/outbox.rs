//! Appending: what a row carries, what is refused, who may do what; and the days of the outbox.

use anyhow::Result;
use chrono::DateTime;
use events::{MAX_PAYLOAD_BYTES, OutboxError};
use kernel::EventId;
use sqlx::Row;
use tracing::{Instrument, info_span};
use uuid::Uuid;

use crate::fixture::{OUTBOX, begin, change, event, fixture, tenant};

#[tokio::test]
async fn a_row_carries_the_event_and_the_trace_that_wrote_it() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let (id, cause) = (Uuid::now_v7(), EventId::generate());
    let events: Vec<_> =
        (1..=3).map(|version| event(&acme, id, version).correlated("request-7").caused_by(cause)).collect();
    let mut tx = begin(&fixture.serve, &acme).await?;
    OUTBOX.append(&mut tx, &events).instrument(info_span!("command")).await?;
    tx.commit().await?;

    let rows = sqlx::query(r#"select * from "order".outbox order by seq"#).fetch_all(&fixture.admin).await?;
    assert_eq!(rows.len(), 3);
    for (row, event) in rows.iter().zip(&events) {
        assert_eq!(row.try_get::<Uuid, _>("event_id")?, event.id.uuid(), "seq follows the order of the slice");
        assert_eq!(row.try_get::<Vec<u8>, _>("payload")?, event.payload);
        assert_eq!(row.try_get::<i64, _>("aggregate_version")?, event.aggregate_version.to_i64());
        assert_eq!(row.try_get::<&str, _>("correlation_id")?, "request-7");
        assert_eq!(row.try_get::<Uuid, _>("causation_id")?, cause.uuid());
        let stored: DateTime<chrono::Utc> = row.try_get("occurred_at")?;
        assert!((stored - event.occurred_at).num_milliseconds().abs() < 1);
        let traceparent: &str = row.try_get("traceparent")?;
        assert!(traceparent.starts_with("00-") && traceparent.len() == 55, "{traceparent}");
    }
    let shards: Vec<i16> = rows.iter().map(|row| row.try_get("shard")).collect::<Result<_, _>>()?;
    assert!(shards.iter().all(|shard| *shard == shards[0]), "an aggregate stays in its shard");
    Ok(())
}

#[tokio::test]
async fn an_oversized_payload_is_refused_before_the_database_is_asked() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let mut large = event(&acme, Uuid::now_v7(), 1);
    large.payload = vec![b' '; MAX_PAYLOAD_BYTES];
    let mut tx = begin(&fixture.serve, &acme).await?;
    OUTBOX.append(&mut tx, std::slice::from_ref(&large)).await?;
    large.payload.push(b' ');
    let refused = OUTBOX.append(&mut tx, &[large]).await;
    assert!(matches!(refused, Err(OutboxError::PayloadTooLarge { bytes, .. }) if bytes == MAX_PAYLOAD_BYTES + 1));
    tx.commit().await?;
    Ok(())
}

#[tokio::test]
async fn a_service_appends_for_its_own_tenant_and_does_nothing_else() -> Result<()> {
    let (fixture, acme, rival) = (fixture().await?, tenant("acme"), tenant("rival"));
    for pool in [&fixture.serve, &fixture.work] {
        let mut tx = begin(pool, &acme).await?;
        assert!(OUTBOX.append(&mut tx, &[event(&rival, Uuid::now_v7(), 1)]).await.is_err(), "for another tenant");
        let mut tx = begin(pool, &acme).await?;
        change(&mut tx, &acme, Uuid::now_v7()).await?;
        tx.commit().await?;
        for forbidden in
            [r#"update "order".outbox set payload = ''"#, r#"delete from "order".outbox"#, r#"truncate "order".outbox"#]
        {
            assert!(sqlx::query(forbidden).execute(pool).await.is_err(), "{forbidden}");
        }
    }
    for forbidden in [
        r#"select * from "order".outbox"#,
        r#"select * from "order".relay_cursor"#,
        r#"update "order".consumer_position set next_offset = 0"#,
        r#"select * from "order".parked_event"#,
        r#"select "order".prepare_outbox(1)"#,
    ] {
        assert!(sqlx::query(forbidden).execute(&fixture.serve).await.is_err(), "{forbidden}");
    }
    let (seen,): (i64,) = sqlx::query_as(r#"select count(*) from "order".outbox"#).fetch_one(&fixture.work).await?;
    assert_eq!(seen, 2, "the relay sees every tenant's rows");
    let days: Vec<(String,)> = sqlx::query_as(
        "select inhrelid::regclass::text from pg_inherits where inhparent = '\"order\".outbox'::regclass",
    )
    .fetch_all(&fixture.admin)
    .await?;
    assert!(!days.is_empty());
    for (day,) in days {
        let direct = sqlx::AssertSqlSafe(format!("select * from {day}"));
        assert!(sqlx::query(direct).execute(&fixture.work).await.is_err(), "{day} is no way round the policies");
    }
    Ok(())
}

#[tokio::test]
async fn days_are_created_ahead_and_retired_only_when_published() -> Result<()> {
    let (fixture, acme) = (fixture().await?, tenant("acme"));
    let made: (i32,) = sqlx::query_as(r#"select "order".prepare_outbox(20)"#).fetch_one(&fixture.work).await?;
    assert_eq!(made, (6,), "fourteen days were there");
    // A day long past, with one event nobody has published.
    for statement in [
        r#"create table "order".outbox_20200101 (like "order".outbox including all excluding identity)"#,
        r#"alter table "order".outbox attach partition "order".outbox_20200101
               for values from ('2020-01-01 00:00+00') to ('2020-01-02 00:00+00')"#,
    ] {
        sqlx::query(statement).execute(&fixture.admin).await?;
    }
    let mut tx = begin(&fixture.serve, &acme).await?;
    change(&mut tx, &acme, Uuid::now_v7()).await?;
    tx.commit().await?;
    sqlx::query(r#"update "order".outbox set enqueued_at = '2020-01-01 12:00+00'"#).execute(&fixture.admin).await?;
    let retire = async || sqlx::query_as(r#"select "order".retire_outbox(7)"#).fetch_one(&fixture.work).await;
    let retired: (i32,) = retire().await?;
    assert_eq!(retired, (0,), "an unpublished day stays");
    sqlx::query(r#"update "order".relay_cursor set snapshot = pg_current_snapshot()"#).execute(&fixture.admin).await?;
    let retired: (i32,) = retire().await?;
    assert_eq!(retired, (1,));
    let (left,): (i64,) = sqlx::query_as(r#"select count(*) from "order".outbox"#).fetch_one(&fixture.admin).await?;
    assert_eq!(left, 0);
    Ok(())
}
