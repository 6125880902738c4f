//! Walking over the store in memory: in order of the keys, from the last one seen.

use async_trait::async_trait;
use cache_ports::{key::Scope, keyspace::Workload};
use tokio::time::Instant;

use super::MemoryStore;
use crate::{
    frame::HEADER_BYTES,
    scan::{Glimpse, KeyScan, Page, Position},
    store::StoreError,
};

#[async_trait]
impl KeyScan for MemoryStore {
    async fn scan(&self, scope: &Scope<'_>, from: Position, steps: u32) -> Result<Page, StoreError> {
        let (now, table) = (Instant::now(), self.lock());
        let live = table.entries.iter().filter(|(_, entry)| entry.ends.is_none_or(|ends| ends > now));
        let mut rest: Vec<&String> = live.map(|(key, _)| key).filter(|key| **key > from.cursor).collect();
        rest.sort_unstable();
        let steps = usize::try_from(steps).unwrap_or(usize::MAX).max(1);
        let more = rest.len() > steps;
        rest.truncate(steps);
        let next = rest.last().filter(|_| more).map(|last| Position { node: 0, cursor: (*last).clone() });
        Ok(Page { keys: rest.into_iter().filter(|key| scope.covers(key)).cloned().collect(), next })
    }

    async fn glimpse(&self, _workload: Workload, keys: &[&str]) -> Result<Vec<Option<Glimpse>>, StoreError> {
        let (now, table) = (Instant::now(), self.lock());
        let glimpse = |key: &&str| {
            let stored = table.stored(key, now)?;
            let head = stored.bytes.slice(..stored.bytes.len().min(HEADER_BYTES));
            Some(Glimpse { head, len: stored.bytes.len() as u64, remaining: stored.remaining })
        };
        Ok(keys.iter().map(glimpse).collect())
    }

    async fn unlink(&self, _workload: Workload, keys: &[&str]) -> Result<u64, StoreError> {
        let (now, mut table) = (Instant::now(), self.lock());
        let mut held = 0;
        for key in keys {
            held += u64::from(table.stored(key, now).is_some());
            table.remove(key);
        }
        Ok(held)
    }
}
