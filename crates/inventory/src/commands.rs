//! Everything that writes, one function a command, inside a transaction the caller has begun and will commit:
//! lock → rules → store → history → event.
//!
//! Lock order, so that no two commands wait for each other: a reservation before products, products in order of id.
//! Must never read through the cache: what a command decides by, it reads under its own lock.

pub mod install;
pub mod movements;
pub mod reservations;

use ::events::NewEvent;
use sqlx::PgConnection;

use crate::{
    error::InventoryError,
    events::{OUTBOX, Occasion},
    rules::Changes,
    store::{self, stock},
};

/// Appends one `StockChanged` for every product of `changes`, and then `others`.
async fn publish(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    changes: &Changes,
    others: Vec<NewEvent>,
) -> Result<(), InventoryError> {
    let items = stock::items(conn, occasion.tenant, &store::products_of(changes)).await?;
    let mut facts = Vec::with_capacity(items.len() + others.len());
    for item in &items {
        facts.push(occasion.stock_changed(item)?);
    }
    facts.extend(others);
    OUTBOX.append(conn, &facts).await?;
    Ok(())
}
