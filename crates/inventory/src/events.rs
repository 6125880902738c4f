//! Facts inventory publishes on `quoin.inventory.v1`, and its one reaction: moving the cached version pointer of a product.
//! Payloads are additive: a field once published keeps its name and meaning.

use std::sync::Arc;

use ::events::{
    Envelope, EventType, Guard, NewEvent, Outbox, PublishedEvent, Reaction, ReactionError, RetryLater,
    UnwritablePayload,
};
use async_trait::async_trait;
use cache_ports::{InventoryCache, inventory::StockItem};
use chrono::{DateTime, Utc};
use kernel::{Quantity, ReservationId, TenantId, Version};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::model::{InstalledProduct, Reservation, ReservationItem, ReservationState};

/// Inventory's outbox.
pub const OUTBOX: Outbox = Outbox::of("inventory");

/// The topic of everything published here.
pub const TOPIC: &str = "quoin.inventory.v1";

/// A reservation is new or moved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReservationMoved {
    /// The reservation.
    reservation_id: ReservationId,
    /// Who it is promised to, usually an order.
    reference: String,
    /// Where it stands.
    state: ReservationState,
    /// What is promised, in order of item id.
    items: Vec<ReservationItem>,
    /// Counts its changes.
    version: Version,
}

/// A product was installed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProductInstalled {
    /// What the customer has.
    installed_product_id: kernel::ProductId,
    /// The order that brought it.
    order_id: kernel::OrderId,
    /// The order's item.
    order_item_id: String,
    /// What was sold.
    offering_id: kernel::OfferingId,
    /// How much of it.
    quantity: Quantity,
}

const STOCK_CHANGED: EventType<StockItem> = EventType::new(
    "StockChanged",
    "productStock",
    Guard::StateCarrying,
    "The stock of a product changed, on hand or promised, at any of its locations.",
);
const STOCK_RESERVED: EventType<ReservationMoved> =
    EventType::new("StockReserved", "reservation", Guard::StateCarrying, "Stock is promised, for a limited time.");
const RESERVATION_COMMITTED: EventType<ReservationMoved> = EventType::new(
    "ReservationCommitted",
    "reservation",
    Guard::StateCarrying,
    "Promised stock has left the warehouse.",
);
const RESERVATION_RELEASED: EventType<ReservationMoved> =
    EventType::new("ReservationReleased", "reservation", Guard::StateCarrying, "Promised stock was given back.");
const RESERVATION_EXPIRED: EventType<ReservationMoved> =
    EventType::new("ReservationExpired", "reservation", Guard::StateCarrying, "A promise of stock ran out.");
const PRODUCT_INSTALLED: EventType<ProductInstalled> = EventType::new(
    "ProductInstalled",
    "installedProduct",
    Guard::StateCarrying,
    "A customer has a product after an order was fulfilled.",
);

/// Everything inventory publishes.
pub fn published_events() -> Vec<PublishedEvent> {
    vec![
        STOCK_CHANGED.published(),
        STOCK_RESERVED.published(),
        RESERVATION_COMMITTED.published(),
        RESERVATION_RELEASED.published(),
        RESERVATION_EXPIRED.published(),
        PRODUCT_INSTALLED.published(),
    ]
}

/// What every fact of one command has in common.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// Whose fact.
    pub tenant: &'a TenantId,
    /// Who caused it.
    pub actor: &'a str,
    /// The chain of requests it belongs to, if a request caused it.
    pub correlation_id: Option<&'a str>,
    /// When.
    pub at: DateTime<Utc>,
}

impl Occasion<'_> {
    fn event<P: Serialize + ToSchema>(
        &self,
        event_type: &EventType<P>,
        id: impl Into<uuid::Uuid>,
        version: Version,
        payload: &P,
    ) -> Result<NewEvent, UnwritablePayload> {
        let event = event_type.fact(self.tenant, id, version, payload, self.at)?;
        Ok(match self.correlation_id {
            Some(correlation_id) => event.correlated(correlation_id),
            None => event,
        })
    }

    /// The stock of a product changed; the payload is its whole state.
    pub fn stock_changed(&self, item: &StockItem) -> Result<NewEvent, UnwritablePayload> {
        self.event(&STOCK_CHANGED, item.product_id, item.version, item)
    }

    /// A reservation was made, committed, released, or ran out; `reservation` is as it is now.
    pub fn reservation_moved(&self, reservation: &Reservation) -> Result<NewEvent, UnwritablePayload> {
        let event_type = match reservation.state {
            ReservationState::Held => STOCK_RESERVED,
            ReservationState::Committed => RESERVATION_COMMITTED,
            ReservationState::Released => RESERVATION_RELEASED,
            ReservationState::Expired => RESERVATION_EXPIRED,
        };
        let payload = ReservationMoved {
            reservation_id: reservation.id,
            reference: reservation.reference.clone(),
            state: reservation.state,
            items: reservation.items.clone(),
            version: reservation.version,
        };
        self.event(&event_type, reservation.id, reservation.version, &payload)
    }

    /// A customer has a product.
    pub fn product_installed(&self, product: &InstalledProduct) -> Result<NewEvent, UnwritablePayload> {
        let payload = ProductInstalled {
            installed_product_id: product.id,
            order_id: product.order_id,
            order_item_id: product.order_item_id.clone(),
            offering_id: product.offering_id,
            quantity: product.quantity,
        };
        self.event(&PRODUCT_INSTALLED, product.id, product.version, &payload)
    }
}

/// Moves a product's cached version pointer when a change of its stock has become durable.
pub struct StockReaction(pub Arc<dyn InventoryCache>);

#[async_trait]
impl Reaction for StockReaction {
    fn consumer(&self) -> &'static str {
        "inventory.stock"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            "StockChanged" => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, _tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        // PostgreSQL has the stock already; reading the payload here sends a broken event to the parking lot.
        event.data::<StockItem>()?;
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let product = event.aggregate_id.into();
        self.0.stock_changed(&event.tenant, product, event.aggregate_version).await.map_err(RetryLater::because)
    }
}
