//! Does the stock agree with what explains it? Reads only.

use kernel::{ProductId, TenantId};
use rust_decimal::Decimal;
use sqlx::PgConnection;

/// A shelf that does not agree with its movements or its reservations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The product.
    pub product: ProductId,
    /// The location.
    pub location: String,
    /// What the shelf says is present.
    pub on_hand: Decimal,
    /// What its movements sum to.
    pub moved: Decimal,
    /// What the shelf says is promised.
    pub reserved: Decimal,
    /// What its held reservations sum to.
    pub held: Decimal,
}

/// How many products and movements there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Products.
    pub products: i64,
    /// Movements.
    pub movements: i64,
}

/// Counts what there is.
pub async fn counts(conn: &mut PgConnection, tenant: &TenantId) -> Result<Counts, sqlx::Error> {
    sqlx::query_as!(
        Counts,
        r#"select (select count(*) from inventory.product_stock where tenant_id = $1) as "products!",
                  (select count(*) from inventory.movement where tenant_id = $1) as "movements!""#,
        tenant.as_str()
    )
    .fetch_one(conn)
    .await
}

/// Shelves that disagree, at most `limit`.
pub async fn mismatches(conn: &mut PgConnection, tenant: &TenantId, limit: i64) -> Result<Vec<Mismatch>, sqlx::Error> {
    let rows = sqlx::query_file!("src/store/reconciliation.sql", tenant.as_str(), limit).fetch_all(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| Mismatch {
            product: row.product_id.into(),
            location: row.location,
            on_hand: row.on_hand,
            moved: row.moved,
            reserved: row.reserved,
            held: row.held,
        })
        .collect())
}
