//! The in-process tier: typed values, by packed key.
//!
//! Owns the bound in bytes and the age limit. A hit renders no key, parses nothing and takes no lock shared by all cores. What
//! may change under its key is kept only while hints reach this process: `told` owns those rules. Must never keep a value that
//! was being read while something newer became known.

mod told;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cache_ports::{Served, ServedFrom, key::PackedKey, keyspace::Keyspace};
use kernel::Version;
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};

use crate::hints::{Doubt, KeyHash, MemoryState, Told};

pub(crate) use told::Ticket;
use told::Watch;

/// A decoded value takes about as much room again as its JSON, twice.
const DECODED_PER_JSON_BYTE: u64 = 2;
/// Table entry, counters and allocations beside the value.
const ENTRY_OVERHEAD_BYTES: u64 = 160;
/// A shard must have room for several of the largest values, or they would never be kept.
const LARGEST_VALUES_PER_SHARD: u32 = 4;

/// See the module.
pub(crate) struct MemoryTier<T> {
    cache: Cache<Box<[u8]>, Entry<T>, ByBytes>,
    max_age_ms: u64,
    /// Where hints tell what changed; absent where nothing changes.
    watch: Option<Watch>,
}

/// One value.
pub(crate) struct Entry<T> {
    pub(crate) value: Arc<T>,
    pub(crate) json: Option<Bytes>,
    pub(crate) version: Version,
    /// When the authority was asked, in the engine's milliseconds; before zero when that was before the engine was built.
    pub(crate) born_ms: i64,
    /// From then on it is not served.
    pub(crate) ends_ms: u64,
    pub(crate) payload_bytes: usize,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), json: self.json.clone(), ..*self }
    }
}

/// A value to be kept.
pub(crate) struct Keep<'a, T> {
    pub(crate) key: &'a [u8],
    pub(crate) served: &'a Served<T>,
    pub(crate) payload_bytes: usize,
    /// How long the store would go on serving it.
    pub(crate) left: Duration,
    /// When the read that brought it began, where hints reach the keyspace.
    pub(crate) ticket: Option<&'a Ticket>,
}

#[derive(Clone)]
struct ByBytes;

impl<T> Weighter<Box<[u8]>, Entry<T>> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, entry: &Entry<T>) -> u64 {
        let json = u64::from(entry.json.is_some());
        key.len() as u64 + entry.payload_bytes as u64 * (DECODED_PER_JSON_BYTE + json) + ENTRY_OVERHEAD_BYTES
    }
}

