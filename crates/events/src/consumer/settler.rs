//! Makes the effects outside PostgreSQL (caches) after the commit, apart from the consumer: an accelerator that is away
//! must not hold up the tables. Retries until it works; what was not settled is read and settled again after a restart.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fail_points::{Step, reached};
use futures::{StreamExt, stream};
use kernel::{Clock, SystemClock};
use tokio::{sync::mpsc, task::JoinHandle};

use super::effect;
use crate::{Envelope, Partition, Reaction, backoff::Backoff};

/// Batches waiting to be settled; beyond that the consumer waits too, so that memory stays bounded.
const QUEUE: usize = 64;

/// Keys settled at the same time.
const CONCURRENCY: usize = 16;

/// A committed batch.
#[derive(Debug)]
pub(crate) struct Settling {
    pub partition: Partition,
    /// In order; events of one key are settled one after another.
    pub events: Vec<Envelope>,
    /// The offset after the batch.
    pub next: i64,
}

/// The settling task of one consumer. Dropping it ends the task; nothing is lost by that.
pub(crate) struct Settler {
    queue: mpsc::Sender<Settling>,
    settled: Arc<Mutex<HashMap<Partition, i64>>>,
    settling: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Settler {
    /// Starts the task.
    pub fn start(reaction: Arc<dyn Reaction>) -> Self {
        let (queue, mut batches) = mpsc::channel::<Settling>(QUEUE);
        let settled: Arc<Mutex<HashMap<Partition, i64>>> = Arc::default();
        let settling = Arc::new(AtomicUsize::new(0));
        let (done, left) = (Arc::clone(&settled), Arc::clone(&settling));
        let task = tokio::spawn(async move {
            while let Some(batch) = batches.recv().await {
                settle(&*reaction, batch.events).await;
                reached(Step::ConsumerSettled);
                done.lock().unwrap_or_else(PoisonError::into_inner).insert(batch.partition, batch.next);
                left.fetch_sub(1, Ordering::Release);
            }
        });
        Self { queue, settled, settling, task }
    }

    /// Queues the batch in `waiting` if there is room for it within `patience`; else leaves it there.
    pub async fn push(&self, waiting: &mut Option<Settling>, patience: Duration) {
        // The task ends only with this value, so the queue is open.
        if let Ok(Ok(room)) = tokio::time::timeout(patience, self.queue.reserve()).await
            && let Some(batch) = waiting.take()
        {
            self.settling.fetch_add(1, Ordering::AcqRel);
            room.send(batch);
        }
    }

    /// The offset after the last settled batch of `partition`.
    pub fn settled(&self, partition: &Partition) -> Option<i64> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).get(partition).copied()
    }

    /// Waits until every queued batch is settled.
    pub async fn finish(&self) {
        while self.settling.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Settles every event; returns when all are.
async fn settle(reaction: &dyn Reaction, events: Vec<Envelope>) {
    let mut keys: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
    for event in events {
        keys.entry(event.key()).or_default().push(event);
    }
    stream::iter(keys.into_values())
        .for_each_concurrent(CONCURRENCY, |events| async move {
            for event in events {
                settle_one(reaction, &event).await;
            }
        })
        .await;
}

async fn settle_one(reaction: &dyn Reaction, event: &Envelope) {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    let mut attempts: u64 = 0;
    while let Err(error) = effect::settle(reaction, event).await {
        attempts += 1;
        metrics::counter!("quoin_consumer_settle_retries_total", "consumer" => reaction.consumer()).increment(1);
        // At powers of two: the first failure is news, the thousandth is the same news.
        if attempts.is_power_of_two() {
            let cause = &*error.0 as &dyn std::error::Error;
            tracing::warn!(consumer = reaction.consumer(), event = %event.id, attempts, error = cause, "an effect after the commit failed");
        }
        tokio::time::sleep(backoff.next()).await;
    }
    // From the commit at the source to the effect outside PostgreSQL: for caches, until the key is gone.
    let lag = (SystemClock.now() - event.occurred_at).to_std().unwrap_or_default();
    metrics::histogram!("quoin_consumer_settled_seconds", "consumer" => reaction.consumer()).record(lag);
}
