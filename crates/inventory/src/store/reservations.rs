//! `inventory.reservation`, its items and its history.

use kernel::{Quantity, ReservationId, TenantId, Version};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::InventoryError,
    model::{Reservation, ReservationItem, ReservationState},
};

/// Writes a new reservation with its items and the first history row, in one statement. Its end is `ttl_secs` from now by the
/// database's clock.
pub async fn insert_reservation(
    conn: &mut PgConnection,
    tenant: &TenantId,
    actor: &str,
    reservation: &Reservation,
    ttl_secs: u32,
) -> Result<(), sqlx::Error> {
    let items = &reservation.items;
    let item_ids: Vec<String> = items.iter().map(|item| item.item_id.clone()).collect();
    let products: Vec<Uuid> = items.iter().map(|item| item.product_id.uuid()).collect();
    let locations: Vec<String> = items.iter().map(|item| item.location.clone()).collect();
    let quantities: Vec<Decimal> = items.iter().map(|item| item.quantity.get()).collect();
    sqlx::query!(
        "with made as ( \
             insert into inventory.reservation \
                 (tenant_id, reservation_id, reference, state, items_hash, expires_at, version) \
             values ($1, $2, $3, 'held', $4, clock_timestamp() + make_interval(secs => $5), 1) \
             returning reservation_id), \
         noted as ( \
             insert into inventory.reservation_history (tenant_id, reservation_id, version, from_state, to_state, actor) \
             select $1, reservation_id, 1, null, 'held', $6 from made) \
         insert into inventory.reservation_item (tenant_id, reservation_id, item_id, product_id, location, quantity) \
         select $1, made.reservation_id, item.item_id, item.product_id, item.location, item.quantity \
         from made, unnest($7::text[], $8::uuid[], $9::text[], $10::numeric[]) \
             as item (item_id, product_id, location, quantity)",
        tenant.as_str(),
        reservation.id.uuid(),
        reservation.reference,
        reservation.items_hash.to_string(),
        f64::from(ttl_secs),
        actor,
        &item_ids,
        &products,
        &locations,
        &quantities
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One reservation, locked until the transaction ends.
pub async fn lock_reservation(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: ReservationId,
) -> Result<Option<Reservation>, InventoryError> {
    sqlx::query_scalar!(
        "select version from inventory.reservation where tenant_id = $1 and reservation_id = $2 for update",
        tenant.as_str(),
        id.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    reservation_by_id(conn, tenant, id).await
}

/// One reservation with its items.
pub async fn reservation_by_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: ReservationId,
) -> Result<Option<Reservation>, InventoryError> {
    let rows = sqlx::query_as!(
        Row,
        "select held.reservation_id, held.reference, held.state, held.items_hash, held.expires_at, held.version, \
             item.item_id, item.product_id, item.location, item.quantity \
         from inventory.reservation held \
         join inventory.reservation_item item using (tenant_id, reservation_id) \
         where held.tenant_id = $1 and held.reservation_id = $2 order by item.item_id",
        tenant.as_str(),
        id.uuid()
    )
    .fetch_all(conn)
    .await?;
    reservation_of(rows)
}

/// The reservation that is held or committed for a reference.
pub async fn living_reservation(
    conn: &mut PgConnection,
    tenant: &TenantId,
    reference: &str,
) -> Result<Option<Reservation>, InventoryError> {
    let rows = sqlx::query_as!(
        Row,
        "select held.reservation_id, held.reference, held.state, held.items_hash, held.expires_at, held.version, \
             item.item_id, item.product_id, item.location, item.quantity \
         from inventory.reservation held \
         join inventory.reservation_item item using (tenant_id, reservation_id) \
         where held.tenant_id = $1 and held.reference = $2 and held.state in ('held', 'committed') \
         order by item.item_id",
        tenant.as_str(),
        reference
    )
    .fetch_all(conn)
    .await?;
    reservation_of(rows)
}

/// Moves a locked reservation and writes the history row, in one statement.
pub async fn update_state(
    conn: &mut PgConnection,
    tenant: &TenantId,
    actor: &str,
    reservation: &Reservation,
    to: ReservationState,
) -> Result<(), sqlx::Error> {
    let result = sqlx::query!(
        "with moved as ( \
             update inventory.reservation set state = $4, version = version + 1 \
             where tenant_id = $1 and reservation_id = $2 and version = $3 \
             returning version) \
         insert into inventory.reservation_history (tenant_id, reservation_id, version, from_state, to_state, actor) \
         select $1, $2, version, $5, $4, $6 from moved",
        tenant.as_str(),
        reservation.id.uuid(),
        reservation.version.to_i64(),
        to.word(),
        reservation.state.word(),
        actor
    )
    .execute(conn)
    .await?;
    if result.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Held reservations of all tenants that ran out by the database's clock, the longest overdue first.
pub async fn due_reservations(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(String, ReservationId)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select tenant_id, reservation_id from inventory.reservation \
         where state = 'held' and expires_at <= clock_timestamp() order by expires_at limit $1",
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, row.reservation_id.into())).collect())
}

/// Whether a reservation is held and has run out, by the database's clock.
pub async fn is_due(conn: &mut PgConnection, tenant: &TenantId, id: ReservationId) -> Result<bool, sqlx::Error> {
    let due = sqlx::query_scalar!(
        r#"select expires_at <= clock_timestamp() as "due!" from inventory.reservation
         where tenant_id = $1 and reservation_id = $2 and state = 'held'"#,
        tenant.as_str(),
        id.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(due.unwrap_or(false))
}

struct Row {
    reservation_id: Uuid,
    reference: String,
    state: String,
    items_hash: String,
    expires_at: chrono::DateTime<chrono::Utc>,
    version: i64,
    item_id: String,
    product_id: Uuid,
    location: String,
    quantity: Decimal,
}

fn reservation_of(rows: Vec<Row>) -> Result<Option<Reservation>, InventoryError> {
    let mut found: Option<Reservation> = None;
    for row in rows {
        let quantity = Quantity::try_from(row.quantity).map_err(|_| InventoryError::UnknownWord("quantity"))?;
        let item = ReservationItem {
            item_id: row.item_id,
            product_id: row.product_id.into(),
            location: row.location,
            quantity,
        };
        if let Some(reservation) = &mut found {
            reservation.items.push(item);
            continue;
        }
        found = Some(Reservation {
            id: row.reservation_id.into(),
            reference: row.reference,
            state: ReservationState::from_word(&row.state).ok_or(InventoryError::UnknownWord("state"))?,
            items_hash: row.items_hash.parse().map_err(|_| InventoryError::UnknownWord("items hash"))?,
            expires_at: row.expires_at,
            version: Version::from_i64(row.version),
            items: vec![item],
        });
    }
    Ok(found)
}
