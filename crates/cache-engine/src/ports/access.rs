//! The port of access.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    AccessCache, CacheUnavailable, Load, Read, UserKey,
    access::{AccessProfile, keyspaces},
};
use kernel::{TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Access {
    policies: Arc<ReadThrough<Version>>,
    profiles: Arc<ReadThrough<AccessProfile>>,
}

impl Access {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self {
            policies: ReadThrough::over(&keyspaces::ACTIVE_ACCESS_POLICY, core),
            profiles: ReadThrough::over(&keyspaces::ACCESS_PROFILE, core),
        }
    }
}

#[async_trait]
impl AccessCache for Access {
    fn active_policy<'a>(
        &'a self,
        tenant: &'a TenantId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version> {
        self.policies.read(keyspaces::active_access_policy_key(tenant), min_version, load)
    }

    fn profile<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &UserKey,
        policy: Version,
        min_version: Option<Version>,
        load: Load<'a, AccessProfile>,
    ) -> Read<'a, AccessProfile> {
        self.profiles.read(keyspaces::access_profile_key(tenant, user, policy), min_version, load)
    }

    async fn policy_changed(&self, tenant: &TenantId, version: Version) -> Result<(), CacheUnavailable> {
        self.policies.invalidate(keyspaces::active_access_policy_key(tenant), version).await
    }

    async fn subject_changed(
        &self,
        tenant: &TenantId,
        user: &UserKey,
        policy: Version,
        version: Version,
    ) -> Result<(), CacheUnavailable> {
        self.profiles.invalidate(keyspaces::access_profile_key(tenant, user, policy), version).await
    }
}
