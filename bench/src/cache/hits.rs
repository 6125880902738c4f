//! Hits: in this process beside bare in-process caches (S7), in Redis beside the bare client (S8).

use std::{hint::black_box, sync::Arc, time::Duration};

use anyhow::Result;
use cache_engine::{Engine, EngineConfig, MemoryStore};
use cache_ports::{
    Caches, ServedFrom,
    catalog::{OfferingDocument, keyspaces::offering_key},
};
use kernel::{OfferingId, PublicationId, TenantId};

use super::{
    hitbox::Hitbox,
    redis::{self, KEYS, Redis},
    table::{Line, Table},
    timing::{nanos_each, per_second},
};

/// The same typed documents in each cache, under the same keys.
pub struct Memory {
    tenant: TenantId,
    publication: PublicationId,
    offerings: Vec<OfferingId>,
    /// What the port makes of each key before it looks it up.
    packed: Vec<Box<[u8]>>,
    moka: moka::sync::Cache<Box<[u8]>, Arc<OfferingDocument>>,
    quick: quick_cache::sync::Cache<Box<[u8]>, Arc<OfferingDocument>>,
    caches: Caches,
}

impl Memory {
    /// Fills all of them.
    pub async fn filled() -> Result<Self> {
        let (tenant, publication): (TenantId, _) = ("bench".parse()?, PublicationId::generate());
        let offerings: Vec<OfferingId> = (0..KEYS).map(|_| OfferingId::generate()).collect();
        let packed: Vec<Box<[u8]>> = offerings
            .iter()
            .map(|offering| offering_key(&tenant, publication, *offering, "en").packed().as_slice().into())
            .collect();
        let capacity = u64::try_from(KEYS * 10)?;
        let (moka, quick) = (moka::sync::Cache::new(capacity), quick_cache::sync::Cache::new(KEYS * 10));
        let caches = Engine::new(Arc::new(MemoryStore::new()), EngineConfig::default()).caches();
        let value = Arc::new(redis::document()?);
        let load = redis::loader(redis::document()?);
        for (offering, key) in offerings.iter().zip(&packed) {
            moka.insert(key.clone(), Arc::clone(&value));
            quick.insert(key.clone(), Arc::clone(&value));
            caches.catalog.offering(&tenant, publication, *offering, "en", &load).await?;
        }
        Ok(Self { tenant, publication, offerings, packed, moka, quick, caches })
    }

    /// One round of S7.
    pub async fn measure(&self, hitbox: &Hitbox, table: &mut Table, time: Duration) -> Result<()> {
        let line = |what, floor| Line { row: "S7", what, unit: "ns/hit", floor };
        let time = time / 2;
        let moka = nanos_each(time, async |number| drop(black_box(self.moka.get(&self.packed[number % KEYS])))).await;
        table.add(line("moka sync, key ready made", None), moka);
        let quick = nanos_each(time, async |number| drop(black_box(self.quick.get(&self.packed[number % KEYS])))).await;
        table.add(line("quick_cache, key ready made", None), quick);
        let load = redis::loader(redis::document()?);
        let offering = async |number: usize| {
            let offering = self.offerings[number % KEYS];
            self.caches.catalog.offering(&self.tenant, self.publication, offering, "en", &load).await
        };
        let first = offering(0).await?;
        anyhow::ensure!(first.is_some_and(|served| served.source == ServedFrom::L1), "this is no hit in memory");
        let port = nanos_each(time, async |number| drop(black_box(offering(number).await))).await;
        table.add(line("through the port", Some("moka sync, key ready made")), port);
        table.add(line("hitbox on moka", Some("moka sync, key ready made")), hitbox.memory(time).await?);
        Ok(())
    }
}

/// One round of S8 and of the guards' cost on reads.
pub async fn measure_redis(redis: &Arc<Redis>, hitbox: &Hitbox, table: &mut Table, time: Duration) -> Result<()> {
    for (tasks, row) in [(64, "S8, 64 tasks"), (1, "S8, 1 task")] {
        let line = |what, floor| Line { row, what, unit: "calls/s", floor };
        macro_rules! measured {
            ($method:ident) => {{
                let redis = Arc::clone(redis);
                per_second(tasks, time, move |number| {
                    let redis = Arc::clone(&redis);
                    async move { redis.$method(number).await }
                })
                .await?
            }};
        }
        table.add(line("fred, GET", None), measured!(get));
        table.add(line("store, read", Some("fred, GET")), measured!(store_read));
        table.add(line("fred, GET and PTTL, pipeline", Some("fred, GET")), measured!(get_and_life));
        table.add(line("fred, GET and PTTL, side by side", Some("fred, GET")), measured!(get_beside_life));
        table.add(line("fred, GET and PTTL, script", Some("fred, GET")), measured!(get_and_life_by_script));
        table.add(line("fred, GET and parse", Some("fred, GET")), measured!(get_and_parse));
        table.add(line("through the port, decoded", Some("fred, GET and parse")), measured!(port_read));
        let rival = hitbox.redis(time, &redis.url, tasks).await?;
        table.add(line("hitbox on Redis, decoded", Some("fred, GET and parse")), rival);
    }
    Ok(())
}
