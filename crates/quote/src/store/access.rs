//! Access policies, the pointer to the one in force, and revocations.

use cache_ports::{
    UserKey,
    access::{AccessProfile, RoleLimit},
};
use chrono::{DateTime, Utc};
use kernel::{TenantId, Version};
use rust_decimal::Decimal;
use sqlx::PgConnection;

use crate::{
    error::{QuoteError, QuoteResult},
    model::{AccessPolicy, Revocation, RoleGrant, SubjectGrant},
};

fn hash_of(user: &UserKey) -> Vec<u8> {
    user.hash().as_bytes().to_vec()
}

/// Makes the tenant's pointer if there is none yet, so that there is something to lock.
async fn make_pointer(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<()> {
    sqlx::query!(
        "insert into quote.active_access_policy (tenant_id) values ($1) on conflict (tenant_id) do nothing",
        tenant.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks everything about access in the tenant until the transaction ends; answers the version of the policy in force, and
/// the database's time after the lock was granted.
pub async fn lock_access(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<(Version, DateTime<Utc>)> {
    make_pointer(conn, tenant).await?;
    let row = sqlx::query!(
        r#"
        select version, clock_timestamp() as "now!" from quote.active_access_policy
        where tenant_id = $1 for update
        "#,
        tenant.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok((Version::from_i64(row.version), row.now))
}

/// Keeps access in the tenant as it is until the transaction ends, beside others who do the same; answers the version of the
/// policy in force.
pub async fn hold_access(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<Version> {
    make_pointer(conn, tenant).await?;
    let version = sqlx::query_scalar!(
        "select version from quote.active_access_policy where tenant_id = $1 for share",
        tenant.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok(Version::from_i64(version))
}

/// Writes a policy and puts it in force, over the version before it.
pub async fn insert_policy(conn: &mut PgConnection, tenant: &TenantId, policy: &AccessPolicy) -> QuoteResult<()> {
    sqlx::query!(
        "insert into quote.access_policy (tenant_id, version, created_by, created_at) values ($1, $2, $3, $4)",
        tenant.as_str(),
        policy.version.to_i64(),
        policy.created_by.as_deref().unwrap_or_default(),
        policy.created_at,
    )
    .execute(&mut *conn)
    .await?;
    insert_grants(conn, tenant, policy).await?;
    let moved = sqlx::query!(
        "update quote.active_access_policy set version = $2 where tenant_id = $1 and version + 1 = $2",
        tenant.as_str(),
        policy.version.to_i64(),
    )
    .execute(conn)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
}

async fn insert_grants(conn: &mut PgConnection, tenant: &TenantId, policy: &AccessPolicy) -> QuoteResult<()> {
    let (mut subjects, mut hashes, mut roles, mut limits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for grant in &policy.roles {
        subjects.push(None);
        hashes.push(None);
        roles.push(Some(grant.role.name().to_owned()));
        limits.push(grant.max_discount_percent);
    }
    for grant in &policy.subjects {
        let subject = grant.subject.as_str();
        subjects.push(Some(subject.to_owned()));
        hashes.push(Some(hash_of(&UserKey::of(tenant, subject))));
        roles.push(None);
        limits.push(grant.max_discount_percent);
    }
    sqlx::query!(
        r#"
        insert into quote.access_grant (
            tenant_id, policy_version, grant_no, subject, subject_hash, role, max_discount_percent)
        select $1, $2, g.no, g.subject, g.subject_hash, g.role, g.max_discount_percent
        from unnest($3::text[], $4::bytea[], $5::text[], $6::numeric[]) with ordinality
            as g (subject, subject_hash, role, max_discount_percent, no)
        "#,
        tenant.as_str(),
        policy.version.to_i64(),
        &subjects as &[Option<String>],
        &hashes as &[Option<Vec<u8>>],
        &roles as &[Option<String>],
        &limits as &[Decimal],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The version of the policy in force, if there is one.
pub async fn active_version(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<Option<Version>> {
    let version = sqlx::query_scalar!(
        "select version from quote.active_access_policy where tenant_id = $1 and version > 0",
        tenant.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.map(Version::from_i64))
}

/// One version of the policy, with all its grants.
pub async fn policy_by_version(
    conn: &mut PgConnection,
    tenant: &TenantId,
    version: Version,
) -> QuoteResult<Option<AccessPolicy>> {
    let unreadable = || QuoteError::Unreadable("access policy");
    let written = sqlx::query!(
        "select created_by, created_at from quote.access_policy where tenant_id = $1 and version = $2",
        tenant.as_str(),
        version.to_i64(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(written) = written else { return Ok(None) };
    let rows = sqlx::query!(
        r#"
        select subject, role, max_discount_percent from quote.access_grant
        where tenant_id = $1 and policy_version = $2
        order by grant_no
        "#,
        tenant.as_str(),
        version.to_i64(),
    )
    .fetch_all(conn)
    .await?;
    let mut policy = AccessPolicy {
        version,
        created_by: Some(written.created_by),
        created_at: Some(written.created_at),
        ..AccessPolicy::none()
    };
    for row in rows {
        let max_discount_percent = row.max_discount_percent;
        match (row.subject, row.role) {
            (Some(subject), None) => {
                let subject = subject.try_into().map_err(|_| unreadable())?;
                policy.subjects.push(SubjectGrant { subject, max_discount_percent });
            }
            (None, Some(role)) => {
                let role = role.parse().map_err(|_| unreadable())?;
                policy.roles.push(RoleGrant { role, max_discount_percent });
            }
            _ => return Err(unreadable()),
        }
    }
    Ok(Some(policy))
}

/// What the tables say about somebody by one version of the policy, and the version of his revocation; nothing where there is
/// no such policy.
pub async fn profile(
    conn: &mut PgConnection,
    tenant: &TenantId,
    user: &UserKey,
    policy: Version,
) -> QuoteResult<Option<(AccessProfile, Version)>> {
    let grants = sqlx::query!(
        r#"
        select g.role as "role?", g.max_discount_percent as "max_discount_percent?"
        from quote.access_policy p
        left join quote.access_grant g on g.tenant_id = p.tenant_id and g.policy_version = p.version
            and (g.subject_hash = $3 or g.role is not null)
        where p.tenant_id = $1 and p.version = $2
        order by g.grant_no
        "#,
        tenant.as_str(),
        policy.to_i64(),
        hash_of(user),
    )
    .fetch_all(&mut *conn)
    .await?;
    // A policy without a grant for him is one row of nothing.
    if policy > Version::ZERO && grants.is_empty() {
        return Ok(None);
    }
    let last = revocation(conn, tenant, user).await?;
    let mut profile = AccessProfile {
        policy_version: policy,
        own_limit_percent: None,
        role_limits: Vec::new(),
        revoked_at: last.as_ref().filter(|last| last.revoked).map(|last| last.changed_at),
    };
    for grant in grants {
        match (grant.role, grant.max_discount_percent) {
            (Some(role), Some(max_discount_percent)) => {
                profile.role_limits.push(RoleLimit { role, max_discount_percent });
            }
            (None, own) => profile.own_limit_percent = own.or(profile.own_limit_percent),
            (Some(_), None) => return Err(QuoteError::Unreadable("access grant")),
        }
    }
    Ok(Some((profile, last.map_or(Version::ZERO, |last| last.version))))
}

/// The newest word about somebody's revocation; nothing where there never was one.
pub async fn revocation(conn: &mut PgConnection, tenant: &TenantId, user: &UserKey) -> QuoteResult<Option<Revocation>> {
    let row = sqlx::query!(
        r#"
        select version, subject, revoked, reason, changed_by, changed_at from quote.access_revocation
        where tenant_id = $1 and subject_hash = $2
        order by version desc
        limit 1
        "#,
        tenant.as_str(),
        hash_of(user),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Revocation {
        subject: row.subject,
        version: Version::from_i64(row.version),
        revoked: row.revoked,
        reason: row.reason,
        changed_by: row.changed_by,
        changed_at: row.changed_at,
    }))
}

/// Writes the next word about somebody's revocation.
pub async fn insert_revocation(
    conn: &mut PgConnection,
    tenant: &TenantId,
    user: &UserKey,
    revocation: &Revocation,
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.access_revocation (
            tenant_id, subject_hash, version, subject, revoked, reason, changed_by, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        tenant.as_str(),
        hash_of(user),
        revocation.version.to_i64(),
        revocation.subject,
        revocation.revoked,
        revocation.reason,
        revocation.changed_by,
        revocation.changed_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
