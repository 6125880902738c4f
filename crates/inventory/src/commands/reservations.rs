//! Stock is promised, taken, given back, and given up.

use kernel::{ContentHash, ReservationId, Version};
use sqlx::PgConnection;

use super::publish;
use crate::{
    error::{InventoryError, none_or_invalid},
    events::Occasion,
    model::{Reservation, ReservationItem, ReservationState},
    rules,
    store::{self, movements, reservations, stock},
};

/// Promises all lines to `reference`, or none. A repetition finds what it did before. Returns whether it was made now.
pub async fn reserve_stock(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    reference: &str,
    items: Vec<ReservationItem>,
    ttl_secs: u32,
) -> Result<(Reservation, bool), InventoryError> {
    none_or_invalid(rules::check_reservation(reference, &items))?;
    let changes = rules::changes_of_hold(&items);
    stock::lock_products(conn, occasion.tenant, &store::products_of(&changes)).await?;

    let mut sorted = items.clone();
    sorted.sort_by(|a, b| a.item_id.cmp(&b.item_id));
    let items_hash = ContentHash::of_json(&sorted)?;
    if let Some(before) = reservations::living_reservation(conn, occasion.tenant, reference).await? {
        return if before.items_hash == items_hash { Ok((before, false)) } else { Err(InventoryError::ReferenceTaken) };
    }
    let available = stock::available(conn, occasion.tenant, &changes).await?;
    let shortages = rules::shortages(&items, &available);
    if !shortages.is_empty() {
        return Err(InventoryError::InsufficientStock(shortages));
    }
    // The products are locked, so the conditional update cannot refuse what the rules have allowed.
    if stock::update_levels(conn, occasion.tenant, &changes).await? != changes.len() {
        return Err(InventoryError::StockGone);
    }
    let mut reservation = Reservation {
        id: ReservationId::generate(),
        reference: reference.to_owned(),
        state: ReservationState::Held,
        items_hash,
        expires_at: occasion.at,
        version: Version::FIRST,
        items: sorted,
    };
    reservations::insert_reservation(conn, occasion.tenant, occasion.actor, &reservation, ttl_secs).await?;
    if let Some(stored) = reservations::reservation_by_id(conn, occasion.tenant, reservation.id).await? {
        reservation = stored;
    }
    let reserved = occasion.reservation_moved(&reservation)?;
    publish(conn, occasion, &changes, vec![reserved]).await?;
    Ok((reservation, true))
}

/// Moves a reservation to `to`. A repetition finds it there and changes nothing; so does the release of a promise that ran
/// out, because there is nothing left to give back.
pub async fn end_reservation(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    id: ReservationId,
    to: ReservationState,
    expected: Option<Version>,
) -> Result<Reservation, InventoryError> {
    let found = reservations::lock_reservation(conn, occasion.tenant, id).await?;
    let reservation = found.ok_or(InventoryError::NotFound("reservation"))?;
    let nothing_left = reservation.state == ReservationState::Expired && to == ReservationState::Released;
    if reservation.state == to || nothing_left {
        return Ok(reservation);
    }
    if expected.is_some_and(|expected| expected != reservation.version) {
        return Err(InventoryError::Stale { current: reservation.version });
    }
    let allowed = rules::allowed_after(reservation.state);
    if !allowed.contains(&to) {
        return Err(InventoryError::IllegalTransition { from: reservation.state, to, allowed });
    }
    step(conn, occasion, reservation, to).await
}

/// Ends a reservation that ran out, if it still is held and has. Returns whether it did.
pub async fn expire_reservation(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    id: ReservationId,
) -> Result<bool, InventoryError> {
    let Some(reservation) = reservations::lock_reservation(conn, occasion.tenant, id).await? else { return Ok(false) };
    if !reservations::is_due(conn, occasion.tenant, id).await? {
        return Ok(false);
    }
    step(conn, occasion, reservation, ReservationState::Expired).await?;
    Ok(true)
}

async fn step(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    mut reservation: Reservation,
    to: ReservationState,
) -> Result<Reservation, InventoryError> {
    let changes = rules::changes_of_step(reservation.state, to, &reservation.items);
    stock::lock_products(conn, occasion.tenant, &store::products_of(&changes)).await?;
    if stock::update_levels(conn, occasion.tenant, &changes).await? != changes.len() {
        return Err(InventoryError::StockGone);
    }
    let issues = rules::issues_of(&changes, &format!("reservation:{}", reservation.id));
    if !issues.is_empty() {
        movements::insert_movements(conn, occasion.tenant, occasion.actor, &issues).await?;
    }
    reservations::update_state(conn, occasion.tenant, occasion.actor, &reservation, to).await?;
    reservation.state = to;
    reservation.version = reservation.version.next();
    let moved = occasion.reservation_moved(&reservation)?;
    publish(conn, occasion, &changes, vec![moved]).await?;
    Ok(reservation)
}
