//! A fulfilled order gives its customer products.

use kernel::{OrderId, ProductId, Version};
use sqlx::PgConnection;

use crate::{
    error::{InventoryError, none_or_invalid},
    events::{OUTBOX, Occasion},
    model::{Finding, InstalledProduct, MAX_ITEMS},
    store::installed,
};

/// Installs the items of an order that are not installed yet. Returns everything the order has installed, and whether
/// something was new.
pub async fn install_products(
    conn: &mut PgConnection,
    occasion: Occasion<'_>,
    order: OrderId,
    items: &[InstalledProduct],
) -> Result<(Vec<InstalledProduct>, bool), InventoryError> {
    none_or_invalid(check(items))?;
    let new = installed::insert_installed_products(conn, occasion.tenant, items).await?;
    let mut facts = Vec::with_capacity(new.len());
    for item in items.iter().filter(|item| new.contains(&item.id.uuid())) {
        facts.push(occasion.product_installed(item)?);
    }
    OUTBOX.append(conn, &facts).await?;
    let all = installed::installed_of_order(conn, occasion.tenant, order).await?;
    Ok((all, !new.is_empty()))
}

/// The id an order item's product has: the same however often it is reported.
pub fn installed_product_id(order: OrderId, order_item_id: &str) -> ProductId {
    ProductId::derived(order.uuid(), order_item_id)
}

/// The version every installed product begins with.
pub const FIRST: Version = Version::FIRST;

fn check(items: &[InstalledProduct]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |pointer: String, code, detail: &str| {
        findings.push(Finding { pointer, code, detail: detail.to_owned() });
    };
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        add("/items".to_owned(), "size", "must have 1 to 1,000 lines");
    }
    for (line, item) in items.iter().enumerate() {
        if item.quantity.is_zero() {
            add(format!("/items/{line}/quantity"), "range", "must be more than zero");
        }
        if items.iter().take(line).any(|before| before.order_item_id == item.order_item_id) {
            add(format!("/items/{line}/orderItemId"), "duplicate", "another line has this id");
        }
    }
    findings
}