impl<T> MemoryTier<T> {
    /// The tier for `keyspace`, if it declares one.
    pub(crate) fn of(keyspace: &'static Keyspace) -> Option<Self> {
        let (max_bytes, max_age) = keyspace.in_memory()?;
        let shards = (max_bytes / keyspace.size.max_bytes / LARGEST_VALUES_PER_SHARD).clamp(1, 64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(max_bytes as usize / 4096)
            .weight_capacity(max_bytes.into())
            .shards(shards as usize)
            .build()
            .ok()?;
        let cache = Cache::with_options(
            options,
            ByBytes,
            quick_cache::DefaultHashBuilder::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        let watch = keyspace.is_hinted().then(|| Watch::over(keyspace));
        Some(Self { cache, max_age_ms: u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX), watch })
    }

    /// A value that is still young enough.
    pub(crate) fn get(&self, key: &PackedKey, min: Version, now_ms: u64) -> Option<Served<T>> {
        if self.watch.as_ref().is_some_and(|watch| !watch.is_trusted(now_ms)) {
            return None;
        }
        let entry = self.cache.get(key.as_slice())?;
        if entry.ends_ms <= now_ms || entry.version < min {
            return None;
        }
        let age_ms = now_ms.saturating_sub_signed(entry.born_ms);
        Some(Served {
            value: entry.value,
            json: entry.json,
            version: entry.version,
            age: Duration::from_millis(age_ms),
            source: ServedFrom::L1,
        })
    }

    /// Keeps a value of that age for as long as the keyspace allows, but not past what is `left` of it.
    pub(crate) fn keep(&self, keep: &Keep<'_, T>, now_ms: u64) {
        let left_ms = u64::try_from(keep.left.as_millis()).unwrap_or(u64::MAX);
        // What may change is as old as the question that brought it: the answer may have been on its way for a while.
        let began_ms = keep.ticket.map_or(now_ms, |ticket| ticket.began_ms);
        let age_ms = i64::try_from(keep.served.age.as_millis()).unwrap_or(i64::MAX);
        let entry = Entry {
            value: Arc::clone(&keep.served.value),
            json: keep.served.json.clone(),
            version: keep.served.version,
            born_ms: i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_sub(age_ms),
            ends_ms: now_ms.saturating_add(left_ms).min(began_ms.saturating_add(self.max_age_ms)),
            payload_bytes: keep.payload_bytes,
        };
        match (&self.watch, keep.ticket) {
            (None, _) => self.cache.insert(keep.key.into(), entry),
            (Some(watch), Some(ticket)) => watch.keep(&self.cache, keep.key, entry, ticket, now_ms),
            // Nobody knows when that read began.
            (Some(_), None) => {}
        }
    }

    /// Notes that a read of `key` begins now, where hints reach the keyspace.
    pub(crate) fn ticket(&self, key: &str, now_ms: u64) -> Option<Ticket> {
        self.watch.as_ref().map(|watch| watch.ticket(KeyHash::of(key), now_ms))
    }

    /// Bytes kept, by the tier's own estimate.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

impl<T: Send + Sync> Told for MemoryTier<T> {
    fn keyspace(&self) -> &'static str {
        self.watch.as_ref().map_or("", Watch::name)
    }

    fn apply(&self, key: KeyHash, version: Version, now_ms: u64) {
        if let Some(watch) = &self.watch {
            watch.apply(&self.cache, key, version, now_ms);
        }
    }

    fn flush(&self, why: Doubt) {
        if let Some(watch) = &self.watch {
            watch.flush(&self.cache, why);
        }
    }

    fn trust_until(&self, until_ms: u64, now_ms: u64) {
        if let Some(watch) = &self.watch {
            watch.trust_until(&self.cache, until_ms, now_ms);
        }
    }

    fn state(&self, now_ms: u64) -> MemoryState {
        self.watch.as_ref().map_or_else(MemoryState::default, |watch| watch.state(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use cache_ports::{catalog::keyspaces::OFFERING, key::Key, pricing::keyspaces::PRICE_BOOK};
    use kernel::{OfferingId, PublicationId, TenantId};

    use super::*;

    fn key(tenant: &TenantId, number: u128) -> Key<'_> {
        let (publication, offering) =
            (PublicationId::from(uuid::Uuid::nil()), OfferingId::from(uuid::Uuid::from_u128(number)));
        cache_ports::catalog::keyspaces::offering_key(tenant, publication, offering, "en")
    }

    fn served(version: u64, age: Duration) -> Served<u64> {
        let (version, source) = (Version::new(version), ServedFrom::L2);
        Served { value: Arc::new(5), json: None, version, age, source }
    }

    fn keep(
        tier: &MemoryTier<u64>,
        key: &PackedKey,
        served: &Served<u64>,
        payload_bytes: usize,
        left: Duration,
        now_ms: u64,
    ) {
        tier.keep(&Keep { key: key.as_slice(), served, payload_bytes, left, ticket: None }, now_ms);
    }

    #[test]
    fn a_value_leaves_at_its_age_and_is_no_older_than_demanded() {
        let (tier, tenant) = (MemoryTier::of(&OFFERING).unwrap(), "acme".parse().unwrap());
        let packed = key(&tenant, 1).packed();
        let second = Duration::from_secs(1);
        keep(&tier, &packed, &served(3, second), 10, second * 10, 5_000);
        let found = tier.get(&packed, Version::ZERO, 7_000).unwrap();
        assert_eq!((*found.value, found.age, found.source), (5, second * 3, ServedFrom::L1));
        assert!(tier.get(&packed, Version::new(4), 7_000).is_none());
        assert!(tier.get(&packed, Version::ZERO, 14_999).is_some());
        assert!(tier.get(&packed, Version::ZERO, 15_000).is_none());
        keep(&tier, &packed, &served(3, second), 10, second * 100_000, 0);
        let (_, max_age) = OFFERING.in_memory().unwrap();
        let end = u64::try_from(max_age.as_millis()).unwrap();
        assert!(tier.get(&packed, Version::ZERO, end - 1).is_some());
        assert!(tier.get(&packed, Version::ZERO, end).is_none());
    }

    #[test]
    fn it_is_bounded_in_bytes_and_has_room_for_the_largest_value() {
        let tenant = "acme".parse().unwrap();
        for keyspace in [&OFFERING, &PRICE_BOOK] {
            let tier = MemoryTier::of(keyspace).unwrap();
            let largest = keyspace.size.max_bytes as usize;
            for number in 0..500 {
                let packed = key(&tenant, number).packed();
                keep(&tier, &packed, &served(1, Duration::ZERO), largest, Duration::from_secs(9), 0);
                assert!(tier.get(&packed, Version::ZERO, 1).is_some(), "{} {number}", keyspace.name);
                assert!(tier.bytes() <= keyspace.in_memory().unwrap().0.into());
            }
        }
    }
}
