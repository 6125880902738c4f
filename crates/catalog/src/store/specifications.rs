//! `catalog.specification`.

use cache_ports::catalog::LifecycleStatus;
use chrono::{DateTime, Utc};
use kernel::{SpecificationId, TenantId, Version};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{Specification, SpecificationDraft},
    rules::import::Change,
    words::Word,
};

struct Row {
    specification_id: Uuid,
    external_id: Option<String>,
    name: String,
    description: Option<String>,
    characteristics: serde_json::Value,
    lifecycle_status: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Specification {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.specification_id.into(),
            draft: SpecificationDraft {
                external_id: row.external_id,
                name: row.name,
                description: row.description,
                characteristics: super::from_json(row.characteristics)?,
                lifecycle_status: super::word::<LifecycleStatus>(&row.lifecycle_status, "lifecycle status")?,
            },
            version: Version::from_i64(row.version),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($rest:literal, $($arg:expr),*) => {
        sqlx::query_as!(
            Row,
            "select specification_id, external_id, name, description, characteristics, lifecycle_status, version, \
                 created_at, updated_at \
             from catalog.specification " + $rest,
            $($arg),*
        )
    };
}

/// One specification.
pub async fn specification_by_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: SpecificationId,
) -> Result<Option<Specification>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and specification_id = $2", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Specification::try_from).transpose()
}

/// One specification, locked until the transaction ends.
pub async fn lock_specification(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: SpecificationId,
) -> Result<Option<Specification>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and specification_id = $2 for update", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Specification::try_from).transpose()
}

/// The specifications with these external ids, locked in order of id until the transaction ends.
pub async fn lock_specifications_by_external_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_ids: &[String],
) -> Result<Vec<Specification>, sqlx::Error> {
    let rows = select!(
        "where tenant_id = $1 and external_id = any($2) order by specification_id for update",
        tenant.as_str(),
        external_ids
    );
    rows.fetch_all(conn).await?.into_iter().map(Specification::try_from).collect()
}

/// Up to `limit` specifications after an id, in order of id; only one if an external id is given.
pub async fn select_specifications(
    conn: &mut PgConnection,
    tenant: &TenantId,
    after: Option<SpecificationId>,
    external_id: Option<&str>,
    limit: i64,
) -> Result<Vec<Specification>, sqlx::Error> {
    let rows = select!(
        "where tenant_id = $1 and ($2::uuid is null or specification_id > $2) and ($3::text is null or external_id = $3) \
         order by specification_id limit $4",
        tenant.as_str(),
        after.map(SpecificationId::uuid),
        external_id,
        limit
    );
    rows.fetch_all(conn).await?.into_iter().map(Specification::try_from).collect()
}

#[derive(Serialize)]
struct Written<'a> {
    specification_id: Uuid,
    external_id: Option<&'a str>,
    name: &'a str,
    description: Option<&'a str>,
    characteristics: serde_json::Value,
    lifecycle_status: &'a str,
    version: i64,
}

/// Writes new and changed specifications; `false` if one of them is no longer in the version it was planned from.
pub async fn upsert_specifications(
    conn: &mut PgConnection,
    tenant: &TenantId,
    changes: &[Change<SpecificationId, SpecificationDraft>],
) -> Result<bool, sqlx::Error> {
    if changes.is_empty() {
        return Ok(true);
    }
    let mut rows = Vec::with_capacity(changes.len());
    for change in changes {
        rows.push(Written {
            specification_id: change.id.uuid(),
            external_id: change.draft.external_id.as_deref(),
            name: &change.draft.name,
            description: change.draft.description.as_deref(),
            characteristics: super::to_json(&change.draft.characteristics)?,
            lifecycle_status: change.draft.lifecycle_status.word(),
            version: change.version.to_i64(),
        });
    }
    let result = sqlx::query!(
        "insert into catalog.specification as kept (tenant_id, specification_id, external_id, name, description, \
             characteristics, lifecycle_status, version) \
         select $1, specification_id, external_id, name, description, characteristics, lifecycle_status, version \
         from jsonb_to_recordset($2) as change (specification_id uuid, external_id text, name text, description text, \
             characteristics jsonb, lifecycle_status text, version bigint) \
         on conflict (tenant_id, specification_id) do update set \
             external_id = excluded.external_id, name = excluded.name, description = excluded.description, \
             characteristics = excluded.characteristics, lifecycle_status = excluded.lifecycle_status, \
             version = excluded.version, updated_at = now() \
         where kept.version = excluded.version - 1",
        tenant.as_str(),
        super::to_json(&rows)?
    )
    .execute(conn)
    .await?;
    Ok(super::all_written(result.rows_affected(), changes.len()))
}
