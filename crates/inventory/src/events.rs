//! Facts inventory publishes on `quoin.inventory.v1`, and its one reaction: moving the cached version pointer of a product.
//! Payloads are additive: a field once published keeps its name and meaning.

use std::sync::Arc;

use ::events::{Envelope, Guard, NewEvent, Outbox, Reaction, ReactionError, RetryLater, UnwritablePayload};
use async_trait::async_trait;
use cache_ports::{InventoryCache, inventory::StockItem};
use chrono::{DateTime, Utc};
use kernel::{Quantity, ReservationId, TenantId, Version};
use serde::Serialize;
use sqlx::PgConnection;

use crate::model::{InstalledProduct, Reservation, ReservationItem, ReservationState};

/// Inventory's outbox.
pub const OUTBOX: Outbox = Outbox::of("inventory");

/// The topic of everything published here.
pub const TOPIC: &str = "quoin.inventory.v1";

/// A reservation is new or moved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReservationMoved<'a> {
    reservation_id: ReservationId,
    reference: &'a str,
    state: ReservationState,
    items: &'a [ReservationItem],
    version: Version,
}

/// A product was installed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductInstalled<'a> {
    installed_product_id: kernel::ProductId,
    order_id: kernel::OrderId,
    order_item_id: &'a str,
    offering_id: kernel::OfferingId,
    quantity: Quantity,
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
    fn event<P: Serialize>(
        &self,
        aggregate: &'static str,
        id: uuid::Uuid,
        version: Version,
        event_type: &'static str,
        payload: &P,
    ) -> Result<NewEvent, UnwritablePayload> {
        let event = NewEvent::new(self.tenant, aggregate, id, version, event_type, payload, self.at)?;
        Ok(match self.correlation_id {
            Some(correlation_id) => event.correlated(correlation_id),
            None => event,
        })
    }

    /// The stock of a product changed; the payload is its whole state.
    pub fn stock_changed(&self, item: &StockItem) -> Result<NewEvent, UnwritablePayload> {
        self.event("productStock", item.product_id.uuid(), item.version, "StockChanged", item)
    }

    /// A reservation was made, committed, released, or ran out; `reservation` is as it is now.
    pub fn reservation_moved(&self, reservation: &Reservation) -> Result<NewEvent, UnwritablePayload> {
        let event_type = match reservation.state {
            ReservationState::Held => "StockReserved",
            ReservationState::Committed => "ReservationCommitted",
            ReservationState::Released => "ReservationReleased",
            ReservationState::Expired => "ReservationExpired",
        };
        let payload = ReservationMoved {
            reservation_id: reservation.id,
            reference: &reservation.reference,
            state: reservation.state,
            items: &reservation.items,
            version: reservation.version,
        };
        self.event("reservation", reservation.id.uuid(), reservation.version, event_type, &payload)
    }

    /// A customer has a product.
    pub fn product_installed(&self, product: &InstalledProduct) -> Result<NewEvent, UnwritablePayload> {
        let payload = ProductInstalled {
            installed_product_id: product.id,
            order_id: product.order_id,
            order_item_id: &product.order_item_id,
            offering_id: product.offering_id,
            quantity: product.quantity,
        };
        self.event("installedProduct", product.id.uuid(), product.version, "ProductInstalled", &payload)
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
