//! Eligibility's port.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CacheUnavailable, EligibilityCache, Load, LoadEach, Read, ReadResult,
    eligibility::{Asked, EligibilityVerdict, keyspaces},
};
use kernel::{CustomerId, OfferingId, TenantId, Version};

use crate::{engine::Core, read_many::Split, read_through::ReadThrough};

pub(super) struct Eligibility {
    policies: Arc<ReadThrough<Version>>,
    customers: Arc<ReadThrough<Version>>,
    verdicts: Split<EligibilityVerdict>,
}

impl Eligibility {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self {
            policies: ReadThrough::over(&keyspaces::ACTIVE_POLICY, core),
            customers: ReadThrough::over(&keyspaces::CUSTOMER_VERSION, core),
            verdicts: Split {
                yes: ReadThrough::keeping(&keyspaces::ELIGIBLE, core, |verdict| verdict.eligible),
                no: ReadThrough::keeping(&keyspaces::NOT_ELIGIBLE, core, |verdict| !verdict.eligible),
            },
        }
    }
}

#[async_trait]
impl EligibilityCache for Eligibility {
    fn active_policy<'a>(
        &'a self,
        tenant: &'a TenantId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version> {
        self.policies.read(keyspaces::active_policy_key(tenant), min_version, load)
    }

    fn customer_version<'a>(
        &'a self,
        tenant: &'a TenantId,
        customer: CustomerId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version> {
        self.customers.read(keyspaces::customer_version_key(tenant, customer), min_version, load)
    }

    async fn verdicts(
        &self,
        tenant: &TenantId,
        asked: Asked,
        offerings: &[OfferingId],
        load: LoadEach<'_, EligibilityVerdict>,
    ) -> Vec<ReadResult<EligibilityVerdict>> {
        let key = |offering: &OfferingId| {
            let yes = keyspaces::eligible_key(tenant, &asked, *offering);
            (yes, keyspaces::not_eligible_key(tenant, &asked, *offering))
        };
        let keys: Vec<_> = offerings.iter().map(key).collect();
        self.verdicts.read_many(&keys, asked.customer_version, load).await
    }

    async fn policy_changed(&self, tenant: &TenantId, version: Version) -> Result<(), CacheUnavailable> {
        self.policies.invalidate(keyspaces::active_policy_key(tenant), version).await
    }

    async fn customer_changed(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        version: Version,
    ) -> Result<(), CacheUnavailable> {
        self.customers.invalidate(keyspaces::customer_version_key(tenant, customer), version).await
    }
}
