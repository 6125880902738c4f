//! Live counts in this process's memory, with the semantics of the shared store.
//!
//! Owns shares and lists, and their bound. Must never know what is counted.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    counters::{CounterStore, Taken},
    store::StoreError,
};

/// Most shares and lists together; an attack with more objects is not counted rather than remembered without bound.
const MOST_KEYS: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MemoryCounters(Mutex<HashMap<String, Counted>>);

#[derive(Debug)]
struct Counted {
    what: What,
    ends: Instant,
}

#[derive(Debug)]
enum What {
    Share { total: u64, pending: u64 },
    List(HashMap<String, u64>),
}

impl MemoryCounters {
    /// Forgets everything.
    pub(crate) fn flush(&self) {
        self.lock().clear();
    }

    /// What is left of the life of a key.
    pub(crate) fn life(&self, key: &str) -> Option<Duration> {
        let now = Instant::now();
        self.lock().get(key).filter(|counted| counted.ends > now).map(|counted| counted.ends - now)
    }

    /// A panic while the table was locked leaves at worst one unit less.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(
        &self,
        key: &str,
        life: Duration,
        empty: What,
        change: impl FnOnce(&mut What) -> Option<R>,
    ) -> Result<R, StoreError> {
        let (now, mut table) = (Instant::now(), self.lock());
        if table.len() >= MOST_KEYS {
            table.retain(|_, counted| counted.ends > now);
        }
        if table.get(key).is_none_or(|counted| counted.ends <= now) {
            if table.len() >= MOST_KEYS {
                return Err(StoreError::Refused);
            }
            table.insert(key.to_owned(), Counted { what: empty, ends: now + life });
        }
        // What lies there may be of the other kind, which no writer here makes: refused, as by the shared store.
        table.get_mut(key).and_then(|counted| change(&mut counted.what)).ok_or(StoreError::Refused)
    }

    fn share(table: &HashMap<String, Counted>, key: &str, now: Instant) -> u64 {
        match table.get(key) {
            Some(Counted { what: What::Share { total, .. }, ends }) if *ends > now => *total,
            _ => 0,
        }
    }
}

#[async_trait]
impl CounterStore for MemoryCounters {
    async fn add(&self, share: &str, units: u64, life: Duration) -> Result<(), StoreError> {
        self.change(share, life, What::Share { total: 0, pending: 0 }, |what| match what {
            What::Share { total, pending } => {
                *total += units;
                *pending += units;
                Some(())
            }
            What::List(_) => None,
        })
    }

    async fn sum(&self, shares: &[String]) -> Result<u64, StoreError> {
        let (now, table) = (Instant::now(), self.lock());
        Ok(shares.iter().map(|share| Self::share(&table, share, now)).sum())
    }

    async fn take(&self, shares: &[String]) -> Result<Taken, StoreError> {
        let (now, mut table) = (Instant::now(), self.lock());
        let total = shares.iter().map(|share| Self::share(&table, share, now)).sum();
        let mut taken = 0;
        for share in shares {
            if let Some(Counted { what: What::Share { pending, .. }, ends }) = table.get_mut(share)
                && *ends > now
            {
                taken += std::mem::take(pending);
            }
        }
        Ok(Taken { pending: taken, total, complete: true })
    }

    async fn rank(&self, list: &str, member: &str, total: u64, keep: u16, life: Duration) -> Result<(), StoreError> {
        self.change(list, life, What::List(HashMap::new()), |what| match what {
            What::List(members) => {
                members.insert(member.to_owned(), total);
                while members.len() > usize::from(keep) {
                    let least = members.iter().min_by_key(|(name, total)| (**total, (*name).clone()));
                    let least = least.map(|(name, _)| name.clone())?;
                    members.remove(&least);
                }
                Some(())
            }
            What::Share { .. } => None,
        })
    }

    async fn top(&self, list: &str, limit: u16) -> Result<Vec<(String, u64)>, StoreError> {
        let (now, table) = (Instant::now(), self.lock());
        let Some(Counted { what: What::List(members), ends }) = table.get(list) else { return Ok(Vec::new()) };
        if *ends <= now {
            return Ok(Vec::new());
        }
        let mut ranked: Vec<(String, u64)> = members.iter().map(|(name, total)| (name.clone(), *total)).collect();
        ranked.sort_by(|one, other| (Reverse(one.1), &other.0).cmp(&(Reverse(other.1), &one.0)));
        ranked.truncate(usize::from(limit));
        Ok(ranked)
    }
}
