//! A relay's work over one database connection, until it is stopped or interrupted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fail_points::{Step, reached};
use kernel::{Clock, SystemClock};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

use super::{
    Relay,
    continuity::Continuity,
    cursor::{self, Cursor, CursorError},
    lane::{self, GROUPS, Lane},
    reader::{OutboxRow, Reader, Rows},
};
use crate::{
    Envelope, PublishError, Retention,
    lease::{Leases, Sharing},
    trace_context::link_trace,
};

/// How long a batch in hand may take after the stop signal.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// From when on a batch that is not acknowledged is an alarm. Publishing itself never times out.
const STALL_AFTER: Duration = Duration::from_secs(30);

/// Days of the outbox that must exist ahead: a week to notice that nobody creates them.
const DAYS_AHEAD: i32 = 8;

/// How often days are created and retired.
const HOUSEKEEPING_EVERY: Duration = Duration::from_hours(1);

/// Most spans a batch's span links to; exporters keep no more.
const MAX_LINKS: usize = 128;

/// Why the work ended early. Whatever was in memory is void.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interrupted {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the cursor cannot be used")]
    Cursor(#[from] CursorError),
    #[error("publishing failed")]
    Publish(#[from] PublishError),
    #[error("the leases were lost")]
    LeaseLost,
    #[error("the batch in hand was not acknowledged before the stop")]
    Stopped,
}

/// What one round found.
#[derive(Default)]
struct Round {
    rows: usize,
    /// A page was cut: go on at once.
    unfinished: bool,
}

/// What is known while a connection lasts.
pub(crate) struct Session<'a> {
    relay: &'a Relay,
    reader: Reader,
    leases: Leases,
    lanes: Vec<Lane>,
    continuity: Continuity,
    housekeeping: Option<Instant>,
    progressed: bool,
}

impl<'a> Session<'a> {
    pub fn new(relay: &'a Relay) -> Self {
        let leases = Leases::new(relay.schema, "relay".to_owned(), i32::from(GROUPS), relay.config.lease);
        let reader = Reader::new(relay.schema);
        let (lanes, continuity) = (Vec::new(), Continuity::default());
        Self { relay, reader, leases, lanes, continuity, housekeeping: None, progressed: false }
    }

    /// Forgets everything that must be read from the database again; answers whether anything was published.
    pub fn forget(&mut self) -> bool {
        self.leases.forget();
        self.lanes.clear();
        self.continuity.forget();
        std::mem::take(&mut self.progressed)
    }

    /// Works until `stop`.
    pub async fn work(&mut self, stop: &CancellationToken) -> Result<(), Interrupted> {
        // One connection for as long as it lives: a pool would replace a lost one silently, and with it the certainty
        // that the cursor in memory still means something.
        let mut conn = self.relay.pool.acquire().await?;
        conn.close_on_drop();
        Reader::tune(&mut conn).await?;
        let mut pause = self.relay.config.poll_min;
        while !stop.is_cancelled() {
            let began = Instant::now();
            self.keep_house(&mut conn).await?;
            if self.leases.due() {
                self.renew(&mut conn, Sharing::GiveBackSurplus).await?;
            }
            let round = self.round(&mut conn, stop).await?;
            self.store_cursors(&mut conn, Lane::store_due).await?;
            pause = self.pause_after(&round, pause);
            if !round.unfinished {
                // From look to look: where publishing took longer than the pause, what was written meanwhile need not wait.
                self.wait(began + pause, stop).await;
            }
        }
        self.store_cursors(&mut conn, |lane| lane.store_at().is_some()).await?;
        self.leases.release(&mut conn).await?;
        Ok(())
    }

