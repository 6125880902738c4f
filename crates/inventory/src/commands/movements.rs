//! Goods come, go and are counted.

use std::collections::HashSet;

use kernel::ProductId;
use sqlx::PgConnection;

use super::publish;
use crate::{
    error::{InventoryError, none_or_invalid},
    events::Occasion,
    model::{Finding, Movement, NewMovement},
    rules,
    store::{self, movements, stock},
};

/// A movement of an import, with what is needed to declare its product.
#[derive(Debug, Clone)]
pub struct ImportedMovement {
    /// The movement.
    pub movement: NewMovement,
    /// The product's id in the tenant's own system.
    pub external_id: Option<String>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Movements made.
    pub created: usize,
    /// Movements that had been made before.
    pub unchanged: usize,
}

/// Declares products and moves stock, all or nothing. Movements made before under the same references are left alone.
pub async fn import_stock(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    wanted: Vec<ImportedMovement>,
) -> Result<Imported, InventoryError> {
    let (all, external_ids): (Vec<NewMovement>, Vec<Option<String>>) =
        wanted.into_iter().map(|item| (item.movement, item.external_id)).unzip();
    let pointer = |line: usize, field: &str| format!("/items/{line}/{field}");
    none_or_invalid(rules::check_movements(&all, pointer))?;

    let changes = rules::changes_of_movements(&all);
    let mut declared: Vec<(ProductId, Option<String>)> =
        all.iter().map(|movement| movement.shelf.product).zip(external_ids).collect();
    declared.sort();
    declared.dedup_by_key(|(product, _)| *product);
    stock::insert_missing_products(conn, occasion.tenant, &declared, &changes).await?;
    stock::lock_products(conn, occasion.tenant, &store::products_of(&changes)).await?;

    let new = not_made_yet(conn, occasion, &all, pointer).await?;
    let unchanged = all.len() - new.len();
    if !new.is_empty() {
        apply(conn, occasion, &new).await?;
    }
    Ok(Imported { created: new.len(), unchanged })
}

/// Moves stock of a product that is known. Returns the movement, and whether it was made now.
pub async fn record_movement(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    wanted: NewMovement,
) -> Result<(Movement, bool), InventoryError> {
    let pointer = |_: usize, field: &str| match field {
        "location" | "quantity" | "reference" => format!("/{field}"),
        _ => String::new(),
    };
    let wanted = [wanted];
    none_or_invalid(rules::check_movements(&wanted, pointer))?;
    let changes = rules::changes_of_movements(&wanted);
    let known = stock::lock_products(conn, occasion.tenant, &store::products_of(&changes)).await?;
    if known.is_empty() {
        return Err(InventoryError::Invalid(vec![Finding {
            pointer: "/productId".to_owned(),
            code: "unknown-product",
            detail: "this product has no stock record; import its stock first".to_owned(),
        }]));
    }
    let is_new = !not_made_yet(conn, occasion, &wanted, pointer).await?.is_empty();
    if is_new {
        stock::insert_missing_products(conn, occasion.tenant, &[], &changes).await?;
        apply(conn, occasion, &wanted).await?;
    }
    let made = movements::movements_like(conn, occasion.tenant, &wanted).await?;
    let movement = made.into_iter().next().ok_or(InventoryError::Contended)?;
    Ok((movement, is_new))
}

/// Those of `wanted` that are not made yet. The products are locked, so nobody can make one in between.
async fn not_made_yet(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    wanted: &[NewMovement],
    pointer: impl Fn(usize, &str) -> String,
) -> Result<Vec<NewMovement>, InventoryError> {
    let made = movements::movements_like(conn, occasion.tenant, wanted).await?;
    let same = |a: &NewMovement, b: &NewMovement| a.kind == b.kind && a.reference == b.reference && a.shelf == b.shelf;
    let mut findings = Vec::new();
    let mut repeated = HashSet::new();
    for (line, movement) in wanted.iter().enumerate() {
        let Some(before) = made.iter().find(|before| same(&before.moved, movement)) else { continue };
        repeated.insert(line);
        if before.moved.quantity != movement.quantity {
            findings.push(Finding {
                pointer: pointer(line, "reference"),
                code: "reference-reused",
                detail: format!("this reference moved {} before", before.moved.quantity.normalize()),
            });
        }
    }
    if !findings.is_empty() {
        return Err(InventoryError::ReferenceReused(findings));
    }
    Ok(wanted.iter().enumerate().filter(|(line, _)| !repeated.contains(line)).map(|(_, it)| it.clone()).collect())
}

async fn apply(conn: &mut PgConnection, occasion: Occasion<'_>, new: &[NewMovement]) -> Result<(), InventoryError> {
    let changes = rules::changes_of_movements(new);
    if stock::update_levels(conn, occasion.tenant, &changes).await? != changes.len() {
        return Err(InventoryError::StockGone);
    }
    movements::insert_movements(conn, occasion.tenant, occasion.actor, new).await?;
    publish(conn, occasion, &changes, Vec::new()).await
}
