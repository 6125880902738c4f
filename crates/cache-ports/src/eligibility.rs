//! What is cached about eligibility: which policy is in force, how new a customer is, and what the policy says of a customer
//! and an offering.
//!
//! Owns the port; the keyspaces and keys are in `keyspaces`, the cached value types in `values`. Must never decide: submit
//! and accept evaluate the policy from PostgreSQL.

pub mod keyspaces;
mod values;

use async_trait::async_trait;
use kernel::{CustomerId, OfferingId, TenantId, Version};

use crate::read::{CacheUnavailable, Load, LoadEach, Read, ReadResult};

pub use values::*;

/// Whose eligibility is asked for, and by which policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The version of the policy.
    pub policy: Version,
    /// The customer.
    pub customer: CustomerId,
    /// The version of the customer that an answer must have seen.
    pub customer_version: Version,
}

/// Eligibility's reads through the cache.
#[async_trait]
pub trait EligibilityCache: Send + Sync {
    /// The version of the policy in force; nothing while the tenant has none.
    fn active_policy<'a>(
        &'a self,
        tenant: &'a TenantId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version>;

    /// The newest version of a customer: what an answer about that customer must have seen.
    fn customer_version<'a>(
        &'a self,
        tenant: &'a TenantId,
        customer: CustomerId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version>;

    /// What the policy says about each offering, in their order: one round trip for all that is known. `load` is told the
    /// position of the offering to evaluate.
    async fn verdicts(
        &self,
        tenant: &TenantId,
        asked: Asked,
        offerings: &[OfferingId],
        load: LoadEach<'_, EligibilityVerdict>,
    ) -> Vec<ReadResult<EligibilityVerdict>>;

    /// Another policy is in force: no older pointer may be served from now on.
    async fn policy_changed(&self, tenant: &TenantId, version: Version) -> Result<(), CacheUnavailable>;

    /// The customer changed: nothing that was said about an older version may be served from now on.
    async fn customer_changed(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        version: Version,
    ) -> Result<(), CacheUnavailable>;
}
