//! What the liar does and says, operation by operation.
//!
//! Owns the ways in which an answer differs from the truth. Must never change what the honest store holds except where that
//! is the lie.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use kernel::Version;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    Lie, LyingStore, Waiting,
    writes::{Count, Reply, Write},
};
use crate::{
    counters::CounterStore,
    frame::HEADER_BYTES,
    store::{
        ByteStore, CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest,
        LeaseToken, Place, StoreError, Stored, Workload,
    },
    streams::StreamStore,
};

/// What a client waits for an answer.
const BUDGET: Duration = Duration::from_millis(50);
/// How long a call waits for another to swap replies with.
const PARTNER: Duration = Duration::from_millis(5);

type Told<T> = Result<T, StoreError>;

impl LyingStore {
    /// What happens to the store between two operations.
    async fn meanwhile(&self) {
        let now = self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let due = self.seen().due(now);
        for late in due {
            self.strike();
            // What comes of it nobody hears.
            let _ = late.write.perform(&*self.honest, Place { workload: late.workload, key: &late.key }).await;
        }
        match self.lie {
            Lie::Flush if self.falls() => {
                self.strike();
                self.subject.flush().await;
            }
            Lie::Failover if self.seen().losable() > 0 && self.falls() => self.fail_over().await,
            Lie::EvictionStorm if self.falls() => {
                let keys = self.seen().half_of_the_keys(&mut self.dice());
                for key in keys {
                    self.strike();
                    self.subject.evict(Place { workload: Workload::Catalog, key: &key }).await;
                }
            }
            _ => {}
        }
    }

    async fn fail_over(&self) {
        let lost = {
            let mut seen = self.seen();
            let how_many = self.dice().usize(1..=seen.losable());
            seen.lost(how_many)
        };
        for before in lost {
            self.strike();
            let at = Place { workload: before.workload, key: &before.key };
            match before.stored() {
                Some(stored) => self.subject.plant(at, &stored.bytes, stored.remaining).await,
                None => self.subject.evict(at).await,
            }
        }
    }

    async fn told(&self, at: Place<'_>) -> Told<Option<Stored>> {
        self.meanwhile().await;
        if matches!(self.lie, Lie::Loading | Lie::Busy) && self.falls() {
            return self.refuse();
        }
        let truth = self.honest.read(at).await?;
        match self.lie {
            Lie::RepliesSwapped => self.swapped_read(at.key, Ok(truth)).await,
            Lie::Slow49 | Lie::Slow51 | Lie::Slow500 if self.falls() => self.slowly(truth).await,
            Lie::Reset if self.falls() => {
                self.strike();
                self.fail(StoreError::Unavailable)
            }
            _ => Ok(self.instead_of(at, truth)),
        }
    }

    /// What is said to lie there.
    fn instead_of(&self, at: Place<'_>, truth: Option<Stored>) -> Option<Stored> {
        let reads = matches!(
            self.lie,
            Lie::AlwaysMiss
                | Lie::OldValue
                | Lie::AnotherVersion
                | Lie::AnotherId
                | Lie::AnotherTenant
                | Lie::Truncated
                | Lie::Flipped
        );
        if !reads || !self.falls() {
            return truth;
        }
        let (seen, mut dice) = (self.seen(), self.dice());
        let lie = match self.lie {
            Lie::OldValue => seen.older(at.key, truth.as_ref()),
            Lie::AnotherVersion => seen.another_version(at.key, truth.as_ref(), &mut dice),
            Lie::AnotherId => seen.another_id(at.key, &mut dice),
            Lie::AnotherTenant => seen.another_tenant(at.key, &mut dice),
            Lie::Truncated => truth.as_ref().map(|stored| cut(stored, &mut dice)),
            Lie::Flipped => truth.as_ref().and_then(|stored| flip(stored, &mut dice)),
            _ => None,
        };
        match (lie, &truth) {
            (None, Some(_)) if self.lie == Lie::AlwaysMiss => {
                self.strike();
                None
            }
            (None, _) => truth,
            (lie, _) => {
                self.strike();
                lie
            }
        }
    }

