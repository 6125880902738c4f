//! No store: every read goes to the authority, every limit is counted by this process alone.
//!
//! Owns the answers of a store that is not there on purpose. Unlike one that failed, it makes no invalidation wait.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ports::{key::Scope, keyspace::Workload};
use kernel::Version;

use crate::{
    counters::{CounterStore, Taken},
    frame::HEADER_BYTES,
    scan::{Glimpse, KeyScan, Page, Position},
    store::{
        ByteStore, CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest,
        LeaseToken, Place, StoreError, Stored,
    },
    streams::{Reader, StreamBounds, StreamEntry, StreamId, StreamStore},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoStore;

#[async_trait]
impl ByteStore for NoStore {
    async fn read(&self, _at: Place<'_>) -> Result<Option<Stored>, StoreError> {
        Ok(None)
    }

    async fn read_many(&self, _workload: Workload, keys: &[&str]) -> Result<Vec<Option<Stored>>, StoreError> {
        Ok(vec![None; keys.len()])
    }

    async fn lease(&self, _at: Place<'_>, _request: LeaseRequest) -> Result<LeaseReply, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn fill(&self, _at: Place<'_>, _request: FillRequest<'_>) -> Result<FillReply, StoreError> {
        Ok(FillReply::LeaseLost)
    }

    async fn abandon(&self, _at: Place<'_>, _token: LeaseToken) -> Result<(), StoreError> {
        Ok(())
    }

    async fn invalidate(
        &self,
        _at: Place<'_>,
        _at_least: Version,
        _ttl: Duration,
    ) -> Result<InvalidateReply, StoreError> {
        Ok(InvalidateReply::NotOlder)
    }

    async fn discard(&self, _at: Place<'_>, _header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put(&self, _at: Place<'_>, _frame: &[u8], _ttl: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    async fn acquire(&self, _at: Place<'_>, _token: LeaseToken, _ttl: Duration) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn release(&self, _at: Place<'_>, _token: LeaseToken) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn count(&self, _requests: &[CountRequest<'_>]) -> Result<Vec<CountReply>, StoreError> {
        Err(StoreError::Unavailable)
    }
}

#[async_trait]
impl CounterStore for NoStore {
    async fn add(&self, _share: &str, _units: u64, _life: Duration) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn sum(&self, _shares: &[String]) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn take(&self, _shares: &[String]) -> Result<Taken, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn rank(
        &self,
        _list: &str,
        _member: &str,
        _total: u64,
        _keep: u16,
        _life: Duration,
    ) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn top(&self, _list: &str, _limit: u16) -> Result<Vec<(String, u64)>, StoreError> {
        Err(StoreError::Unavailable)
    }
}

#[async_trait]
impl StreamStore for NoStore {
    async fn append(&self, _stream: &str, _payloads: &[Bytes], _bounds: StreamBounds) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn read_after(&self, _stream: &str, _after: StreamId, _limit: u16) -> Result<Vec<StreamEntry>, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn take(
        &self,
        _stream: &str,
        _reader: Reader<'_>,
        _abandoned_after: Duration,
        _limit: u16,
    ) -> Result<Vec<StreamEntry>, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn acknowledge(&self, _stream: &str, _group: &str, _ids: &[StreamId]) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }
}

#[async_trait]
impl KeyScan for NoStore {
    async fn scan(&self, _scope: &Scope<'_>, _from: Position, _steps: u32) -> Result<Page, StoreError> {
        Ok(Page::default())
    }

    async fn glimpse(&self, _workload: Workload, keys: &[&str]) -> Result<Vec<Option<Glimpse>>, StoreError> {
        Ok(vec![None; keys.len()])
    }

    async fn unlink(&self, _workload: Workload, _keys: &[&str]) -> Result<u64, StoreError> {
        Ok(0)
    }
}
