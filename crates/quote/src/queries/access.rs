//! Access for display, through the cache; and the policy as it was written.

use std::sync::Arc;

use cache_ports::{AccessCache, Loaded, ReadError, Served, UserKey, access::AccessProfile, load};
use kernel::{TenantId, Version};
use service_runtime::TenantTx;
use sqlx::PgPool;

use crate::{
    error::{QuoteError, QuoteResult},
    model::AccessPolicy,
    store::access,
};

/// What the tables say about somebody by the policy in force, through the cache; by no older policy than `min_policy`. His
/// roles are applied by whoever shows it: a cached profile gives nobody a role that his token does not carry.
pub async fn profile(
    pool: &PgPool,
    cache: &Arc<dyn AccessCache>,
    tenant: &TenantId,
    user: &UserKey,
    min_policy: Option<Version>,
) -> Result<Served<AccessProfile>, ReadError> {
    let load_policy = load(|| active_version(pool.clone(), tenant.clone()));
    let policy = cache.active_policy(tenant, min_policy, &load_policy).await?;
    let policy = policy.map_or(Version::ZERO, |served| *served.value);
    let from_tables = load(|| profile_by_policy(pool.clone(), tenant.clone(), *user, policy));
    let served = cache.profile(tenant, user, policy, None, &from_tables).await?;
    // The pointer named that version, and versions stay.
    served.ok_or_else(|| ReadError::Authority(QuoteError::Unreadable("access policy").into()))
}

/// The loader of a profile.
pub async fn profile_by_policy(
    pool: PgPool,
    tenant: TenantId,
    user: UserKey,
    policy: Version,
) -> QuoteResult<Loaded<AccessProfile>> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let found = access::profile(&mut tx, &tenant, &user, policy).await?;
    tx.rollback().await?;
    Ok(Loaded::from_row(found))
}

/// The loader of the pointer to the policy in force.
pub async fn active_version(pool: PgPool, tenant: TenantId) -> QuoteResult<Loaded<Version>> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let version = access::active_version(&mut tx, &tenant).await?;
    tx.rollback().await?;
    Ok(Loaded::from_row(version.map(|version| (version, version))))
}

/// The policy in force, from the authority.
pub async fn active_policy(pool: &PgPool, tenant: &TenantId) -> QuoteResult<AccessPolicy> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let policy = match access::active_version(&mut tx, tenant).await? {
        Some(version) => access::policy_by_version(&mut tx, tenant, version).await?,
        None => Some(AccessPolicy::none()),
    };
    tx.rollback().await?;
    policy.ok_or(QuoteError::Unreadable("access policy"))
}
