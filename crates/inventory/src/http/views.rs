//! The JSON of inventory, in and out.

use chrono::{DateTime, Utc};
use kernel::{OfferingId, OrderId, ProductId, Quantity, ReservationId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::{
    model::{
        DEFAULT_LOCATION, InstalledProduct, Movement, MovementKind, NewMovement, Reservation, ReservationItem,
        ReservationState, Shelf,
    },
    store::reconciliation::{Counts, Mismatch},
};

fn default_location() -> String {
    DEFAULT_LOCATION.to_owned()
}

/// Opening stock of many products.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockImport {
    /// 1 to 1,000 lines.
    pub items: Vec<StockImportItem>,
}

/// Opening stock of one product at one location.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockImportItem {
    /// The product: the catalog's offering id.
    pub product_id: ProductId,
    /// The id in the tenant's own system.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Where it lies.
    #[serde(default = "default_location")]
    #[schema(default = "main")]
    pub location: String,
    /// How much was there.
    pub quantity: Quantity,
    /// The same reference moves the same stock once.
    pub reference: String,
}

/// What an import did.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockImported {
    /// Movements made.
    pub created: usize,
    /// Movements that had been made before.
    pub unchanged: usize,
}

/// A movement to be recorded.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MovementBody {
    /// Why stock changes.
    pub kind: RecordedKind,
    /// The product.
    pub product_id: ProductId,
    /// Where.
    #[serde(default = "default_location")]
    #[schema(default = "main")]
    pub location: String,
    /// By how much; only an adjustment may be negative.
    #[serde(with = "kernel::decimal_text")]
    #[schema(value_type = kernel::DecimalText)]
    pub quantity: Decimal,
    /// The same reference moves the same stock once.
    pub reference: String,
}

/// The kinds of movement that are recorded by hand; the others follow from imports and reservations.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RecordedKind {
    /// Goods came in.
    Receipt,
    /// A count said otherwise.
    Adjustment,
    /// Goods came back.
    Return,
}

impl From<MovementBody> for NewMovement {
    fn from(body: MovementBody) -> Self {
        let kind = match body.kind {
            RecordedKind::Receipt => MovementKind::Receipt,
            RecordedKind::Adjustment => MovementKind::Adjustment,
            RecordedKind::Return => MovementKind::Return,
        };
        let shelf = Shelf { product: body.product_id, location: body.location };
        Self { shelf, kind, quantity: body.quantity, reference: body.reference }
    }
}

/// A movement that was made.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MovementView {
    /// Its identity.
    pub id: Uuid,
    /// The product.
    pub product_id: ProductId,
    /// Where.
    pub location: String,
    /// Why.
    pub kind: MovementKind,
    /// By how much; signed.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub quantity: Decimal,
    /// The caller's name for it.
    pub reference: String,
    /// The product's stock version after it.
    pub version: Version,
    /// Who moved it.
    pub actor: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

impl From<Movement> for MovementView {
    fn from(movement: Movement) -> Self {
        Self {
            id: movement.id,
            product_id: movement.moved.shelf.product,
            location: movement.moved.shelf.location,
            kind: movement.moved.kind,
            quantity: movement.moved.quantity.normalize(),
            reference: movement.moved.reference,
            version: movement.product_version,
            actor: movement.actor,
            occurred_at: movement.occurred_at,
        }
    }
}

/// Stock to be promised.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReservationBody {
    /// Who it is for, usually an order's id. One living reservation a reference.
    pub reference: String,
    /// How long it is held: 1 second to 7 days.
    #[serde(default)]
    #[validate(range(min = 1, max = 604_800))]
    pub ttl_secs: Option<u32>,
    /// 1 to 1,000 lines; all are promised or none.
    pub items: Vec<ReservationItemBody>,
}

/// One line of a reservation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReservationItemBody {
    /// The caller's name for the line.
    pub item_id: String,
    /// The product.
    pub product_id: ProductId,
    /// Where it is taken from.
    #[serde(default = "default_location")]
    #[schema(default = "main")]
    pub location: String,
    /// How much.
    pub quantity: Quantity,
}