    async fn done(&self, at: Place<'_>, write: Write) -> Told<Reply> {
        self.meanwhile().await;
        self.note(at, &write).await;
        let (honest, falls) = (&*self.honest, self.falls());
        match self.lie {
            Lie::WritesDropped if falls => {
                self.strike();
                Ok(write.as_if_done())
            }
            Lie::ExecutedLate if falls => {
                self.put_off(at, &write);
                self.fail(StoreError::TimedOut)
            }
            Lie::ExecutedTwice if falls => {
                let reply = write.perform(honest, at).await;
                self.put_off(at, &write);
                reply
            }
            Lie::RepliesSwapped => {
                let reply = write.perform(honest, at).await;
                self.swapped_write(at.key, &write, reply).await
            }
            Lie::Slow500 if falls => self.long_after(at, write).await,
            Lie::Slow49 | Lie::Slow51 if falls => {
                let reply = write.perform(honest, at).await?;
                self.slowly(reply).await
            }
            Lie::Reset if falls => {
                self.strike();
                write.perform(honest, at).await?;
                self.fail(StoreError::Unavailable)
            }
            Lie::NoScript if falls && write.is_script() => self.refuse(),
            Lie::OutOfMemory if falls && write.needs_memory() => self.refuse(),
            Lie::ReadOnly | Lie::Loading | Lie::Busy if falls => self.refuse(),
            Lie::CounterReset => self.reset_counters(write).perform(honest, at).await,
            Lie::LeaseTwice if falls => {
                self.lease_to_somebody_else(at, &write).await?;
                Ok(self.granted_again(write.perform(honest, at).await?))
            }
            _ => Ok(self.granted_again(write.perform(honest, at).await?)),
        }
    }

    /// Remembers what the lies need.
    async fn note(&self, at: Place<'_>, write: &Write) {
        if self.lie == Lie::Failover && !matches!(write, Write::Count(_)) {
            let before = self.subject.peek(at).await;
            self.seen().journaled(at, before.as_ref());
        }
        let mut seen = self.seen();
        if let (Some(frame), Write::Fill { ttl, .. } | Write::Put { ttl, .. }) = (write.frame(), write) {
            seen.frame_put(at.key, frame, *ttl);
        }
        seen.key_written(at.key);
    }

    fn put_off(&self, at: Place<'_>, write: &Write) {
        self.strike();
        let now = self.asked();
        self.seen().put_off(at, write, now, &mut self.dice());
    }

    /// Another process has been quicker, and is never heard of again.
    async fn lease_to_somebody_else(&self, at: Place<'_>, write: &Write) -> Told<()> {
        if let Write::Lease(request) = write {
            self.honest.lease(at, LeaseRequest { token: LeaseToken::unique(), ..*request }).await?;
        }
        Ok(())
    }

    /// Held is said to be granted.
    fn granted_again(&self, reply: Reply) -> Reply {
        match (self.lie, &reply) {
            (Lie::LockTwice, Reply::Yes(false)) => {
                self.strike();
                Reply::Yes(true)
            }
            (Lie::LeaseTwice, Reply::Lease(LeaseReply::Held)) => {
                self.strike();
                Reply::Lease(LeaseReply::Granted { at_least: Version::ZERO })
            }
            _ => reply,
        }
    }

    /// Counts elsewhere, where nothing was counted yet.
    fn reset_counters(&self, write: Write) -> Write {
        let Write::Count(mut counts) = write else { return write };
        if self.dice().bool() {
            self.strike();
            let elsewhere = self.struck();
            for count in &mut counts {
                count.key = format!("{}~{elsewhere}", count.key);
            }
        }
        Write::Count(counts)
    }

    async fn slowly<T>(&self, truth: T) -> Told<T> {
        self.strike();
        if self.lie == Lie::Slow49 {
            sleep(BUDGET.saturating_sub(Duration::from_millis(1))).await;
            return Ok(truth);
        }
        sleep(BUDGET).await;
        self.fail(StoreError::TimedOut)
    }

    /// Executed when nobody waits for it any more.
    async fn long_after(&self, at: Place<'_>, write: Write) -> Told<Reply> {
        self.strike();
        let (honest, workload, key) = (Arc::clone(&self.honest), at.workload, at.key.to_owned());
        tokio::spawn(async move {
            sleep(10 * BUDGET).await;
            let _ = write.perform(&*honest, Place { workload, key: &key }).await;
        });
        sleep(BUDGET).await;
        self.fail(StoreError::TimedOut)
    }

    fn refuse<T>(&self) -> Told<T> {
        self.strike();
        self.fail(StoreError::Refused)
    }

    fn fail<T>(&self, why: StoreError) -> Told<T> {
        self.bypassed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(why)
    }

    async fn swapped_read(&self, key: &str, mine: Told<Option<Stored>>) -> Told<Option<Stored>> {
        let partner = {
            let mut swap = self.swap();
            let differs = swap.read.as_ref().is_some_and(|other| other.key != key);
            if differs { swap.read.take() } else { None }
        };
        if let Some(other) = partner {
            return self.exchange(other, mine);
        }
        let (take, taken) = oneshot::channel();
        self.swap().read = Some(Waiting { key: key.to_owned(), mine: mine.clone(), take });
        timeout(PARTNER, taken).await.map_or_else(|_| mine.clone(), |swapped| swapped.unwrap_or(mine.clone()))
    }

