//! Sends what waits: takes deliveries under a term, sends them, notes how it went.
//!
//! Any number of processes do this side by side. A delivery belongs to whoever took it until its term ends; a process that
//! dies leaves it to be sent again. What a receiver sees is therefore each event at least once, and of each aggregate no
//! event before the one before it was acknowledged.

use std::{sync::Arc, time::Duration};

use kernel::{SharedClock, TenantId};
use service_runtime::TenantTx;
use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    Hub,
    config::Config,
    model::SuspendedBecause,
    resolver::Reach,
    rules::{
        backoff::{Pauses, pause},
        letter::letter,
    },
    sender::{Failure, Outcome, Sender},
    store::{
        deliveries::{self, Served, Slip, Take, Taken},
        subscriptions,
    },
};

/// Shortest and longest pause between two looks when there is nothing to do.
const IDLE_MIN: Duration = Duration::from_millis(20);
const IDLE_MAX: Duration = Duration::from_secs(1);

/// What sending needs, shared by all deliveries of a process.
pub(crate) struct Dispatcher {
    hub: &'static Hub,
    config: Arc<Config>,
    pool: PgPool,
    clock: SharedClock,
    hint: Arc<Notify>,
    sender: Sender,
    slots: Arc<Semaphore>,
    on_their_way: TaskTracker,
}

/// One delivery on its way.
struct Parcel {
    slip: Slip,
    served: Arc<Served>,
    taken: Taken,
}

impl Dispatcher {
    pub fn new(hub: &'static Hub, config: Arc<Config>, pool: PgPool, clock: SharedClock, hint: Arc<Notify>) -> Self {
        let reach = if config.allow_private_addresses { Reach::Anywhere } else { Reach::Public };
        let sender = Sender::new(config.timeout(), reach, config.allow_http);
        let slots = Arc::new(Semaphore::new(config.concurrency.max(1).into()));
        Self { hub, config, pool, clock, hint, sender, slots, on_their_way: TaskTracker::new() }
    }

    /// Runs until `stop`, then waits for what is on its way.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut idle = IDLE_MIN;
        while !stop.is_cancelled() {
            match Arc::clone(&this).round().await {
                Ok(true) => {
                    idle = IDLE_MIN;
                    continue;
                }
                Ok(false) => {}
                Err(error) => {
                    let service = this.hub.service;
                    tracing::warn!(service, error = &error as &dyn std::error::Error, "callbacks cannot be served");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.hint.notified() => idle = IDLE_MIN,
                () = tokio::time::sleep(idle) => idle = (idle * 2).min(IDLE_MAX),
            }
        }
        this.on_their_way.close();
        this.on_their_way.wait().await;
    }

    /// Looks once at every subscription that may have work; says whether anything moved.
    async fn round(self: Arc<Self>) -> sqlx::Result<bool> {
        if self.slots.available_permits() == 0 {
            return Ok(false);
        }
        let mut conn = self.pool.acquire().await?;
        let busy = deliveries::busy_subscriptions(&mut conn, self.hub.service).await?;
        drop(conn);
        let mut moved = false;
        for (tenant, subscription) in busy {
            // The table holds nothing else; a name that is none is nobody's.
            let Ok(tenant) = tenant.parse::<TenantId>() else { continue };
            moved |= Arc::clone(&self).serve(tenant, subscription).await?;
        }
        Ok(moved)
    }

