//! A consumer's work from joining to leaving: batches, retries, parking, what follows a commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kernel::{Clock, SystemClock};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    ConsumerConfig,
    asking::Asking,
    batch::{Applier, BatchError, Committed},
    blame::Blame,
    drain::Occasion,
    membership::{Membership, MembershipError},
    pace::Pace,
    settler::{Settler, Settling},
};
use crate::{Delivery, Guard, Partition, Publisher, Record, Source, SourceError, backoff::Backoff};

/// Longest wait for records before looking after leases, gaps and the stop signal.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long effects after the commit may take after the stop signal.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How often keys with gaps are looked at and the inbox is pruned.
const HOUSEKEEPING_EVERY: Duration = Duration::from_hours(1);

/// Days an applied event id is remembered; logs and parking lots hold events for less.
const INBOX_DAYS: i32 = 30;

/// Keys with gaps looked at in one round of housekeeping.
const MAX_GAPS: i64 = 1_000;

/// Why the work ended early. Nothing that was not committed happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interrupted {
    #[error("the membership ended")]
    Membership(#[from] MembershipError),
    #[error("the log cannot be read")]
    Source(#[from] SourceError),
    #[error("housekeeping failed")]
    Housekeeping(#[from] sqlx::Error),
    #[error("a parked key could not be looked at")]
    Parked(#[source] BatchError),
    #[error("another consumer has the partition")]
    PartitionLost,
}

/// How an attempt on a batch ended.
enum Outcome {
    Committed(Committed),
    /// Nothing was committed; `at` is the place of the record to blame, where that is known.
    Poison {
        at: Option<usize>,
        error: String,
    },
    /// Stopped, or the partition went elsewhere.
    GivenUp,
}

/// What a consumer knows while nothing fails.
pub(crate) struct Session<'a> {
    applier: &'a Applier,
    source: &'a mut dyn Source,
    config: ConsumerConfig,
    pace: Pace,
    membership: Membership<'a>,
    settler: Settler,
    asking: Asking,
    housekeeping: Option<Instant>,
    progressed: bool,
}

impl<'a> Session<'a> {
    pub fn new(
        applier: &'a Applier,
        source: &'a mut dyn Source,
        config: ConsumerConfig,
        publisher: Option<Arc<dyn Publisher>>,
    ) -> Self {
        let settler = Settler::start(applier.reaction.clone());
        let membership = Membership::new(applier, config);
        let asking = Asking::new(publisher, applier.lot, config.ask_again_after);
        let pace = Pace::new(config.batch, config.lease);
        Self { applier, source, config, pace, membership, settler, asking, housekeeping: None, progressed: false }
    }

    /// Forgets everything that must be read from the database again; answers whether anything was committed.
    pub fn forget(&mut self) -> bool {
        self.membership.forget();
        std::mem::take(&mut self.progressed)
    }

    fn consumer(&self) -> &'static str {
        self.applier.reaction.consumer()
    }

    /// Works until `stop`.
    pub async fn work(&mut self, stop: &CancellationToken) -> Result<(), Interrupted> {
        self.membership.join(self.source).await?;
        while !stop.is_cancelled() {
            self.keep_membership().await?;
            self.keep_house().await?;
            self.ask_again().await?;
            for (partition, records) in by_partition(self.next_records(stop).await?) {
                self.take(&partition, &records, stop).await?;
            }
        }
        if timeout(STOP_GRACE, self.settler.finish()).await.is_err() {
            tracing::warn!(consumer = self.consumer(), "effects after the commit are left for the next start");
        }
        Ok(self.membership.leave(self.source, &self.settler).await?)
    }

    async fn keep_membership(&mut self) -> Result<(), Interrupted> {
        Ok(self.membership.renew_if_due(self.source, &self.settler).await?)
    }

    async fn next_records(&mut self, stop: &CancellationToken) -> Result<Vec<Delivery>, Interrupted> {
        let wait = self.membership.renew_in().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        if self.membership.is_idle() {
            sleep_or_stop(wait, stop).await;
            return Ok(Vec::new());
        }
        tokio::select! {
            records = self.source.next_batch(self.config.batch, wait) => Ok(records?),
            () = stop.cancelled() => Ok(Vec::new()),
        }
    }

    /// Applies one partition's records until they are applied, parked, or somebody else's.
    async fn take(
        &mut self,
        partition: &Partition,
        records: &[Delivery],
        stop: &CancellationToken,
    ) -> Result<(), Interrupted> {
        let Some(position) = self.membership.position(partition, &self.settler) else { return Ok(()) };
        // What lies before the position was applied, but perhaps not settled, by whoever had the partition before.
        let (known, mut fresh) = records.split_at(records.partition_point(|record| record.offset < position.next));
        self.settle_again(partition, known).await?;
        let mut blame = Blame::default();
        while !fresh.is_empty() {
            let count = blame.next(self.pace.records().min(fresh.len()));
            let (now, later) = fresh.split_at(count);
            let next = now.last().map_or(position.next, |record| record.offset + 1);
            let outcome = match self.apply(partition, now, stop).await? {
                Outcome::Poison { error, .. } if count == 1 => self.park(partition, now, error, stop).await?,
                outcome => outcome,
            };
            match outcome {
                Outcome::Committed(committed) => {
                    self.committed(partition, committed, next).await?;
                    fresh = later;
                    blame.passed(count);
                }
                Outcome::Poison { at, .. } => blame.failed(count, at),
                Outcome::GivenUp => return Ok(()),
            }
        }
        Ok(())
    }

    /// Applies a batch, as often as it takes.
    async fn apply(
        &mut self,
        partition: &Partition,
        records: &[Delivery],
        stop: &CancellationToken,
    ) -> Result<Outcome, Interrupted> {
        let mut backoff = retry_backoff();
        while let Some(position) = self.membership.position(partition, &self.settler) {
            let began = Instant::now();
            match self.applier.apply(partition, position, records).await {
                Ok(committed) => {
                    self.pace.took(records.len(), began.elapsed());
                    return Ok(Outcome::Committed(committed));
                }
                Err(BatchError::Poison { offset, cause }) => {
                    let at = offset.map(|offset| records.partition_point(|record| record.offset < offset));
                    return Ok(Outcome::Poison { at, error: describe(&*cause) });
                }
                Err(BatchError::Lost) => return Err(Interrupted::PartitionLost),
                Err(error @ BatchError::Transient(_)) => self.pause(&error, &mut backoff, stop).await?,
            }
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(Outcome::GivenUp)
    }

    /// Parks the one record in `records`, as often as it takes.
    async fn park(
        &mut self,
        partition: &Partition,
        records: &[Delivery],
        error: String,
        stop: &CancellationToken,
    ) -> Result<Outcome, Interrupted> {
        let mut backoff = retry_backoff();
        let [record] = records else { return Ok(Outcome::GivenUp) };
        tracing::error!(consumer = self.consumer(), ?partition, offset = record.offset, error, "an event is parked");
        while let Some(position) = self.membership.position(partition, &self.settler) {
            match self.applier.park(partition, position, record, error.clone()).await {
                Ok(committed) => return Ok(Outcome::Committed(committed)),
                Err(BatchError::Lost) => return Err(Interrupted::PartitionLost),
                Err(error) => self.pause(&error, &mut backoff, stop).await?,
            }
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(Outcome::GivenUp)
    }

    /// After a failure that may pass: waits, keeping the leases.
    async fn pause(
        &mut self,
        error: &BatchError,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), Interrupted> {
        let (consumer, pause) = (self.consumer(), backoff.next());
        metrics::counter!("quoin_consumer_retries_total", "consumer" => consumer).increment(1);
        tracing::warn!(consumer, error = error as &dyn std::error::Error, ?pause, "a batch is tried again");
        sleep_or_stop(pause, stop).await;
        self.keep_membership().await
    }

    /// Follows up a commit: position, metrics, effects elsewhere, keys that may go on.
    async fn committed(&mut self, partition: &Partition, done: Committed, next: i64) -> Result<(), Interrupted> {
        self.membership.advanced(partition, next);
        self.progressed = true;
        let consumer = self.consumer();
        for (outcome, count) in [("applied", done.applied), ("repeated", done.repeated), ("parked", done.parked)] {
            metrics::counter!("quoin_consumer_events_total", "consumer" => consumer, "outcome" => outcome)
                .increment(count);
        }
        let now = SystemClock.now();
        for event in &done.settle {
            let delay = (now - event.occurred_at).to_std().unwrap_or_default();
            metrics::histogram!("quoin_consumer_delay_seconds", "consumer" => consumer).record(delay);
        }
        self.settle(Settling { partition: partition.clone(), events: done.settle, next }).await?;
        self.asking.ask(done.wanted).await;
        self.drain(&done.gaps).await
    }

    async fn settle_again(&mut self, partition: &Partition, known: &[Delivery]) -> Result<(), Interrupted> {
        let Some(last) = known.last() else { return Ok(()) };
        let due = known.iter().filter_map(|delivery| match &delivery.record {
            Record::Event(event) => match self.applier.reaction.guard(&event.event_type) {
                Guard::Ignore | Guard::CountOnly => None,
                Guard::StateCarrying | Guard::Delta | Guard::EveryOnce => Some(event.clone()),
            },
            Record::Unreadable { .. } => None,
        });
        let events = due.collect();
        self.settle(Settling { partition: partition.clone(), events, next: last.offset + 1 }).await
    }

    /// Queues a batch for the settler; while its queue is full the leases are kept.
    async fn settle(&mut self, batch: Settling) -> Result<(), Interrupted> {
        let mut waiting = Some(batch);
        while waiting.is_some() {
            self.settler.push(&mut waiting, LONGEST_WAIT).await;
            self.keep_membership().await?;
        }
        Ok(())
    }

    async fn drain(&mut self, keys: &BTreeSet<String>) -> Result<(), Interrupted> {
        let consumer = self.consumer();
        for key in keys {
            match self.applier.drain(key, Occasion::GapMayBeClosed).await {
                Ok(drained) if drained.released > 0 => {
                    tracing::info!(consumer, key, events = drained.released, "a gap was closed");
                }
                // A transient failure is left for housekeeping: the key stays held, and that is safe.
                Ok(_) | Err(BatchError::Transient(_)) => {}
                Err(error) => return Err(Interrupted::Parked(error)),
            }
        }
        Ok(())
    }

    async fn ask_again(&mut self) -> Result<(), Interrupted> {
        if !self.asking.is_due() {
            return Ok(());
        }
        let mut conn = self.applier.pool.acquire().await?;
        Ok(self.asking.ask_again(&mut conn, &self.membership.partitions()).await?)
    }

    async fn keep_house(&mut self) -> Result<(), Interrupted> {
        if self.housekeeping.is_some_and(|last| last.elapsed() < HOUSEKEEPING_EVERY) {
            return Ok(());
        }
        self.housekeeping = Some(Instant::now());
        let mut conn = self.applier.pool.acquire().await?;
        self.applier.ledger.prune(&mut conn, INBOX_DAYS).await?;
        let gaps = self.applier.lot.gaps(&mut conn, MAX_GAPS).await?;
        drop(conn);
        self.drain(&gaps.into_iter().collect()).await
    }
}

/// Grows to 5 s: a database that restarts is back by then.
const fn retry_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
}

async fn sleep_or_stop(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(pause) => {}
        () = stop.cancelled() => {}
    }
}

/// An error with its causes, for the parking lot.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Records by partition, each in offset order.
fn by_partition(records: Vec<Delivery>) -> BTreeMap<Partition, Vec<Delivery>> {
    let mut partitions: BTreeMap<Partition, Vec<Delivery>> = BTreeMap::new();
    for record in records {
        partitions.entry(record.partition.clone()).or_default().push(record);
    }
    partitions
}
