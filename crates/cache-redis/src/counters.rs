//! Live counts over Redis.
//!
//! Owns how shares and lists become commands: a share is a hash of all its units and of those nobody has taken, a list is a
//! sorted set. Must never know what is counted.

use std::time::Duration;

use async_trait::async_trait;
use cache_engine::{
    StoreError,
    counters::{CounterStore, Taken},
    store::Workload,
};
use fred::{
    clients::{Client, Pipeline, WithOptions},
    interfaces::{HashesInterface, SortedSetsInterface},
    types::Value,
};
use futures::future::join_all;

use crate::{
    connections::Urgency,
    meters::Operation,
    store::{RedisStore, millis},
};

/// The field of all units of a share.
const TOTAL: &str = "t";

#[async_trait]
impl CounterStore for RedisStore {
    async fn add(&self, share: &str, units: u64, life: Duration) -> Result<(), StoreError> {
        let arguments = vec![number(units), millis(life)];
        let (script, keys) = (&self.scripts.counter_add, vec![self.key(share)]);
        self.pool(Workload::Counter).script(Operation::CounterAdd, Urgency::Help, script, keys, arguments).await
    }

    async fn sum(&self, shares: &[String]) -> Result<u64, StoreError> {
        let keys: Vec<String> = shares.iter().map(|share| self.key(share)).collect();
        let read = async |client: &WithOptions<Client>| {
            let pipeline = Pipeline::from(client.clone());
            for key in &keys {
                let () = pipeline.hget(key, TOTAL).await?;
            }
            pipeline.all::<Vec<Option<u64>>>().await
        };
        let units = self.pool(Workload::Counter).run(Operation::CounterSum, Urgency::Help, read).await?;
        Ok(units.into_iter().flatten().sum())
    }

    async fn take(&self, shares: &[String]) -> Result<Taken, StoreError> {
        let pool = self.pool(Workload::Counter);
        // A script for each share: they lie on different nodes of a cluster. Sent together, they are one round trip.
        let scripts = shares.iter().map(|share| {
            let (script, keys) = (&self.scripts.counter_take, vec![self.key(share)]);
            pool.script::<(u64, u64)>(Operation::CounterTake, Urgency::Help, script, keys, Vec::new())
        });
        let mut taken = Taken { pending: 0, total: 0, complete: true };
        let (mut answered, mut failed) = (false, None);
        for answer in join_all(scripts).await {
            match answer {
                Ok((pending, total)) => {
                    taken.pending += pending;
                    taken.total += total;
                    answered = true;
                }
                Err(why) => failed = Some(why),
            }
        }
        taken.complete = failed.is_none();
        match failed {
            Some(why) if !answered => Err(why),
            _ => Ok(taken),
        }
    }

    async fn rank(&self, list: &str, member: &str, total: u64, keep: u16, life: Duration) -> Result<(), StoreError> {
        let arguments = vec![member.into(), number(total), number(keep.into()), millis(life)];
        let (script, keys) = (&self.scripts.counter_rank, vec![self.key(list)]);
        self.pool(Workload::Counter).script(Operation::CounterRank, Urgency::Help, script, keys, arguments).await
    }

    async fn top(&self, list: &str, limit: u16) -> Result<Vec<(String, u64)>, StoreError> {
        let (key, end) = (self.key(list), i64::from(limit) - 1);
        if end < 0 {
            return Ok(Vec::new());
        }
        let read = async |client: &WithOptions<Client>| client.zrevrange::<Vec<String>, _>(key, 0, end, true).await;
        let flat = self.pool(Workload::Counter).run(Operation::CounterTop, Urgency::Help, read).await?;
        let pair = |pair: &[String]| Some((pair.first()?.clone(), pair.get(1)?.parse().ok()?));
        Ok(flat.chunks_exact(2).filter_map(pair).collect())
    }
}

fn number(of: u64) -> Value {
    Value::Integer(i64::try_from(of).unwrap_or(i64::MAX))
}
