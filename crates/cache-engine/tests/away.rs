//! A store that fails costs one question, and no answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cache_engine::{
    ByteStore, NoStore, Place, StoreError, Stored,
    contract::{authority::Authority, drivers, new_tenant, over},
    frame::HEADER_BYTES,
    store::{
        CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken,
        Version, Workload,
    },
};
use cache_ports::{
    CacheUnavailable, LockAttempt, LockKey, ServedFrom, UserKey, counters::LiveCount, streams::StreamId,
};
use kernel::ContentHash;

/// Answers everything with one error, and counts.
struct Away {
    why: StoreError,
    asked: AtomicUsize,
}

impl Away {
    fn answer<T>(&self) -> Result<T, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err(self.why)
    }
}

#[async_trait]
impl ByteStore for Away {
    async fn read(&self, _at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        self.answer()
    }
    async fn read_many(&self, _workload: Workload, _keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.answer()
    }
    async fn lease(&self, _at: Place<'_>, _request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        self.answer()
    }
    async fn fill(&self, _at: Place<'_>, _request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        self.answer()
    }
    async fn abandon(&self, _at: Place<'_>, _token: LeaseToken) -> Result<(), StoreError> {
        self.answer()
    }
    async fn invalidate(&self, _at: Place<'_>, _least: Version, _ttl: Duration) -> Result<InvalidateReply, StoreError> {
        self.answer()
    }
    async fn discard(&self, _at: Place<'_>, _header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        self.answer()
    }
    async fn put(&self, _at: Place<'_>, _frame: &[u8], _ttl: Duration) -> Result<(), StoreError> {
        self.answer()
    }
    async fn acquire(&self, _at: Place<'_>, _token: LeaseToken, _ttl: Duration) -> Result<bool, StoreError> {
        self.answer()
    }
    async fn release(&self, _at: Place<'_>, _token: LeaseToken) -> Result<bool, StoreError> {
        self.answer()
    }
    async fn count(&self, _requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        self.answer()
    }
}

#[tokio::test]
async fn a_failing_store_is_asked_once_a_read_and_changes_no_answer() {
    use StoreError::{BreakerOpen, Refused, TimedOut, Unavailable};
    for why in [Unavailable, TimedOut, BreakerOpen, Refused] {
        let store = Arc::new(Away { why, asked: AtomicUsize::new(0) });
        let caches = over(store.clone(), false);
        for driver in drivers::all() {
            let (tenant, there, not_there) = (new_tenant(), Authority::with(3), Authority::without());
            store.asked.store(0, Ordering::SeqCst);
            let answer = driver.get(&caches, &tenant, &there).await;
            assert_eq!((answer.version, answer.source), (Some(Version::new(3)), Some(ServedFrom::Authority)));
            assert_eq!(store.asked.load(Ordering::SeqCst), 1, "{}: {why}", driver.keyspace.name);
            assert_eq!(driver.get(&caches, &new_tenant(), &not_there).await.version, None);
        }
        for (driver, invalidate) in drivers::invalidated() {
            let outcome = invalidate(caches.clone(), new_tenant(), 1, Version::FIRST).await;
            assert_eq!(outcome, Err(CacheUnavailable), "{}", driver.keyspace.name);
        }
        let lock = LockKey::CacheWarm { tenant: new_tenant(), key_hash: ContentHash::of_bytes(b"x") };
        assert!(matches!(caches.locks.try_acquire(lock, Duration::from_secs(1)).await, LockAttempt::Unavailable));
        assert_eq!(caches.warm.take(&new_tenant(), "w", 1).await, None);
        let user = UserKey::of(&new_tenant(), "sam");
        assert_eq!(caches.notices.after(&new_tenant(), &user, StreamId::START, 1).await, None);
        let (tenant, object) = (new_tenant(), uuid::Uuid::now_v7());
        caches.counters.count(&tenant, LiveCount::OfferingViews, object);
        caches.counters.flush().await;
        assert_eq!(caches.counters.sum(&tenant, LiveCount::OfferingViews, object).await, None);
        assert_eq!(caches.counters.most_counted(&tenant, LiveCount::OfferingViews, 1).await, None);
    }
}

#[tokio::test]
async fn without_a_store_on_purpose_no_event_waits() {
    let caches = over(Arc::new(NoStore), true);
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::with(3));
        let first = driver.get(&caches, &tenant, &authority).await;
        let second = driver.get(&caches, &tenant, &authority).await;
        let never_changes = driver.keyspace.in_memory().is_some() && !driver.keyspace.is_hinted();
        let again = if never_changes { ServedFrom::L1 } else { ServedFrom::Authority };
        assert_eq!(
            (first.source, second.source),
            (Some(ServedFrom::Authority), Some(again)),
            "{}",
            driver.keyspace.name
        );
    }
    for (driver, invalidate) in drivers::invalidated() {
        let outcome = invalidate(caches.clone(), new_tenant(), 1, Version::FIRST).await;
        assert_eq!(outcome, Ok(()), "{}", driver.keyspace.name);
    }
}
