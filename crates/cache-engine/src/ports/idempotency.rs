//! The fast path of idempotency: copies of committed answers.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{CachedResponse, FastIdempotencyCache, coordination::keyspaces};
use kernel::{ContentHash, TenantId, Version};

use crate::{
    engine::Core,
    frame::{self, Content, Life, Verdict, judge_by},
    meters::Meters,
    store::Place,
};

pub(super) struct Idempotency {
    core: Arc<Core>,
    meters: Meters,
}

impl Idempotency {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), meters: Meters::of(&keyspaces::IDEMPOTENCY) }
    }
}

#[async_trait]
impl FastIdempotencyCache for Idempotency {
    async fn done(&self, tenant: &TenantId, route: &str, key_hash: &ContentHash) -> Option<CachedResponse> {
        let keyspace = &keyspaces::IDEMPOTENCY;
        let key = keyspaces::idempotency_key(tenant, route, *key_hash).text();
        let stored = match self.core.store.read(Place { workload: keyspace.workload, key: &key }).await {
            Ok(stored) => stored,
            Err(why) => {
                self.meters.unread(why);
                return None;
            }
        };
        let Some(stored) = stored else {
            self.meters.miss_absent.increment(1);
            return None;
        };
        match judge_by(self.core.guards, keyspace, &key, Version::ZERO, &stored) {
            Verdict::Value { payload, .. } => {
                self.meters.hit_l2.increment(1);
                serde_json::from_slice(&payload).ok()
            }
            Verdict::Rejected(why, _) => {
                self.meters.rejected(why);
                None
            }
            Verdict::Negative { .. } | Verdict::Nothing | Verdict::Tombstone { .. } => None,
        }
    }

    async fn remember(&self, tenant: &TenantId, route: &str, key_hash: &ContentHash, response: &CachedResponse) {
        let keyspace = &keyspaces::IDEMPOTENCY;
        let key = keyspaces::idempotency_key(tenant, route, *key_hash).text();
        let Ok(payload) = serde_json::to_vec(response) else { return };
        let life = Life::drawn(keyspace);
        let generated_at_ms = self.core.config.clock.now().timestamp_millis();
        let content =
            Content { keyspace, key: &key, version: Version::FIRST, life, generated_at_ms, payload: Some(&payload) };
        match frame::write(&content) {
            // The record never changes once committed, so whoever writes it writes the same.
            Ok(frame) => {
                let at = Place { workload: keyspace.workload, key: &key };
                let _ = self.core.store.put(at, &frame, life.hard).await;
            }
            Err(frame::Oversize) => self.meters.oversize(),
        }
    }
}
