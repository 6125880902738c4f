//! What is worth loading ahead of its readers, and for whom.

use kernel::{OfferingId, PublicationId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Tenants that put a publication in force within a day, the latest first. For the worker's role only: its policy shows it
/// their pointers.
pub async fn recently_activated(conn: &mut PgConnection, limit: i64) -> Result<Vec<TenantId>, sqlx::Error> {
    let tenants = sqlx::query_scalar!(
        "select tenant_id from catalog.active_publication \
         where activated_at > clock_timestamp() - interval '1 day' \
         order by activated_at desc limit $1",
        limit
    );
    let tenants = tenants.fetch_all(conn).await?;
    tenants.iter().map(|tenant| tenant.parse().map_err(|_| super::unreadable("tenant"))).collect()
}

/// Offerings of a publication: those of `first`, in that order, and then the others by name. None once another publication is
/// in force: nobody is going to ask for them.
pub async fn worth_warming(
    conn: &mut PgConnection,
    tenant: &TenantId,
    publication: PublicationId,
    first: &[OfferingId],
    limit: i64,
) -> Result<Vec<OfferingId>, sqlx::Error> {
    let first: Vec<Uuid> = first.iter().map(|offering| offering.uuid()).collect();
    let offerings = sqlx::query_scalar!(
        "select frozen.offering_id \
         from catalog.publication_offering frozen \
         join catalog.active_publication active using (tenant_id, publication_id) \
         where tenant_id = $1 and publication_id = $2 \
         order by array_position($3::uuid[], frozen.offering_id) nulls last, frozen.name collate \"C\", frozen.offering_id \
         limit $4",
        tenant.as_str(),
        publication.uuid(),
        &first,
        limit
    );
    Ok(offerings.fetch_all(conn).await?.into_iter().map(OfferingId::from).collect())
}
