//! Reading what lies in Redis, with the life it has left.
//!
//! Owns which commands that takes. Of a key whose frame is remembered the value alone is asked; where another frame lies there
//! by now, or nothing is remembered, value and life are asked together. Must never serve what `lives` says has ended.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_engine::{Place, StoreError, Stored, store::Workload};
use fred::{
    clients::{Client, WithOptions},
    error::Error,
    interfaces::KeysInterface,
};
use futures::future::try_join_all;

use crate::{
    cluster,
    connections::Urgency,
    lives::{Known, Slot, Told},
    meters::Operation,
    store::RedisStore,
};

/// What lies at a place.
pub(crate) async fn read(store: &RedisStore, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
    let key = store.key(at.key);
    let slot = store.lives.slot(&key);
    let read = async |client: &WithOptions<Client>| {
        let Some(known) = store.lives.known(slot) else {
            return Box::pin(learn(store, client, &key, slot)).await;
        };
        let bytes = client.get::<Option<Bytes>, _>(key).await?;
        match store.lives.told(slot, &known, bytes, Instant::now()) {
            Told::All(stored) => Ok(stored),
            // Apart, as above: what is seldom asked must not make every read's own state bigger.
            Told::Ask => Box::pin(learn(store, client, &store.key(at.key), slot)).await,
        }
    };
    store.pool(at.workload).run(Operation::Read, Urgency::Help, read).await
}

/// The same without what is remembered, which is left as it was.
pub(crate) async fn examine(store: &RedisStore, at: Place<'_>) -> Result<Option<Stored>, StoreError> {
    let key = store.key(at.key);
    let examine = async |client: &WithOptions<Client>| ask(client, &key).await;
    store.pool(at.workload).run(Operation::Read, Urgency::Help, examine).await
}

/// A key that is read with others.
struct Asked {
    key: String,
    slot: Slot,
    known: Option<Known>,
}

/// What lies at several places of one workload.
pub(crate) async fn read_many(
    store: &RedisStore,
    workload: Workload,
    keys: &[&str],
) -> Result<Vec<Option<Stored>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (pool, asked) = (store.pool(workload), Instant::now());
    let keys: Vec<Asked> = keys
        .iter()
        .map(|key| {
            let key = store.key(key);
            let slot = store.lives.slot(&key);
            Asked { slot, known: store.lives.known(slot), key }
        })
        .collect();
    let read = async |client: &WithOptions<Client>| {
        let unknown = keys.iter().filter(|asked| asked.known.is_none());
        let lives = try_join_all(unknown.map(|asked| client.pttl::<i64, _>(asked.key.as_str())));
        let (values, lives) = tokio::try_join!(values(client, pool.is_clustered(), &keys), lives)?;
        let (mut lives, now) = (lives.into_iter(), Instant::now());
        let told = keys.iter().zip(values).map(|(key, bytes)| match &key.known {
            Some(known) => store.lives.told(key.slot, known, bytes, now),
            None => Told::All(store.lives.learned(key.slot, stored(bytes, lives.next()), asked, now)),
        });
        let told: Vec<Told> = told.collect();
        try_join_all(keys.iter().zip(told).map(async |(key, told)| match told {
            Told::All(stored) => Ok(stored),
            Told::Ask => learn(store, client, &key.key, key.slot).await,
        }))
        .await
    };
    pool.run(Operation::ReadMany, Urgency::Help, read).await
}

/// The values of all keys in their order: one command for all that one server has.
async fn values(client: &WithOptions<Client>, clustered: bool, keys: &[Asked]) -> Result<Vec<Option<Bytes>>, Error> {
    let groups = if clustered {
        cluster::by_slot(keys.iter().map(|asked| asked.key.as_str()))
    } else {
        vec![(0..keys.len()).collect()]
    };
    let found = try_join_all(groups.iter().map(|group| {
        let keys: Vec<&str> = group.iter().map(|at| keys[*at].key.as_str()).collect();
        client.mget::<Vec<Option<Bytes>>, _>(keys)
    }));
    let mut values: Vec<Option<Bytes>> = vec![None; keys.len()];
    for (group, found) in groups.iter().zip(found.await?) {
        for (position, value) in group.iter().zip(found) {
            values[*position] = value;
        }
    }
    Ok(values)
}

/// Asks for value and life, and remembers them.
async fn learn(
    store: &RedisStore,
    client: &WithOptions<Client>,
    key: &str,
    slot: Slot,
) -> Result<Option<Stored>, Error> {
    let asked = Instant::now();
    let stored = ask(client, key).await?;
    Ok(store.lives.learned(slot, stored, asked, Instant::now()))
}

/// Value and life. Side by side, not as a pipeline: the client sends each command of a pipeline in a packet of its own, and what
/// stands in its queue together in one. They keep their order all the same.
async fn ask(client: &WithOptions<Client>, key: &str) -> Result<Option<Stored>, Error> {
    let (bytes, life) = tokio::try_join!(client.get::<Option<Bytes>, _>(key), client.pttl::<i64, _>(key))?;
    Ok(stored(bytes, Some(life)))
}

/// `life` is Redis's answer to PTTL: -1 for no end, -2 for a key that ended since it was read.
fn stored(bytes: Option<Bytes>, life: Option<i64>) -> Option<Stored> {
    const NO_END: i64 = -1;
    let remaining = match life {
        Some(NO_END) => None,
        life => Some(life.and_then(|millis| u64::try_from(millis).ok()).map_or(Duration::ZERO, Duration::from_millis)),
    };
    bytes.map(|bytes| Stored { bytes, remaining })
}
