//! `inventory.product_stock` and `inventory.stock_level`: what is present and promised.

use std::collections::BTreeMap;

use cache_ports::inventory::{StockItem, StockLevel};
use kernel::{ProductId, TenantId, Version};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{products_of, shelf_columns};
use crate::{model::Shelf, rules::Changes};

/// Declares products that are not known yet, and their shelves. In order, so that two imports cannot deadlock.
pub async fn insert_missing_products(
    conn: &mut PgConnection,
    tenant: &TenantId,
    products: &[(ProductId, Option<String>)],
    changes: &Changes,
) -> Result<(), sqlx::Error> {
    let (ids, external_ids): (Vec<Uuid>, Vec<Option<String>>) =
        products.iter().map(|(id, external_id)| (id.uuid(), external_id.clone())).unzip();
    sqlx::query!(
        "insert into inventory.product_stock (tenant_id, product_id, external_id, version) \
         select $1, product_id, external_id, 0 \
         from unnest($2::uuid[], $3::text[]) as declared (product_id, external_id) \
         order by product_id \
         on conflict (tenant_id, product_id) do nothing",
        tenant.as_str(),
        &ids,
        &external_ids as &[Option<String>]
    )
    .execute(&mut *conn)
    .await?;
    let (shelf_products, locations) = shelf_columns(changes.keys());
    sqlx::query!(
        "insert into inventory.stock_level (tenant_id, product_id, location, on_hand) \
         select $1, product_id, location, 0 \
         from unnest($2::uuid[], $3::text[]) as shelf (product_id, location) \
         order by product_id, location \
         on conflict (tenant_id, product_id, location) do nothing",
        tenant.as_str(),
        &shelf_products,
        &locations
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks products, in order of id, until the transaction ends. Returns those that exist.
pub async fn lock_products(
    conn: &mut PgConnection,
    tenant: &TenantId,
    products: &[Uuid],
) -> Result<Vec<ProductId>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        "select product_id from inventory.product_stock \
         where tenant_id = $1 and product_id = any($2) order by product_id for update",
        tenant.as_str(),
        products
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Changes shelves and raises each product's version, in one statement. Returns how many shelves were changed: a shelf that
/// does not exist, or that would promise more than is there, is left as it is and missing from the count.
///
/// The products must be locked.
pub async fn update_levels(
    conn: &mut PgConnection,
    tenant: &TenantId,
    changes: &Changes,
) -> Result<usize, sqlx::Error> {
    let (products, locations) = shelf_columns(changes.keys());
    let on_hand: Vec<Decimal> = changes.values().map(|change| change.on_hand).collect();
    let reserved: Vec<Decimal> = changes.values().map(|change| change.reserved).collect();
    let shelves = sqlx::query_scalar!(
        r#"with wanted as (
             select * from unnest($2::uuid[], $3::text[], $4::numeric[], $5::numeric[])
               as wanted (product_id, location, on_hand, reserved)),
           changed as (
             update inventory.stock_level level
             set on_hand = level.on_hand + wanted.on_hand, reserved = level.reserved + wanted.reserved
             from wanted
             where level.tenant_id = $1 and level.product_id = wanted.product_id and level.location = wanted.location
               and level.reserved + wanted.reserved >= 0
               and level.reserved + wanted.reserved <= level.on_hand + wanted.on_hand
             returning level.product_id),
           raised as (
             update inventory.product_stock set version = version + 1, updated_at = now()
             where tenant_id = $1 and product_id in (select product_id from changed))
         select count(*) as "count!" from changed"#,
        tenant.as_str(),
        &products,
        &locations,
        &on_hand,
        &reserved
    )
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(shelves).unwrap_or_default())
}

/// What can be promised on each of the shelves that exist.
pub async fn available(
    conn: &mut PgConnection,
    tenant: &TenantId,
    changes: &Changes,
) -> Result<BTreeMap<Shelf, Decimal>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select product_id, location, on_hand - reserved as "available!" from inventory.stock_level
         where tenant_id = $1 and product_id = any($2)"#,
        tenant.as_str(),
        &products_of(changes)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (Shelf { product: row.product_id.into(), location: row.location }, row.available))
        .collect())
}

/// The newest version of a product's stock.
pub async fn version(
    conn: &mut PgConnection,
    tenant: &TenantId,
    product: ProductId,
) -> Result<Option<Version>, sqlx::Error> {
    let version = sqlx::query_scalar!(
        "select version from inventory.product_stock where tenant_id = $1 and product_id = $2",
        tenant.as_str(),
        product.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.map(Version::from_i64))
}

/// The stock of these products, each with all its locations, read in one statement.
pub async fn items(
    conn: &mut PgConnection,
    tenant: &TenantId,
    products: &[Uuid],
) -> Result<Vec<StockItem>, sqlx::Error> {
    let rows = sqlx::query!(
        "select stock.product_id, stock.external_id, stock.version, level.location, level.on_hand, level.reserved \
         from inventory.product_stock stock \
         join inventory.stock_level level using (tenant_id, product_id) \
         where stock.tenant_id = $1 and stock.product_id = any($2) \
         order by stock.product_id, level.location",
        tenant.as_str(),
        products
    )
    .fetch_all(conn)
    .await?;
    let mut items: Vec<StockItem> = Vec::with_capacity(products.len());
    for row in rows {
        let level = StockLevel {
            location: row.location,
            on_hand: row.on_hand,
            reserved: row.reserved,
            available: row.on_hand - row.reserved,
        };
        match items.last_mut().filter(|item| item.product_id.uuid() == row.product_id) {
            Some(item) => add_level(item, level),
            None => items.push(StockItem {
                product_id: row.product_id.into(),
                external_id: row.external_id,
                on_hand: level.on_hand,
                reserved: level.reserved,
                available: level.available,
                version: Version::from_i64(row.version),
                locations: vec![level],
            }),
        }
    }
    Ok(items)
}

fn add_level(item: &mut StockItem, level: StockLevel) {
    item.on_hand += level.on_hand;
    item.reserved += level.reserved;
    item.available += level.available;
    item.locations.push(level);
}

/// Ids of products after one, in order.
pub async fn product_ids_after(
    conn: &mut PgConnection,
    tenant: &TenantId,
    after: Option<ProductId>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select product_id from inventory.product_stock \
         where tenant_id = $1 and ($2::uuid is null or product_id > $2) order by product_id limit $3",
        tenant.as_str(),
        after.map(ProductId::uuid),
        limit
    )
    .fetch_all(conn)
    .await
}
