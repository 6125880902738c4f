//! `inventory.installed_product`: what customers have.

use kernel::{OrderId, Quantity, TenantId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{error::InventoryError, model::InstalledProduct};

/// Writes installed products; an order item that is installed already is left as it is. Returns the ids of the new ones.
pub async fn insert_installed_products(
    conn: &mut PgConnection,
    tenant: &TenantId,
    products: &[InstalledProduct],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let ids: Vec<Uuid> = products.iter().map(|product| product.id.uuid()).collect();
    let orders: Vec<Uuid> = products.iter().map(|product| product.order_id.uuid()).collect();
    let items: Vec<String> = products.iter().map(|product| product.order_item_id.clone()).collect();
    let offerings: Vec<Uuid> = products.iter().map(|product| product.offering_id.uuid()).collect();
    let names: Vec<String> = products.iter().map(|product| product.name.clone()).collect();
    let quantities: Vec<_> = products.iter().map(|product| product.quantity.get()).collect();
    sqlx::query_scalar!(
        "insert into inventory.installed_product \
             (tenant_id, installed_product_id, order_id, order_item_id, offering_id, name, quantity, status, version) \
         select $1, id, order_id, order_item_id, offering_id, name, quantity, 'active', 1 \
         from unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::numeric[]) \
             as installed (id, order_id, order_item_id, offering_id, name, quantity) \
         order by order_id, order_item_id \
         on conflict (tenant_id, order_id, order_item_id) do nothing \
         returning installed_product_id",
        tenant.as_str(),
        &ids,
        &orders,
        &items,
        &offerings,
        &names,
        &quantities
    )
    .fetch_all(conn)
    .await
}

/// What an order has installed, in order of its items.
pub async fn installed_of_order(
    conn: &mut PgConnection,
    tenant: &TenantId,
    order: OrderId,
) -> Result<Vec<InstalledProduct>, InventoryError> {
    let rows = sqlx::query!(
        "select installed_product_id, order_id, order_item_id, offering_id, name, quantity, version, created_at \
         from inventory.installed_product where tenant_id = $1 and order_id = $2 order by order_item_id",
        tenant.as_str(),
        order.uuid()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(InstalledProduct {
                id: row.installed_product_id.into(),
                order_id: row.order_id.into(),
                order_item_id: row.order_item_id,
                offering_id: row.offering_id.into(),
                name: row.name,
                quantity: Quantity::try_from(row.quantity).map_err(|_| InventoryError::UnknownWord("quantity"))?,
                version: Version::from_i64(row.version),
                created_at: row.created_at,
            })
        })
        .collect()
}
