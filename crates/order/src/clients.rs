//! The services an order asks: quote what was accepted, inventory for stock and installed products.
//!
//! Every call is safe to repeat: inventory recognises its references. Must never be made while a row is locked.

use kernel::{CancellationId, OfferingId, OrderId, OrderItemId, ProductId, Quantity, QuoteId, ReservationId};
use serde::{Deserialize, Serialize};
use service_runtime::{CallError, Caller, ServiceClient};

use crate::{
    config::Config,
    model::{Acceptance, Order, OrderItem},
    rules::plan::stocked,
};

/// The other services.
#[derive(Debug, Clone)]
pub struct Clients {
    quote: ServiceClient,
    inventory: ServiceClient,
    reservation_ttl_secs: u32,
}

/// A reservation as far as an order looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reservation {
    /// Inventory's id.
    pub id: ReservationId,
    /// held or committed: the living states.
    pub state: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReservationBody {
    reference: OrderId,
    ttl_secs: u32,
    items: Vec<ReservationLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReservationLine {
    item_id: OrderItemId,
    product_id: ProductId,
    quantity: Quantity,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstallBody<'a> {
    order_id: OrderId,
    items: Vec<InstallLine<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstallLine<'a> {
    order_item_id: OrderItemId,
    offering_id: OfferingId,
    name: &'a str,
    quantity: Quantity,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReturnBody {
    kind: &'static str,
    product_id: ProductId,
    quantity: Quantity,
    reference: String,
}

/// The parts of an answer nobody looks at.
type Ignored = serde::de::IgnoredAny;

impl Clients {
    /// Clients at the configured addresses.
    pub fn new(config: &Config) -> Self {
        Self {
            quote: ServiceClient::new("quote", &config.quote_url, config.call_timeout()),
            inventory: ServiceClient::new("inventory", &config.inventory_url, config.call_timeout()),
            reservation_ttl_secs: config.reservation_ttl_secs,
        }
    }

    /// What was accepted of a quote's revision.
    pub async fn acceptance(&self, caller: &Caller, quote: QuoteId, revision_no: u32) -> Result<Acceptance, CallError> {
        let path = format!("/quote/v1/quotes/{quote}/revisions/{revision_no}/acceptance");
        Ok(self.quote.get(caller, &path).send().await?.value)
    }

    /// Reserves the order's stock, all or nothing. Asked again it answers the living reservation, held or committed.
    pub async fn reserve(&self, caller: &Caller, order: &Order) -> Result<Reservation, CallError> {
        let body = ReservationBody {
            reference: order.id,
            ttl_secs: self.reservation_ttl_secs,
            items: stocked(order).map(reservation_line).collect(),
        };
        Ok(self.inventory.post(caller, "/inventory/v1/reservations", &body).send().await?.value)
    }

    /// Takes the reserved stock out.
    pub async fn commit(&self, caller: &Caller, reservation: ReservationId) -> Result<Reservation, CallError> {
        let path = format!("/inventory/v1/reservations/{reservation}/commit");
        Ok(self.inventory.post(caller, &path, &()).send().await?.value)
    }

    /// Gives the promise back.
    pub async fn release(&self, caller: &Caller, reservation: ReservationId) -> Result<Reservation, CallError> {
        let path = format!("/inventory/v1/reservations/{reservation}/release");
        Ok(self.inventory.post(caller, &path, &()).send().await?.value)
    }

    /// Registers what the customer now has; an order item once.
    pub async fn install(&self, caller: &Caller, order: &Order) -> Result<(), CallError> {
        let body = InstallBody { order_id: order.id, items: order.items.iter().map(install_line).collect() };
        self.inventory.post(caller, "/inventory/v1/installed-products", &body).send::<Ignored>().await?;
        Ok(())
    }

    /// Puts goods of a cancellation back; the same line once.
    pub async fn give_back(
        &self,
        caller: &Caller,
        cancellation: CancellationId,
        item: &OrderItem,
        quantity: Quantity,
    ) -> Result<(), CallError> {
        let body = ReturnBody {
            kind: "return",
            product_id: product_of(item),
            quantity,
            reference: format!("cancellation:{cancellation}:{}", item.id),
        };
        self.inventory.post(caller, "/inventory/v1/movements", &body).send::<Ignored>().await?;
        Ok(())
    }
}

fn reservation_line(item: &OrderItem) -> ReservationLine {
    ReservationLine { item_id: item.id, product_id: product_of(item), quantity: item.quantity }
}

fn install_line(item: &OrderItem) -> InstallLine<'_> {
    InstallLine { order_item_id: item.id, offering_id: item.offering_id, name: &item.name, quantity: item.quantity }
}

/// Inventory counts the catalog's offerings: the same id under its own word.
fn product_of(item: &OrderItem) -> ProductId {
    item.offering_id.uuid().into()
}
