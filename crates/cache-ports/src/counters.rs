//! Live counts: how often something happened lately, on its way to the metrics.
//!
//! Owns the port and what can be counted; the keyspaces and keys are in `keyspaces`. A count is approximate: a process that
//! dies loses what it had not written out yet, and a store that is away is not counted in. Must never be decided upon, and
//! must never make a request wait.

pub mod keyspaces;

use async_trait::async_trait;
use kernel::TenantId;
use uuid::Uuid;

/// What is counted, for each object of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LiveCount {
    /// Somebody looked at a published offering.
    OfferingViews,
}

impl LiveCount {
    /// Everything that is counted.
    pub const ALL: &'static [Self] = &[Self::OfferingViews];

    /// Its word in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OfferingViews => "offering-views",
        }
    }

    /// The metric it ends up in, over all tenants and objects.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::OfferingViews => "catalog_offering_views_total",
        }
    }
}

/// How often one object was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The object.
    pub object: Uuid,
    /// How often, within a day or so.
    pub count: u64,
}

/// Counts what happens, a little late and about right.
#[async_trait]
pub trait LiveCounters: Send + Sync {
    /// One more. Returns at once: it is written out behind the request, together with others.
    fn count(&self, tenant: &TenantId, what: LiveCount, object: Uuid);

    /// How often an object was counted within a day or so, over all processes; `None` when nobody can say now.
    async fn sum(&self, tenant: &TenantId, what: LiveCount, object: Uuid) -> Option<u64>;

    /// The objects that were counted most, most first; `None` when nobody can say now.
    async fn most_counted(&self, tenant: &TenantId, what: LiveCount, limit: u16) -> Option<Vec<Tally>>;

    /// Writes out what this process has counted, and moves what nobody has moved yet into the metrics. Runs by itself a
    /// moment after the first count; asked for where a process ends, and in tests.
    async fn flush(&self);
}
