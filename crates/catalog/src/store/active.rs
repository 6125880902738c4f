//! `catalog.active_publication`: the pointer, which is also the lock under which a tenant publishes and imports.

use cache_ports::catalog::ActivePublication;
use chrono::{DateTime, Utc};
use kernel::{PublicationId, TenantId, Version};
use sqlx::PgConnection;

/// The tenant's pointer, locked.
#[derive(Debug, Clone, Copy)]
pub struct Pointer {
    /// The publication in force.
    pub publication: Option<PublicationId>,
    /// The number of the newest publication.
    pub last_number: i64,
    /// Counts activations.
    pub version: Version,
}

/// Locks the tenant's pointer until the transaction ends, and makes it if there is none yet.
pub async fn lock_pointer(conn: &mut PgConnection, tenant: &TenantId) -> Result<Pointer, sqlx::Error> {
    sqlx::query!(
        "insert into catalog.active_publication (tenant_id) values ($1) on conflict (tenant_id) do nothing",
        tenant.as_str()
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "select publication_id, last_number, version from catalog.active_publication where tenant_id = $1 for update",
        tenant.as_str()
    )
    .fetch_one(conn)
    .await?;
    Ok(Pointer {
        publication: row.publication_id.map(Into::into),
        last_number: row.last_number,
        version: Version::from_i64(row.version),
    })
}

/// Remembers the number of the newest publication.
pub async fn update_last_number(conn: &mut PgConnection, tenant: &TenantId, number: i64) -> Result<(), sqlx::Error> {
    let result = sqlx::query!(
        "update catalog.active_publication set last_number = $2 where tenant_id = $1",
        tenant.as_str(),
        number
    )
    .execute(conn)
    .await?;
    one_row(result.rows_affected())
}

/// Points to a publication and writes the history row, in one statement; returns when, by the database's clock.
pub async fn update_active(
    conn: &mut PgConnection,
    tenant: &TenantId,
    publication: PublicationId,
    from: Pointer,
    actor: &str,
) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        "with pointed as ( \
             update catalog.active_publication \
             set publication_id = $2, version = version + 1, activated_at = clock_timestamp() \
             where tenant_id = $1 and version = $3 \
             returning version, activated_at) \
         insert into catalog.activation_history (tenant_id, version, publication_id, previous_publication_id, actor, \
             activated_at) \
         select $1, version, $2, $4, $5, activated_at from pointed returning activated_at",
        tenant.as_str(),
        publication.uuid(),
        from.version.to_i64(),
        from.publication.map(PublicationId::uuid),
        actor
    )
    .fetch_one(conn)
    .await
}

/// The publication in force, with the pointer's version.
pub async fn active_publication(
    conn: &mut PgConnection,
    tenant: &TenantId,
) -> Result<Option<(ActivePublication, Version)>, sqlx::Error> {
    let row = sqlx::query!(
        "select pointer.publication_id as \"publication_id!\", publication.name, \
             pointer.activated_at as \"activated_at!\", pointer.version \
         from catalog.active_publication as pointer \
         join catalog.publication as publication \
           on publication.tenant_id = pointer.tenant_id and publication.publication_id = pointer.publication_id \
         where pointer.tenant_id = $1",
        tenant.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let active = ActivePublication {
            publication_id: row.publication_id.into(),
            name: row.name,
            activated_at: row.activated_at,
        };
        (active, Version::from_i64(row.version))
    }))
}

fn one_row(affected: u64) -> Result<(), sqlx::Error> {
    if affected == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}
