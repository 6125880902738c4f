//! One store for each tenant, so that many lies are told at the same time without meeting.
//!
//! Owns finding the tenant in a key, and which keyspaces were asked for. Must never mix two tenants' stores.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cache_engine::{
    ByteStore, Place, StoreError, Stored,
    frame::HEADER_BYTES,
    store::{
        CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken,
        Version, Workload,
    },
};
use cache_ports::registry;

/// See the module.
pub struct ByTenant {
    stores: HashMap<String, Arc<dyn ByteStore>>,
    asked: Mutex<BTreeSet<&'static str>>,
}

impl ByTenant {
    /// The stores by tenant.
    pub const fn of_each(stores: HashMap<String, Arc<dyn ByteStore>>) -> Self {
        Self { stores, asked: Mutex::new(BTreeSet::new()) }
    }

    /// The tenant is the second segment of every key, in braces where keys of one tenant lie together.
    fn of(&self, key: &str) -> Result<&dyn ByteStore, StoreError> {
        let tenant = key.split(':').nth(1).unwrap_or_default().trim_matches(['{', '}']);
        let store = self.stores.get(tenant).ok_or(StoreError::Unavailable)?;
        let keyspace = registry::keyspace_of(key).map(|keyspace| keyspace.name);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(keyspace);
        Ok(&**store)
    }

    /// The keyspaces of all keys that were asked for, to read or to write.
    pub fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl ByteStore for ByTenant {
    async fn read(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        self.of(at.key)?.read(at).await
    }

    async fn examine(&self, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        self.of(at.key)?.examine(at).await
    }

    async fn read_many(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.of(keys.first().copied().unwrap_or_default())?.read_many(workload, keys).await
    }

    async fn lease(&self, at: Place<'_>, request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        self.of(at.key)?.lease(at, request).await
    }

    async fn fill(&self, at: Place<'_>, request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        self.of(at.key)?.fill(at, request).await
    }

    async fn abandon(&self, at: Place<'_>, token: LeaseToken) -> Result<(), StoreError> {
        self.of(at.key)?.abandon(at, token).await
    }

    async fn invalidate(&self, at: Place<'_>, at_least: Version, ttl: Duration) -> Result<InvalidateReply, StoreError> {
        self.of(at.key)?.invalidate(at, at_least, ttl).await
    }

    async fn discard(&self, at: Place<'_>, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        self.of(at.key)?.discard(at, header).await
    }

    async fn put(&self, at: Place<'_>, frame: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.of(at.key)?.put(at, frame, ttl).await
    }

    async fn acquire(&self, at: Place<'_>, token: LeaseToken, ttl: Duration) -> Result<bool, StoreError> {
        self.of(at.key)?.acquire(at, token, ttl).await
    }

    async fn release(&self, at: Place<'_>, token: LeaseToken) -> Result<bool, StoreError> {
        self.of(at.key)?.release(at, token).await
    }

    async fn count(&self, requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        self.of(requests.first().map_or("", |request| request.key))?.count(requests).await
    }
}
