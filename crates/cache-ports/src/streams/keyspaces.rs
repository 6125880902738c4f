//! The keyspaces of streams and the builders of their keys.
//!
//! Owns the answers of the design review for each, and how long a stream and an entry may be. Must never know what reads them.

use std::time::Duration;

use kernel::TenantId;

use crate::UserKey;
use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, Keyspace, OnUnavailable, Owner, Revalidation,
        SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// Most entries of a warm queue: what is not loaded ahead is loaded when somebody asks.
pub const WARM_ENTRIES: u32 = 1_000;
/// A worker that says nothing for so long has died with what it took.
pub const WARM_ABANDONED_AFTER: Duration = Duration::from_secs(30);
/// Most notices kept for a user.
pub const NOTICE_ENTRIES: u32 = 100;
/// Longest entry of either stream, in bytes.
pub const MAX_ENTRY_BYTES: u32 = 512;

const fn lives(length: Duration) -> Ttl {
    Ttl { soft: length, hard: length, negative: None, tombstone: None, jitter_percent: 0 }
}

const fn holds(entries: u32) -> SizeLimit {
    SizeLimit { max_bytes: entries * MAX_ENTRY_BYTES, compress_above_bytes: entries * MAX_ENTRY_BYTES }
}

/// What is worth loading into a cache ahead of its readers.
pub static WARM_QUEUE: Keyspace = Keyspace {
    name: "warm queue",
    template: "stream:{tenant}:cache-warm",
    dimensions: &[TENANT],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Stream,
    authority: Authority::Ephemeral,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: lives(Duration::from_hours(2)),
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: holds(WARM_ENTRIES),
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::Skip,
    correctness: "Warming only moves a load forward. What nobody warmed is loaded by its first reader.",
}
.declared();

/// What a user is told.
pub static UI_NOTICES: Keyspace = Keyspace {
    name: "UI notification",
    template: "stream:{tenant}:ui:{userId}",
    dimensions: &[TENANT, Dimension::hash("userId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Quote),
    readers: &[],
    workload: Workload::Stream,
    authority: Authority::Ephemeral,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: lives(Duration::from_mins(15)),
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: holds(NOTICE_ENTRIES),
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::Skip,
    correctness: "A notice says that something is worth reading again. Whoever misses it polls, and the service answers from its tables.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&WARM_QUEUE, &UI_NOTICES];

/// The key of a tenant's warm queue.
pub fn warm_queue_key(tenant: &TenantId) -> Key<'_> {
    Key::new(&WARM_QUEUE, tenant, [])
}

/// The key of what a user is told.
pub fn ui_notices_key<'a>(tenant: &'a TenantId, user: &UserKey) -> Key<'a> {
    Key::new(&UI_NOTICES, tenant, [Part::Hash(user.hash())])
}