    /// Reads and publishes once for every lane.
    async fn round(&mut self, conn: &mut PgConnection, stop: &CancellationToken) -> Result<Round, Interrupted> {
        lane::merge(&mut self.lanes);
        let limit = self.relay.config.batch;
        let mut round = Round::default();
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(index) else { break };
            let (upto, page) = if let Some(page) = &lane.cursor.page {
                let rows = match lane.ahead.take() {
                    Some(rows) => rows,
                    None => self.reader.page(conn, (&lane.cursor.from, page), &lane.shards, limit).await?,
                };
                (page.upto.clone(), rows)
            } else {
                let difference = self.reader.difference(conn, &lane.cursor.from, &lane.shards, limit).await?;
                (difference.upto, difference.page)
            };
            let (count, last) = (page.rows.len(), page.rows.last().map(|row| row.seq));
            let next = lane.cursor.moved(upto, last.filter(|_| page.cut));
            let mut ahead = None;
            if count > 0 {
                reached(Step::RelayRead);
                let shards = lane.shards.clone();
                match self.publish(conn, page.rows, (&next, &shards), stop).await {
                    Ok(following) => ahead = following,
                    Err(error) => {
                        if matches!(error, Interrupted::Publish(_) | Interrupted::Stopped) {
                            // What was acknowledged before the failure stays acknowledged; without this a log that fails
                            // often enough would be told the same batches for ever.
                            self.store_cursors(conn, |lane| lane.store_at().is_some()).await?;
                        }
                        return Err(error);
                    }
                }
            }
            // Publishing may have renewed the leases, but never gives a group back, so the lane is still the same.
            if let Some(lane) = self.lanes.get_mut(index) {
                lane.advance(next, count, ahead);
            }
            round.rows += count;
            round.unfinished |= page.cut;
        }
        Ok(round)
    }

    /// Produces `rows` and waits for every report, renewing the leases meanwhile. Where more rows wait at the cursor behind
    /// these, their page is read at the same time: it lies between two snapshots that stand, so it says the same whenever
    /// it is read.
    async fn publish(
        &mut self,
        conn: &mut PgConnection,
        rows: Vec<OutboxRow>,
        (next, shards): (&Cursor, &[i16]),
        stop: &CancellationToken,
    ) -> Result<Option<Rows>, Interrupted> {
        if self.leases.lapsed() {
            return Err(Interrupted::LeaseLost);
        }
        let enqueued: Vec<_> = rows.iter().map(|row| row.enqueued_at).collect();
        let batch: Vec<Envelope> = rows.into_iter().map(|row| row.envelope).collect();
        self.assert_continuity(&batch);
        let relay = self.relay;
        let publishing = relay.publisher.publish(relay.topic, &batch).instrument(batch_span(relay.topic, &batch));
        let mut publishing = std::pin::pin!(publishing);
        let (started, oldest) = (Instant::now(), enqueued.first().copied());
        measure_age(relay.schema, oldest);
        let (mut done, mut ahead) = (None, None);
        if let Some(page) = &next.page {
            let mut reading = std::pin::pin!(self.reader.page(conn, (&next.from, page), shards, relay.config.batch));
            ahead = loop {
                tokio::select! {
                    rows = &mut reading => break Some(rows?),
                    published = &mut publishing, if done.is_none() => done = Some(published),
                }
            };
        }
        let mut given_up = std::pin::pin!(grace_after(stop));
        let published = loop {
            if let Some(done) = done {
                break done;
            }
            tokio::select! {
                published = &mut publishing => done = Some(published),
                () = &mut given_up => return Err(Interrupted::Stopped),
                () = sleep_until(self.leases.renew_at()) => {
                    self.renew(conn, Sharing::KeepAll).await?;
                    measure_age(relay.schema, oldest);
                    watch_for_stall(relay.schema, started, batch.len());
                }
            }
        };
        published?;
        reached(Step::RelayAcknowledged);
        self.progressed = true;
        metrics::counter!("quoin_relay_published_total", "service" => relay.schema).increment(batch.len() as u64);
        measure_age(relay.schema, None);
        let acknowledged = SystemClock.now();
        for at in enqueued {
            let delay = (acknowledged - at).to_std().unwrap_or_default();
            metrics::histogram!("quoin_relay_delay_seconds", "service" => relay.schema).record(delay);
        }
        Ok(ahead)
    }

    fn assert_continuity(&mut self, batch: &[Envelope]) {
        for event in batch {
            if let Some(expected) = self.continuity.check(event) {
                metrics::counter!("quoin_relay_version_breaks_total", "service" => self.relay.schema).increment(1);
                tracing::error!(
                    service = self.relay.schema, event = %event.id, key = event.key(), version = %event.aggregate_version,
                    %expected, "an aggregate's versions do not follow one another in the outbox"
                );
            }
        }
    }

    /// Renews the leases and follows what they say: lost groups go, gained ones begin at their stored cursor.
    async fn renew(&mut self, conn: &mut PgConnection, sharing: Sharing) -> Result<(), Interrupted> {
        // What a group that goes elsewhere has published should be known there.
        self.store_cursors(conn, |lane| lane.store_at().is_some()).await?;
        let change = self.leases.renew(conn, sharing).await?;
        reached(Step::RelayRenewing);
        if sharing == Sharing::KeepAll && !change.lost.is_empty() {
            return Err(Interrupted::LeaseLost);
        }
        lane::remove(&mut self.lanes, &change.lost);
        for group in change.gained {
            let stored = cursor::claim(conn, self.relay.schema, group).await?;
            let cursor = match self.relay.publisher.retention() {
                Retention::Durable => stored,
                Retention::UntilExit => Cursor::start(),
            };
            tracing::debug!(
                service = self.relay.schema,
                group = group.slot,
                term = group.term,
                "claimed a shard group"
            );
            self.lanes.push(Lane::claimed(group, cursor));
        }
        let groups = u32::try_from(self.lanes.iter().map(|lane| lane.groups.len()).sum::<usize>()).unwrap_or(u32::MAX);
        metrics::gauge!("quoin_relay_groups", "service" => self.relay.schema).set(groups);
        Ok(())
    }

    async fn store_cursors(
        &mut self,
        conn: &mut PgConnection,
        which: impl Fn(&Lane) -> bool,
    ) -> Result<(), Interrupted> {
        for lane in self.lanes.iter_mut().filter(|lane| which(lane)) {
            cursor::store(conn, self.relay.schema, &lane.groups, &lane.cursor).await?;
            lane.stored();
            reached(Step::RelayCursorStored);
        }
        Ok(())
    }

    /// Halves after a busy round, doubles after an idle one.
    fn pause_after(&self, round: &Round, pause: Duration) -> Duration {
        let config = &self.relay.config;
        if round.rows == 0 { (pause * 2).min(config.poll_max) } else { (pause / 2).max(config.poll_min) }
    }

    /// Waits for a hint or the next poll, but no longer than a cursor or a lease may wait.
    async fn wait(&self, poll: Instant, stop: &CancellationToken) {
        let store = self.lanes.iter().filter_map(Lane::store_at).min().unwrap_or(poll);
        tokio::select! {
            () = self.relay.hint.notified() => {}
            () = sleep_until(poll.min(store).min(self.leases.renew_at())) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Creates the days to come and drops those nobody needs. A failure is alarmed about and tried again next time:
    /// there is a week to repair it.
    async fn keep_house(&mut self, conn: &mut PgConnection) -> Result<(), Interrupted> {
        if self.housekeeping.is_some_and(|last| last.elapsed() < HOUSEKEEPING_EVERY) {
            return Ok(());
        }
        self.housekeeping = Some(Instant::now());
        let schema = self.relay.schema;
        let sql = format!("select \"{schema}\".prepare_outbox($1), \"{schema}\".retire_outbox($2)");
        let kept =
            sqlx::query(AssertSqlSafe(sql)).bind(DAYS_AHEAD).bind(self.relay.config.keep_days).execute(conn).await;
        match kept {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) => {
                metrics::counter!("quoin_outbox_housekeeping_failures_total", "service" => schema).increment(1);
                tracing::error!(service = schema, %error, "the outbox's days could not be created or retired");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The span of one batch, linked to the spans that wrote its events: their context is the messages' own.
fn batch_span(topic: &str, batch: &[Envelope]) -> tracing::Span {
    let span = info_span!(
        "publish events",
        otel.kind = "producer",
        "messaging.operation.type" = "send",
        messaging.destination.name = topic,
        messaging.batch.message_count = batch.len(),
    );
    for event in batch.iter().filter(|event| event.traceparent.is_some()).take(MAX_LINKS) {
        link_trace(&span, event.traceparent.as_deref());
    }
    span
}

/// How long the oldest event that is not acknowledged has been waiting.
fn measure_age(service: &'static str, oldest: Option<DateTime<Utc>>) {
    let age = oldest.and_then(|since| (SystemClock.now() - since).to_std().ok()).unwrap_or_default();
    metrics::gauge!("quoin_relay_oldest_unpublished_seconds", "service" => service).set(age);
}

fn watch_for_stall(service: &'static str, started: Instant, events: usize) {
    let stalled = started.elapsed();
    if stalled >= STALL_AFTER {
        tracing::error!(service, events, ?stalled, "the log does not acknowledge; the outbox grows until it does");
    }
}

async fn grace_after(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(STOP_GRACE).await;
}
