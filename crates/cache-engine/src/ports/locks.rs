//! Short-lived locks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cache_ports::{LockAttempt, LockKey, LockLease, ShortLivedLock, coordination::keyspaces};
use metrics::{counter, histogram};

use crate::{
    engine::Core,
    store::{LeaseToken, Place, StoreError},
};

pub(super) struct Locks {
    core: Arc<Core>,
}

impl Locks {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core) }
    }
}

#[async_trait]
impl ShortLivedLock for Locks {
    async fn try_acquire(&self, lock: LockKey, ttl: Duration) -> LockAttempt {
        // Counted from before the store was asked, so that we never believe in a lock longer than the store does.
        let asked = std::time::Instant::now();
        let token = LeaseToken::unique();
        let key = keyspaces::lock_key(&lock);
        let (keyspace, text) = (key.keyspace(), key.text());
        let ttl = ttl.min(keyspace.ttl.hard);
        let at = Place { workload: keyspace.workload, key: &text };
        let outcome = self.core.store.acquire(at, token, ttl).await;
        let word = match outcome {
            Ok(true) => "granted",
            Ok(false) => "held",
            Err(why) => crate::meters::word(why),
        };
        counter!("cache_lock_attempts_total", "keyspace" => keyspace.name, "outcome" => word).increment(1);
        if outcome == Err(StoreError::TimedOut) {
            // It may be ours without our knowing; others need not wait for it.
            let _ = self.core.store.release(at, token).await;
        }
        match outcome {
            Ok(true) => LockAttempt::Granted(LockLease::new(lock, token.0, asked, asked + ttl)),
            Ok(false) => LockAttempt::Held,
            Err(_) => LockAttempt::Unavailable,
        }
    }

    async fn release(&self, lease: LockLease) {
        let key = keyspaces::lock_key(lease.key());
        let keyspace = key.keyspace();
        let text = key.text();
        let at = Place { workload: keyspace.workload, key: &text };
        histogram!("cache_lock_hold_seconds", "keyspace" => keyspace.name).record(lease.held());
        let _ = self.core.store.release(at, LeaseToken(*lease.token())).await;
    }
}
