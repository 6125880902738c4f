//! `catalog.offering`, and the whole working copy as publication sees it.

use cache_ports::catalog::{LifecycleStatus, OfferingKind};
use chrono::{DateTime, Utc};
use kernel::{OfferingId, TenantId, Version};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{Offering, OfferingDraft},
    rules::import::Change,
    words::Word,
};

struct Row {
    offering_id: Uuid,
    external_id: Option<String>,
    specification_id: Option<Uuid>,
    name: String,
    description: Option<String>,
    category: Option<String>,
    kind: String,
    stocked: bool,
    components: serde_json::Value,
    lifecycle_status: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Offering {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.offering_id.into(),
            draft: OfferingDraft {
                external_id: row.external_id,
                specification_id: row.specification_id.map(Into::into),
                name: row.name,
                description: row.description,
                category: row.category,
                kind: super::word::<OfferingKind>(&row.kind, "offering kind")?,
                stocked: row.stocked,
                components: super::from_json(row.components)?,
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
            "select offering_id, external_id, specification_id, name, description, category, kind, stocked, components, \
                 lifecycle_status, version, created_at, updated_at \
             from catalog.offering " + $rest,
            $($arg),*
        )
    };
}

/// One offering.
pub async fn offering_by_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: OfferingId,
) -> Result<Option<Offering>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and offering_id = $2", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Offering::try_from).transpose()
}

/// One offering, locked until the transaction ends.
pub async fn lock_offering(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: OfferingId,
) -> Result<Option<Offering>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and offering_id = $2 for update", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Offering::try_from).transpose()
}

/// The offerings with these external ids, locked in order of id until the transaction ends.
pub async fn lock_offerings_by_external_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_ids: &[String],
) -> Result<Vec<Offering>, sqlx::Error> {
    let rows = select!(
        "where tenant_id = $1 and external_id = any($2) order by offering_id for update",
        tenant.as_str(),
        external_ids
    );
    rows.fetch_all(conn).await?.into_iter().map(Offering::try_from).collect()
}

/// Up to `limit` offerings after an id, in order of id; only one if an external id is given.
pub async fn select_offerings(
    conn: &mut PgConnection,
    tenant: &TenantId,
    after: Option<OfferingId>,
    external_id: Option<&str>,
    limit: i64,
) -> Result<Vec<Offering>, sqlx::Error> {
    let rows = select!(
        "where tenant_id = $1 and ($2::uuid is null or offering_id > $2) and ($3::text is null or external_id = $3) \
         order by offering_id limit $4",
        tenant.as_str(),
        after.map(OfferingId::uuid),
        external_id,
        limit
    );
    rows.fetch_all(conn).await?.into_iter().map(Offering::try_from).collect()
}

#[derive(Serialize)]
struct Written<'a> {
    offering_id: Uuid,
    external_id: Option<&'a str>,
    specification_id: Option<Uuid>,
    name: &'a str,
    description: Option<&'a str>,
    category: Option<&'a str>,
    kind: &'a str,
    stocked: bool,
    components: serde_json::Value,
    lifecycle_status: &'a str,
    version: i64,
}

/// Writes new and changed offerings; `false` if one of them is no longer in the version it was planned from.
pub async fn upsert_offerings(
    conn: &mut PgConnection,
    tenant: &TenantId,
    changes: &[Change<OfferingId, OfferingDraft>],
) -> Result<bool, sqlx::Error> {
    if changes.is_empty() {
        return Ok(true);
    }
    let rows = changes.iter().map(written).collect::<Result<Vec<_>, _>>()?;
    let result = sqlx::query!(
        "insert into catalog.offering as kept (tenant_id, offering_id, external_id, specification_id, name, description, \
             category, kind, stocked, components, lifecycle_status, version) \
         select $1, offering_id, external_id, specification_id, name, description, category, kind, stocked, components, \
             lifecycle_status, version \
         from jsonb_to_recordset($2) as change (offering_id uuid, external_id text, specification_id uuid, name text, \
             description text, category text, kind text, stocked boolean, components jsonb, lifecycle_status text, \
             version bigint) \
         on conflict (tenant_id, offering_id) do update set \
             external_id = excluded.external_id, specification_id = excluded.specification_id, name = excluded.name, \
             description = excluded.description, category = excluded.category, kind = excluded.kind, \
             stocked = excluded.stocked, components = excluded.components, \
             lifecycle_status = excluded.lifecycle_status, version = excluded.version, updated_at = now() \
         where kept.version = excluded.version - 1",
        tenant.as_str(),
        super::to_json(&rows)?
    )
    .execute(conn)
    .await?;
    Ok(super::all_written(result.rows_affected(), changes.len()))
}

fn written(change: &Change<OfferingId, OfferingDraft>) -> Result<Written<'_>, sqlx::Error> {
    Ok(Written {
        offering_id: change.id.uuid(),
        external_id: change.draft.external_id.as_deref(),
        specification_id: change.draft.specification_id.map(Into::into),
        name: &change.draft.name,
        description: change.draft.description.as_deref(),
        category: change.draft.category.as_deref(),
        kind: change.draft.kind.word(),
        stocked: change.draft.stocked,
        components: super::to_json(&change.draft.components)?,
        lifecycle_status: change.draft.lifecycle_status.word(),
        version: change.version.to_i64(),
    })
}
