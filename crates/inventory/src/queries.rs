//! Everything that reads, one function a question. Stock for display is read through the cache by versioned key; nothing
//! that reserves is.

use cache_ports::{Loaded, ReadResult, Served, inventory::StockItem, load};
use kernel::{OrderId, ProductId, ReservationId, TenantId, Version};
use service_runtime::{Limit, TenantTx};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    State,
    error::InventoryError,
    model::{InstalledProduct, Movement, Reservation},
    store::{
        self,
        reconciliation::{Counts, Mismatch},
    },
};

/// Most disagreements one reconciliation lists.
const MAX_MISMATCHES: i64 = 100;

/// How fresh the stock must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// As PostgreSQL has it now: the version is read from the authority.
    Strict,
    /// At most two seconds old: the version is read through the cache.
    Bounded {
        /// Unless the caller has seen a newer one.
        min_version: Option<Version>,
    },
}

/// The stock of a product.
pub async fn stock(
    state: &State,
    tenant: &TenantId,
    product: ProductId,
    consistency: Consistency,
) -> Result<Served<StockItem>, InventoryError> {
    let cache = &state.runtime.caches.inventory;
    let version = match consistency {
        Consistency::Strict => newest_version(&state.runtime.pool, tenant, product).await?,
        Consistency::Bounded { min_version } => {
            let start = || load_version(state.runtime.pool.clone(), tenant.clone(), product);
            cache.version_pointer(tenant, product, min_version, &load(start)).await?.map(|served| *served.value)
        }
    };
    let version = version.ok_or(InventoryError::NotFound("product"))?;
    let start = || load_item(state.runtime.pool.clone(), tenant.clone(), product);
    let served: ReadResult<StockItem> = cache.item(tenant, product, version, &load(start)).await;
    served?.ok_or(InventoryError::NotFound("product"))
}

pub(crate) async fn newest_version(
    pool: &PgPool,
    tenant: &TenantId,
    product: ProductId,
) -> Result<Option<Version>, sqlx::Error> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let version = store::stock::version(&mut tx, tenant, product).await?;
    tx.commit().await?;
    Ok(version)
}

pub(crate) async fn load_version(
    pool: PgPool,
    tenant: TenantId,
    product: ProductId,
) -> Result<Loaded<Version>, sqlx::Error> {
    let version = newest_version(&pool, &tenant, product).await?;
    Ok(Loaded::from_row(version.map(|version| (version, version))))
}

pub(crate) async fn load_item(
    pool: PgPool,
    tenant: TenantId,
    product: ProductId,
) -> Result<Loaded<StockItem>, sqlx::Error> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let item = store::stock::items(&mut tx, &tenant, &[product.uuid()]).await?.pop();
    tx.commit().await?;
    Ok(Loaded::from_row(item.map(|item| {
        let version = item.version;
        (item, version)
    })))
}

/// The stock of products after an id, one more than a page holds, straight from PostgreSQL.
pub async fn products(
    state: &State,
    tenant: &TenantId,
    after: Option<ProductId>,
    limit: Limit,
) -> Result<Vec<StockItem>, InventoryError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let ids = store::stock::product_ids_after(&mut tx, tenant, after, limit.plus_one()).await?;
    let items = store::stock::items(&mut tx, tenant, &ids).await?;
    tx.commit().await?;
    Ok(items)
}

/// A product's movements before one, newest first, one more than a page holds.
pub async fn movements(
    state: &State,
    tenant: &TenantId,
    product: ProductId,
    before: Option<Uuid>,
    limit: Limit,
) -> Result<Vec<Movement>, InventoryError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let known = store::stock::version(&mut tx, tenant, product).await?;
    let rows = store::movements::movements_before(&mut tx, tenant, product, before, limit.plus_one()).await?;
    tx.commit().await?;
    known.ok_or(InventoryError::NotFound("product"))?;
    Ok(rows)
}

/// One reservation.
pub async fn reservation(state: &State, tenant: &TenantId, id: ReservationId) -> Result<Reservation, InventoryError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let found = store::reservations::reservation_by_id(&mut tx, tenant, id).await?;
    tx.commit().await?;
    found.ok_or(InventoryError::NotFound("reservation"))
}

/// What an order has installed; nothing for an order inventory has not heard of.
pub async fn installed_products(
    state: &State,
    tenant: &TenantId,
    order: OrderId,
) -> Result<Vec<InstalledProduct>, InventoryError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let found = store::installed::installed_of_order(&mut tx, tenant, order).await?;
    tx.commit().await?;
    Ok(found)
}

/// Whether the stock agrees with its movements and reservations.
pub async fn reconciliation(state: &State, tenant: &TenantId) -> Result<(Counts, Vec<Mismatch>), InventoryError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let counts = store::reconciliation::counts(&mut tx, tenant).await?;
    let mismatches = store::reconciliation::mismatches(&mut tx, tenant, MAX_MISMATCHES).await?;
    tx.commit().await?;
    Ok((counts, mismatches))
}
