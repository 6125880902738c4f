//! The keyspaces of coordination and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{ContentHash, TenantId};

use crate::{
    coordination::{LockKey, RateCheck},
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, KIB, Keyspace, OnUnavailable, Owner, Revalidation,
        SchemaVersions, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// The answer of a command that is done.
pub static IDEMPOTENCY: Keyspace = Keyspace {
    name: "idempotency fast path",
    template: "idem-fast:{tenant}:route:{routeName}:key:{keyHash}",
    dimensions: &[TENANT, Dimension::text("routeName"), Dimension::hash("keyHash")],
    slot: Slot::ByKey,
    owner: Owner::EveryService,
    readers: &[],
    workload: Workload::Idempotency,
    authority: Authority::Table("<service>.idempotency_record"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_mins(30),
        hard: Duration::from_mins(30),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 256 * KIB, compress_above_bytes: 8 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "A record is only copied here once it is committed, and never changes afterwards. Unknown here means: ask the unique row in PostgreSQL.",
}
.declared();

/// How often an actor asked lately.
pub static RATE: Keyspace = Keyspace {
    name: "rate limit",
    template: "rate:{tenant}:{dimension}:{actorId}:route:{route}:window:{windowId}",
    dimensions: &[
        TENANT,
        Dimension::text("dimension"),
        Dimension::text("actorId"),
        Dimension::text("route"),
        Dimension::text("windowId"),
    ],
    slot: Slot::ByTenant,
    owner: Owner::EveryService,
    readers: &[],
    workload: Workload::RateLimit,
    authority: Authority::Ephemeral,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        // Two windows of a day, the longest there is, and the grace: see the counting of cache-engine.
        soft: Duration::from_hours(49),
        hard: Duration::from_hours(49),
        negative: None,
        tombstone: None,
        jitter_percent: 0,
    },
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Internal,
    heat: Heat::Hot,
    on_unavailable: OnUnavailable::AsPolicySays,
    correctness: "A limit protects capacity, not correctness: a lost count lets a few more requests in.",
}
.declared();

/// Somebody is loading this into a cache.
pub static WARM_LOCK: Keyspace = Keyspace {
    name: "cache-warm lock",
    template: "lock:{tenant}:cache-warm:{keyHash}",
    dimensions: &[TENANT, Dimension::hash("keyHash")],
    slot: Slot::ByKey,
    owner: Owner::EveryService,
    readers: &[],
    workload: Workload::Lock,
    authority: Authority::Ephemeral,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_secs(5),
        hard: Duration::from_secs(5),
        negative: None,
        tombstone: None,
        jitter_percent: 0,
    },
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::Skip,
    correctness: "The lock saves double work. Loading twice gives the same cached value.",
}
.declared();

/// Somebody is computing this preview.
pub static PREVIEW_LOCK: Keyspace = Keyspace {
    name: "preview lock",
    template: "lock:{tenant}:quote:{quoteId}:preview:{configHash}",
    dimensions: &[TENANT, Dimension::id("quoteId"), Dimension::hash("configHash")],
    slot: Slot::ByKey,
    owner: Owner::EveryService,
    readers: &[],
    workload: Workload::Lock,
    authority: Authority::Ephemeral,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_secs(5),
        hard: Duration::from_secs(5),
        negative: None,
        tombstone: None,
        jitter_percent: 0,
    },
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::Skip,
    correctness: "The lock saves double work. Computing a preview twice gives the same preview.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&IDEMPOTENCY, &RATE, &WARM_LOCK, &PREVIEW_LOCK];

/// The key of a command's answer.
pub fn idempotency_key<'a>(tenant: &'a TenantId, route: &'a str, key_hash: ContentHash) -> Key<'a> {
    Key::new(&IDEMPOTENCY, tenant, [Part::Text(route), Part::Hash(key_hash)])
}

/// The key of a limit's count; `window` names policy, algorithm and length, so that a changed policy starts afresh.
pub fn rate_key<'a>(tenant: &'a TenantId, check: &RateCheck<'a>, dimensions: &'a str, window: &'a str) -> Key<'a> {
    let parts = [Part::Text(dimensions), Part::Text(check.actor), Part::Text(check.route), Part::Text(window)];
    Key::new(&RATE, tenant, parts)
}

/// The key of a lock.
pub fn lock_key(lock: &LockKey) -> Key<'_> {
    match lock {
        LockKey::CacheWarm { tenant, key_hash } => Key::new(&WARM_LOCK, tenant, [Part::Hash(*key_hash)]),
        LockKey::QuotePreview { tenant, quote, config_hash } => {
            Key::new(&PREVIEW_LOCK, tenant, [Part::Id(quote.uuid()), Part::Hash(*config_hash)])
        }
    }
}
