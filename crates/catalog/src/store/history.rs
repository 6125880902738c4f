//! `catalog.lifecycle_history`: who moved what from where to where.

use kernel::{TenantId, Version};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// One step in the life of a specification, an offering or a price.
#[derive(Debug, Clone, Serialize)]
pub struct LifecycleStep {
    /// `specification`, `offering` or `price`.
    pub aggregate_type: &'static str,
    /// Which.
    pub aggregate_id: Uuid,
    /// The version this step made.
    pub version: Version,
    /// Where it stood; `None` for a new one.
    pub from_status: Option<&'static str>,
    /// Where it stands.
    pub to_status: &'static str,
}

/// Writes the steps that `actor` made.
pub async fn insert_lifecycle_steps(
    conn: &mut PgConnection,
    tenant: &TenantId,
    actor: &str,
    steps: &[LifecycleStep],
) -> Result<(), sqlx::Error> {
    if steps.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into catalog.lifecycle_history (tenant_id, aggregate_type, aggregate_id, version, from_status, \
             to_status, actor) \
         select $1, aggregate_type, aggregate_id, version, from_status, to_status, $2 \
         from jsonb_to_recordset($3) as step (aggregate_type text, aggregate_id uuid, version bigint, from_status text, \
             to_status text)",
        tenant.as_str(),
        actor,
        super::to_json(steps)?
    )
    .execute(conn)
    .await?;
    Ok(())
}
