//! Live counts: gathered in this process, written out behind the requests, moved into the metrics.
//!
//! Owns what has been counted and not written out, and the task that does it. A count that cannot be written is left out:
//! nobody waits, nothing is sent twice. Must never let a tenant or an object become a label.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cache_ports::counters::{
    LiveCount, LiveCounters, Tally,
    keyspaces::{self, LIVE_COUNTER, MOST_COUNTED, RANKED, SHARDS},
};
use kernel::TenantId;
use metrics::counter;
use tokio::{runtime::Handle, task::JoinSet};
use uuid::Uuid;

use crate::{engine::Core, store::StoreError};

/// How long a count may wait until it is written out. What a process loses when it dies is what it counted since.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Every that many times what was written is moved into the metrics, and the list of the greatest is brought up to date.
const WRITES_PER_MOVE: u32 = 5;
/// Most objects with something to write or to move; what is counted beyond them is left out.
const MOST_OBJECTS: usize = 10_000;
/// Objects written or moved at the same time: a burst must not push other commands out of the connection.
const AT_ONCE: usize = 32;

type Object = (TenantId, LiveCount, Uuid);

/// See the module.
pub(super) struct Counters {
    shared: Arc<Shared>,
}

struct Shared {
    core: Arc<Core>,
    noted: Mutex<Noted>,
}

/// What this process has counted.
#[derive(Default)]
struct Noted {
    /// Not written out yet.
    fresh: HashMap<Object, u64>,
    /// Written out, and perhaps not moved by anybody.
    written: HashSet<Object>,
    /// Whether the task runs that writes and moves.
    tended: bool,
}

impl Counters {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { shared: Arc::new(Shared { core: Arc::clone(core), noted: Mutex::default() }) }
    }
}

#[async_trait]
impl LiveCounters for Counters {
    fn count(&self, tenant: &TenantId, what: LiveCount, object: Uuid) {
        if self.shared.note((tenant.clone(), what, object)) {
            // Outside a runtime nothing is written until somebody asks for it.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(Arc::clone(&self.shared).tend());
            } else {
                self.shared.lock().tended = false;
            }
        }
    }

    async fn sum(&self, tenant: &TenantId, what: LiveCount, object: Uuid) -> Option<u64> {
        let answer = self.shared.core.store.counters().sum(&shares(tenant, what, object)).await;
        answer.inspect_err(|why| skipped("read", 1, *why)).ok()
    }

    async fn most_counted(&self, tenant: &TenantId, what: LiveCount, limit: u16) -> Option<Vec<Tally>> {
        let list = keyspaces::most_counted_key(tenant, what).text();
        let answer = self.shared.core.store.counters().top(&list, limit.min(RANKED)).await;
        let ranked = answer.inspect_err(|why| skipped("read", 1, *why)).ok()?;
        let tally = |(member, count): (String, u64)| Some(Tally { object: member.parse().ok()?, count });
        Some(ranked.into_iter().filter_map(tally).collect())
    }

    async fn flush(&self) {
        self.shared.write_out().await;
        self.shared.move_on().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; whether the task that writes and moves has to be started.
    fn note(&self, object: Object) -> bool {
        let mut noted = self.lock();
        if noted.fresh.len() >= MOST_OBJECTS && !noted.fresh.contains_key(&object) {
            drop(noted);
            left_out("write", 1, "full");
            return false;
        }
        *noted.fresh.entry(object).or_default() += 1;
        !mem::replace(&mut noted.tended, true)
    }

    /// Writes and moves until there is nothing left to do.
    async fn tend(self: Arc<Self>) {
        for round in 1_u32.. {
            tokio::time::sleep(WRITE_EVERY).await;
            self.write_out().await;
            if round % WRITES_PER_MOVE == 0 {
                self.move_on().await;
                let mut noted = self.lock();
                if noted.fresh.is_empty() && noted.written.is_empty() {
                    noted.tended = false;
                    return;
                }
            }
        }
    }

    async fn write_out(self: &Arc<Self>) {
        let fresh: Vec<(Object, u64)> = mem::take(&mut self.lock().fresh).into_iter().collect();
        let mut away = None;
        for batch in fresh.chunks(AT_ONCE) {
            let units: u64 = batch.iter().map(|(_, units)| units).sum();
            if let Some(why) = away {
                skipped("write", units, why);
                continue;
            }
            let mut writes = JoinSet::new();
            for (object, units) in batch.iter().cloned() {
                writes.spawn(Arc::clone(self).write(object, units));
            }
            let outcomes = writes.join_all().await;
            // When nobody got through, the rest need not try.
            if outcomes.iter().all(Result::is_err) {
                away = outcomes.into_iter().find_map(Result::err);
            }
        }
    }

    async fn write(self: Arc<Self>, object: Object, units: u64) -> Result<(), StoreError> {
        let (tenant, what, id) = &object;
        let share = keyspaces::live_counter_key(tenant, *what, *id, fastrand::u16(..SHARDS)).text();
        let outcome = self.core.store.counters().add(&share, units, LIVE_COUNTER.ttl.hard).await;
        match outcome {
            Ok(()) => {
                let mut noted = self.lock();
                if noted.written.len() < MOST_OBJECTS {
                    noted.written.insert(object);
                }
            }
            // After a timeout it may have been added: sent again, it might be added twice.
            Err(why) => skipped("write", units, why),
        }
        outcome
    }

    async fn move_on(self: &Arc<Self>) {
        let written: Vec<Object> = mem::take(&mut self.lock().written).into_iter().collect();
        for batch in written.chunks(AT_ONCE) {
            let mut moves = JoinSet::new();
            for object in batch.iter().cloned() {
                moves.spawn(Arc::clone(self).move_one(object));
            }
            // When nobody got through, the rest need not try: their units stay where they are.
            if moves.join_all().await.iter().all(Result::is_err) {
                break;
            }
        }
    }

    async fn move_one(self: Arc<Self>, object: Object) -> Result<(), StoreError> {
        let (tenant, what, id) = &object;
        let counters = self.core.store.counters();
        // On an error the units stay where they are: whoever counts this object next moves them as well.
        let taken = counters.take(&shares(tenant, *what, *id)).await.inspect_err(|why| skipped("move", 1, *why))?;
        counter!(what.metric()).increment(taken.pending);
        if taken.complete {
            let (list, member) = (keyspaces::most_counted_key(tenant, *what).text(), id.to_string());
            let ranked = counters.rank(&list, &member, taken.total, RANKED, MOST_COUNTED.ttl.hard);
            if let Err(why) = ranked.await {
                skipped("rank", 1, why);
            }
        } else {
            self.lock().written.insert(object);
        }
        Ok(())
    }
}

fn shares(tenant: &TenantId, what: LiveCount, object: Uuid) -> Vec<String> {
    (0..SHARDS).map(|shard| keyspaces::live_counter_key(tenant, what, object, shard).text()).collect()
}

fn skipped(step: &'static str, units: u64, why: StoreError) {
    left_out(step, units, crate::meters::word(why));
}

fn left_out(step: &'static str, units: u64, why: &'static str) {
    counter!("cache_counts_skipped_total", "keyspace" => LIVE_COUNTER.name, "step" => step, "reason" => why)
        .increment(units);
}