    /// Queues and takes what there is room for, and sends it off.
    async fn serve(self: Arc<Self>, tenant: TenantId, subscription: Uuid) -> sqlx::Result<bool> {
        let schema = self.hub.service;
        let mut permits = Vec::new();
        while permits.len() < usize::from(self.config.concurrency_per_subscription)
            && let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned()
        {
            permits.push(permit);
        }
        let mut tx = TenantTx::begin(&self.pool, &tenant).await?;
        let Some(served) = deliveries::lock_active(&mut tx, schema, &tenant, subscription).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        let queued = deliveries::queue(&mut tx, schema, &tenant, subscription).await?;
        let (claim, take) = (Uuid::now_v7(), self.take(permits.len()));
        let taken = deliveries::take(&mut tx, schema, &tenant, subscription, claim, take).await?;
        tx.commit().await?;
        let moved = queued || !taken.is_empty();
        let served = Arc::new(served);
        for (taken, permit) in taken.into_iter().zip(permits) {
            let slip = Slip { tenant: tenant.clone(), subscription, sequence: taken.numbered.sequence, claim };
            let parcel = Parcel { slip, served: Arc::clone(&served), taken };
            self.on_their_way.spawn(Arc::clone(&self).deliver(parcel, permit));
        }
        Ok(moved)
    }

    fn take(&self, room: usize) -> Take {
        Take {
            at_once: self.config.concurrency_per_subscription.into(),
            room: i64::try_from(room).unwrap_or_default(),
            term: self.config.claim_term(),
        }
    }

    /// Sends one delivery and notes how it went. What cannot be noted is sent again when its term ends.
    async fn deliver(self: Arc<Self>, parcel: Parcel, permit: OwnedSemaphorePermit) {
        let outcome = self.send(&parcel).await;
        let word = match &outcome {
            Outcome::Delivered => "delivered",
            Outcome::Gone(_) => "gone",
            Outcome::Failed(_) => "failed",
        };
        let service = self.hub.service;
        metrics::counter!("quoin_webhook_deliveries_total", "service" => service, "outcome" => word).increment(1);
        if let Err(error) = self.note(&parcel, outcome).await {
            tracing::warn!(service, error = &error as &dyn std::error::Error, "a delivery was made and not noted");
        }
        drop(permit);
        self.hint.notify_one();
    }

    async fn send(&self, parcel: &Parcel) -> Outcome {
        let now = self.clock.now();
        match letter(&parcel.taken.numbered, &parcel.served.secrets, now) {
            Ok(letter) => self.sender.send(&parcel.served.callback, letter, now).await,
            Err(error) => {
                let error = format!("the event cannot be written: {error}");
                Outcome::Failed(Failure { status: None, error, retry_after: None })
            }
        }
    }

    async fn note(&self, parcel: &Parcel, outcome: Outcome) -> sqlx::Result<()> {
        let (schema, slip) = (self.hub.service, &parcel.slip);
        let mut tx = TenantTx::begin(&self.pool, &slip.tenant).await?;
        match outcome {
            Outcome::Delivered => deliveries::acknowledge(&mut tx, schema, slip).await?,
            Outcome::Gone(failure) => {
                self.put_back(&mut tx, parcel, &failure).await?;
                self.suspend(&mut tx, slip, SuspendedBecause::Gone).await?;
            }
            Outcome::Failed(failure) => {
                if self.put_back(&mut tx, parcel, &failure).await? {
                    self.suspend(&mut tx, slip, SuspendedBecause::Failing).await?;
                }
            }
        }
        tx.commit().await
    }

    /// Says whether it has failed for too long.
    async fn put_back(&self, tx: &mut TenantTx, parcel: &Parcel, failure: &Failure) -> sqlx::Result<bool> {
        let config = &self.config;
        let pauses = Pauses {
            base: Duration::from_millis(config.retry_base_ms),
            cap: Duration::from_millis(config.retry_cap_ms),
        };
        let wait = pause(parcel.taken.attempts, pauses, failure.retry_after, fastrand::f64());
        deliveries::put_back(tx, self.hub.service, &parcel.slip, failure, wait, config.suspend_after()).await
    }

    async fn suspend(&self, tx: &mut TenantTx, slip: &Slip, because: SuspendedBecause) -> sqlx::Result<()> {
        let (service, word) = (self.hub.service, because.word());
        if subscriptions::suspend(tx, service, &slip.tenant, slip.subscription, because).await? {
            tracing::warn!(service, tenant = %slip.tenant, subscription = %slip.subscription, because = word,
                "a subscription was suspended");
        }
        Ok(())
    }
}
