//! The keyspaces of live counts and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a count is written or where it is kept.

use std::time::Duration;

use kernel::TenantId;
use uuid::Uuid;

use super::LiveCount;
use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, KIB, Keyspace, OnUnavailable, Owner, Revalidation,
        SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// Over how many keys one count is spread: several processes write the same hot object at once.
pub const SHARDS: u16 = 4;
/// Most objects remembered as the most counted ones.
pub const RANKED: u16 = 200;

/// A count lives a day from its first unit: it says what happened lately, not ever.
const LIFE: Ttl = Ttl {
    soft: Duration::from_hours(24),
    hard: Duration::from_hours(24),
    negative: None,
    tombstone: None,
    jitter_percent: 0,
};

/// One share of a count.
pub static LIVE_COUNTER: Keyspace = Keyspace {
    name: "live counter",
    template: "counter:{tenant}:{metric}:{objectId}:shard:{n}",
    dimensions: &[TENANT, Dimension::text("metric"), Dimension::id("objectId"), Dimension::number("n")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Counter,
    authority: Authority::Metrics,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: LIFE,
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Internal,
    heat: Heat::Sharded { shards: SHARDS },
    on_unavailable: OnUnavailable::Skip,
    correctness: "Nobody decides by a count. It is shown as approximate, and what is lost with Redis is missing from a curve.",
}
.declared();

/// Which objects have the greatest counts.
pub static MOST_COUNTED: Keyspace = Keyspace {
    name: "most counted",
    template: "counter-top:{tenant}:{metric}",
    dimensions: &[TENANT, Dimension::text("metric")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Counter,
    authority: Authority::Metrics,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::NeverAnInput,
    ttl: LIFE,
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 32 * KIB, compress_above_bytes: 32 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::Skip,
    correctness: "It orders a list for people and says what is worth warming; every offering it names is read from its publication.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&LIVE_COUNTER, &MOST_COUNTED];

/// The key of one share of a count.
pub fn live_counter_key(tenant: &TenantId, what: LiveCount, object: Uuid, shard: u16) -> Key<'_> {
    Key::new(&LIVE_COUNTER, tenant, [Part::Text(what.as_str()), Part::Id(object), Part::Number(shard.into())])
}

/// The key of the greatest counts.
pub fn most_counted_key(tenant: &TenantId, what: LiveCount) -> Key<'_> {
    Key::new(&MOST_COUNTED, tenant, [Part::Text(what.as_str())])
}
