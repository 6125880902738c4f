//! `inventory.movement`: why stock on hand is what it is. Append-only.

use kernel::{ProductId, TenantId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::shelf_columns;
use crate::{
    error::InventoryError,
    model::{Movement, MovementKind, NewMovement, Shelf},
};

/// Writes movements of products whose versions were just raised; `now()` is the transaction's.
pub async fn insert_movements(
    conn: &mut PgConnection,
    tenant: &TenantId,
    actor: &str,
    movements: &[NewMovement],
) -> Result<(), sqlx::Error> {
    let (products, locations) = shelf_columns(movements.iter().map(|movement| &movement.shelf));
    let ids: Vec<Uuid> = movements.iter().map(|_| Uuid::now_v7()).collect();
    let kinds: Vec<String> = movements.iter().map(|movement| movement.kind.word().to_owned()).collect();
    let quantities: Vec<_> = movements.iter().map(|movement| movement.quantity).collect();
    let references: Vec<String> = movements.iter().map(|movement| movement.reference.clone()).collect();
    let result = sqlx::query!(
        "insert into inventory.movement \
             (tenant_id, movement_id, product_id, location, kind, quantity, reference, product_version, actor) \
         select $1, moved.id, moved.product_id, moved.location, moved.kind, moved.quantity, moved.reference, \
             stock.version, $8 \
         from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::numeric[], $7::text[]) \
             as moved (id, product_id, location, kind, quantity, reference) \
         join inventory.product_stock stock on stock.tenant_id = $1 and stock.product_id = moved.product_id",
        tenant.as_str(),
        &ids,
        &products,
        &locations,
        &kinds,
        &quantities,
        &references,
        actor
    )
    .execute(conn)
    .await?;
    let written = usize::try_from(result.rows_affected()).unwrap_or_default();
    if written == movements.len() { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// The movements already made under the references of these, in any order.
pub async fn movements_like(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &[NewMovement],
) -> Result<Vec<Movement>, InventoryError> {
    let (products, locations) = shelf_columns(wanted.iter().map(|movement| &movement.shelf));
    let kinds: Vec<String> = wanted.iter().map(|movement| movement.kind.word().to_owned()).collect();
    let references: Vec<String> = wanted.iter().map(|movement| movement.reference.clone()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select made.movement_id, made.product_id, made.location, made.kind, made.quantity, made.reference, \
             made.product_version, made.actor, made.occurred_at \
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) as wanted (product_id, location, kind, reference) \
         join inventory.movement made on made.tenant_id = $1 and made.kind = wanted.kind \
             and made.reference = wanted.reference and made.product_id = wanted.product_id \
             and made.location = wanted.location",
        tenant.as_str(),
        &products,
        &locations,
        &kinds,
        &references
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Movement::try_from).collect()
}

/// A product's movements before one, newest first.
pub async fn movements_before(
    conn: &mut PgConnection,
    tenant: &TenantId,
    product: ProductId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Movement>, InventoryError> {
    let rows = sqlx::query_as!(
        Row,
        "select movement_id, product_id, location, kind, quantity, reference, product_version, actor, occurred_at \
         from inventory.movement \
         where tenant_id = $1 and product_id = $2 and ($3::uuid is null or movement_id < $3) \
         order by movement_id desc limit $4",
        tenant.as_str(),
        product.uuid(),
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Movement::try_from).collect()
}

struct Row {
    movement_id: Uuid,
    product_id: Uuid,
    location: String,
    kind: String,
    quantity: rust_decimal::Decimal,
    reference: String,
    product_version: i64,
    actor: String,
    occurred_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for Movement {
    type Error = InventoryError;

    fn try_from(row: Row) -> Result<Self, InventoryError> {
        let kind = MovementKind::from_word(&row.kind).ok_or(InventoryError::UnknownWord("movement kind"))?;
        let shelf = Shelf { product: row.product_id.into(), location: row.location };
        Ok(Self {
            id: row.movement_id,
            moved: NewMovement { shelf, kind, quantity: row.quantity, reference: row.reference },
            product_version: Version::from_i64(row.product_version),
            actor: row.actor,
            occurred_at: row.occurred_at,
        })
    }
}
