//! Eligibility policies, and the pointer to the one in force.

use chrono::{DateTime, Utc};
use kernel::{TenantId, Version};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    error::{QuoteError, QuoteResult},
    model::{EligibilityPolicy, Otherwise},
};

struct Row {
    version: i64,
    otherwise: String,
    rules: Value,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for EligibilityPolicy {
    type Error = QuoteError;

    fn try_from(row: Row) -> QuoteResult<Self> {
        let unreadable = || QuoteError::Unreadable("eligibility policy");
        Ok(Self {
            version: Version::from_i64(row.version),
            otherwise: Otherwise::from_word(&row.otherwise).ok_or_else(unreadable)?,
            rules: serde_json::from_value(row.rules).map_err(|_| unreadable())?,
            created_by: Some(row.created_by),
            created_at: Some(row.created_at),
        })
    }
}

/// Locks the tenant's pointer until the transaction ends, and makes it if there is none yet; answers its version, and the
/// database's time after the lock was granted.
pub async fn lock_pointer(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<(Version, DateTime<Utc>)> {
    sqlx::query!(
        "insert into quote.active_eligibility_policy (tenant_id) values ($1) on conflict (tenant_id) do nothing",
        tenant.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        r#"
        select version, clock_timestamp() as "now!" from quote.active_eligibility_policy
        where tenant_id = $1 for update
        "#,
        tenant.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok((Version::from_i64(row.version), row.now))
}

/// Writes a policy and puts it in force, over the version before it.
pub async fn insert_policy(conn: &mut PgConnection, tenant: &TenantId, policy: &EligibilityPolicy) -> QuoteResult<()> {
    let rules = serde_json::to_value(&policy.rules).map_err(|_| QuoteError::Unreadable("eligibility policy"))?;
    sqlx::query!(
        r#"
        insert into quote.eligibility_policy (tenant_id, version, otherwise, rules, created_by, created_at)
        values ($1, $2, $3, $4, $5, $6)
        "#,
        tenant.as_str(),
        policy.version.to_i64(),
        policy.otherwise.as_str(),
        rules,
        policy.created_by.as_deref().unwrap_or_default(),
        policy.created_at,
    )
    .execute(&mut *conn)
    .await?;
    let moved = sqlx::query!(
        "update quote.active_eligibility_policy set version = $2 where tenant_id = $1 and version + 1 = $2",
        tenant.as_str(),
        policy.version.to_i64(),
    )
    .execute(conn)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
}

/// The policy in force.
pub async fn active_policy(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<Option<EligibilityPolicy>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select policy.version, policy.otherwise, policy.rules, policy.created_by, policy.created_at
        from quote.active_eligibility_policy as active
        join quote.eligibility_policy as policy
            on policy.tenant_id = active.tenant_id and policy.version = active.policy_version
        where active.tenant_id = $1
        "#,
        tenant.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// One version of the policy.
pub async fn policy_by_version(
    conn: &mut PgConnection,
    tenant: &TenantId,
    version: Version,
) -> QuoteResult<Option<EligibilityPolicy>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select version, otherwise, rules, created_by, created_at from quote.eligibility_policy
        where tenant_id = $1 and version = $2
        "#,
        tenant.as_str(),
        version.to_i64(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The version of the policy in force, if there is one.
pub async fn active_version(conn: &mut PgConnection, tenant: &TenantId) -> QuoteResult<Option<Version>> {
    let version = sqlx::query_scalar!(
        "select version from quote.active_eligibility_policy where tenant_id = $1 and version > 0",
        tenant.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.map(Version::from_i64))
}