impl From<ReservationItemBody> for ReservationItem {
    fn from(body: ReservationItemBody) -> Self {
        Self { item_id: body.item_id, product_id: body.product_id, location: body.location, quantity: body.quantity }
    }
}

/// A reservation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationView {
    /// Its identity.
    pub id: ReservationId,
    /// Who it is for.
    pub reference: String,
    /// Where it stands.
    pub state: ReservationState,
    /// When the promise runs out.
    pub expires_at: DateTime<Utc>,
    /// Counts its changes; also the ETag.
    pub version: Version,
    /// What is promised, in order of item id.
    pub items: Vec<ReservationItemBody>,
}

impl From<Reservation> for ReservationView {
    fn from(reservation: Reservation) -> Self {
        let item = |item: ReservationItem| ReservationItemBody {
            item_id: item.item_id,
            product_id: item.product_id,
            location: item.location,
            quantity: item.quantity,
        };
        Self {
            id: reservation.id,
            reference: reservation.reference,
            state: reservation.state,
            expires_at: reservation.expires_at,
            version: reservation.version,
            items: reservation.items.into_iter().map(item).collect(),
        }
    }
}

/// What a fulfilled order gives its customer.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstallBody {
    /// The order.
    pub order_id: OrderId,
    /// 1 to 1,000 lines; each order item installs once.
    #[validate(nested)]
    pub items: Vec<InstallItem>,
}

/// One product to be installed.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstallItem {
    /// The order's item.
    #[validate(length(min = 1, max = 200))]
    pub order_item_id: String,
    /// What was sold.
    pub offering_id: OfferingId,
    /// Its name when it was sold.
    #[validate(length(min = 1, max = 500))]
    pub name: String,
    /// How much of it.
    pub quantity: Quantity,
}

/// A product a customer has.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstalledProductView {
    /// Its identity.
    pub id: ProductId,
    /// The order that brought it.
    pub order_id: OrderId,
    /// The order's item.
    pub order_item_id: String,
    /// What was sold.
    pub offering_id: OfferingId,
    /// Its name when it was sold.
    pub name: String,
    /// How much of it.
    pub quantity: Quantity,
    /// TMF637 status.
    pub status: String,
    /// Counts its changes.
    pub version: Version,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl From<InstalledProduct> for InstalledProductView {
    fn from(product: InstalledProduct) -> Self {
        Self {
            id: product.id,
            order_id: product.order_id,
            order_item_id: product.order_item_id,
            offering_id: product.offering_id,
            name: product.name,
            quantity: product.quantity,
            status: "active".to_owned(),
            version: product.version,
            created_at: product.created_at,
        }
    }
}

/// Everything an order has installed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstalledProducts {
    /// In order of the order's items.
    pub items: Vec<InstalledProductView>,
}

/// Whether stock agrees with what explains it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// Products with a stock record.
    pub products: i64,
    /// Movements.
    pub movements: i64,
    /// Shelves that disagree, at most 100.
    pub mismatches: Vec<MismatchView>,
}

/// A shelf that disagrees.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MismatchView {
    /// The product.
    pub product_id: ProductId,
    /// The location.
    pub location: String,
    /// What the shelf says is present.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub on_hand: Decimal,
    /// What its movements sum to.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub moved: Decimal,
    /// What the shelf says is promised.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub reserved: Decimal,
    /// What its held reservations sum to.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String)]
    pub held: Decimal,
}

impl Reconciliation {
    /// The answer for what was found.
    pub fn of(counts: Counts, mismatches: Vec<Mismatch>) -> Self {
        let mismatch = |it: Mismatch| MismatchView {
            product_id: it.product,
            location: it.location,
            on_hand: it.on_hand,
            moved: it.moved,
            reserved: it.reserved,
            held: it.held,
        };
        Self {
            products: counts.products,
            movements: counts.movements,
            mismatches: mismatches.into_iter().map(mismatch).collect(),
        }
    }
}