    async fn swapped_write(&self, key: &str, write: &Write, mine: Told<Reply>) -> Told<Reply> {
        let Ok(reply) = &mine else { return mine };
        if !write.is_like(reply) {
            return mine;
        }
        let partner = {
            let mut swap = self.swap();
            let fits = swap
                .write
                .as_ref()
                .is_some_and(|other| other.key != key && other.mine.as_ref().is_ok_and(|theirs| write.is_like(theirs)));
            if fits { swap.write.take() } else { None }
        };
        if let Some(other) = partner {
            return self.exchange(other, mine);
        }
        let (take, taken) = oneshot::channel();
        self.swap().write = Some(Waiting { key: key.to_owned(), mine: mine.clone(), take });
        timeout(PARTNER, taken).await.map_or_else(|_| mine.clone(), |swapped| swapped.unwrap_or(mine.clone()))
    }

    /// Takes the other's reply; one who has stopped waiting keeps his own, and so do we.
    fn exchange<R: Clone>(&self, other: Waiting<R>, mine: R) -> R {
        if other.take.send(mine.clone()).is_err() {
            return mine;
        }
        self.strike();
        other.mine
    }
}

/// The beginning of a frame.
fn cut(stored: &Stored, dice: &mut fastrand::Rng) -> Stored {
    let at = dice.usize(0..stored.bytes.len().max(1));
    Stored { bytes: stored.bytes.slice(..at.min(stored.bytes.len())), ..*stored }
}

/// A frame with one bit flipped.
fn flip(stored: &Stored, dice: &mut fastrand::Rng) -> Option<Stored> {
    let mut bytes = stored.bytes.to_vec();
    let at = dice.usize(0..bytes.len().max(1));
    *bytes.get_mut(at)? ^= 1 << dice.u8(0..8);
    Some(Stored { bytes: Bytes::from(bytes), ..*stored })
}

#[async_trait]
impl ByteStore for LyingStore {
    async fn read(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        self.told(at).await
    }

    async fn read_many(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            all.push(self.told(Place { workload, key }).await?);
        }
        Ok(all)
    }

    async fn lease(&self, at: Place<'_>, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        match self.done(at, Write::Lease(request)).await? {
            Reply::Lease(reply) => Ok(reply),
            _ => Err(StoreError::Refused),
        }
    }

    async fn fill(&self, at: Place<'_>, request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        let FillRequest { token, version, frame, ttl } = request;
        match self.done(at, Write::Fill { token, version, frame: frame.to_vec(), ttl }).await? {
            Reply::Fill(reply) => Ok(reply),
            _ => Err(StoreError::Refused),
        }
    }

    async fn abandon(&self, at: Place<'_>, token: LeaseToken) -> Result<(), StoreError> {
        self.done(at, Write::Abandon(token)).await.map(drop)
    }

    async fn invalidate(&self, at: Place<'_>, at_least: Version, ttl: Duration) -> Result<InvalidateReply, StoreError> {
        match self.done(at, Write::Invalidate { at_least, ttl }).await? {
            Reply::Invalidate(reply) => Ok(reply),
            _ => Err(StoreError::Refused),
        }
    }

    async fn discard(&self, at: Place<'_>, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        self.done(at, Write::Discard(Box::new(*header))).await.map(drop)
    }

    async fn put(&self, at: Place<'_>, frame: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.done(at, Write::Put { frame: frame.to_vec(), ttl }).await.map(drop)
    }

    async fn acquire(&self, at: Place<'_>, token: LeaseToken, ttl: Duration) -> Result<bool, StoreError> {
        Ok(matches!(self.done(at, Write::Acquire { token, ttl }).await?, Reply::Yes(true)))
    }

    async fn release(&self, at: Place<'_>, token: LeaseToken) -> Result<bool, StoreError> {
        Ok(matches!(self.done(at, Write::Release(token)).await?, Reply::Yes(true)))
    }

    async fn count(&self, requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        let key = requests.first().map_or("", |request| request.key);
        let at = Place { workload: Workload::RateLimit, key };
        match self.done(at, Write::Count(requests.iter().map(Count::of).collect())).await? {
            Reply::Counts(replies) => Ok(replies),
            _ => Err(StoreError::Refused),
        }
    }

    /// Nobody rests on a live count: there is nothing to be misled about.
    fn counters(&self) -> &dyn CounterStore {
        self.honest.counters()
    }

    /// The same holds for what a stream says.
    fn streams(&self) -> &dyn StreamStore {
        self.honest.streams()
    }
}
