//! What is cached about access: which access policy is in force, and what the tables say about one subject.
//!
//! Owns the port; the keyspaces and keys are in `keyspaces`, the cached value types in `values`. Must never hold a subject in
//! the clear, nor the roles of a token: these are applied after the read. Must never decide: approve reads PostgreSQL.

pub mod keyspaces;
mod values;

use async_trait::async_trait;
use kernel::{TenantId, Version};

use crate::{
    UserKey,
    read::{CacheUnavailable, Load, Read},
};

pub use values::*;

/// Access, read through the cache.
#[async_trait]
pub trait AccessCache: Send + Sync {
    /// The version of the policy in force; nothing while the tenant has none.
    fn active_policy<'a>(
        &'a self,
        tenant: &'a TenantId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version>;

    /// What the tables say about a subject by a policy; [`Version::ZERO`] where there is none. The version demanded, and told
    /// by the answer, counts the subject's revocations and returns.
    fn profile<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &UserKey,
        policy: Version,
        min_version: Option<Version>,
        load: Load<'a, AccessProfile>,
    ) -> Read<'a, AccessProfile>;

    /// Another policy is in force: no older pointer may be served from now on.
    async fn policy_changed(&self, tenant: &TenantId, version: Version) -> Result<(), CacheUnavailable>;

    /// The subject was revoked, or returned, under this policy: no older profile of it may be served from now on.
    async fn subject_changed(
        &self,
        tenant: &TenantId,
        user: &UserKey,
        policy: Version,
        version: Version,
    ) -> Result<(), CacheUnavailable>;
}
