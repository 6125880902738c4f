//! Inventory's events.

use cache_ports::inventory::{StockItem, StockLevel};
use inventory::{
    events::Occasion,
    model::{InstalledProduct, Reservation, ReservationItem, ReservationState},
};
use kernel::{Quantity, Version};
use quoin::services::Service;
use rust_decimal::Decimal;

use super::{Sample, at, hash, id, tenant};

/// One of each; stock of a product that has no id elsewhere.
pub fn samples() -> Vec<Sample> {
    let tenant = tenant();
    let occasion = Occasion { tenant: &tenant, actor: "service:order", correlation_id: Some("request-5"), at: at(9) };
    let (full, least) =
        (|event| Sample::full(Service::Inventory, event), |event| Sample::least(Service::Inventory, event));
    let mut samples = vec![
        full(occasion.stock_changed(&stock(Some("lamp"))).unwrap()),
        least(occasion.stock_changed(&stock(None)).unwrap()),
    ];
    for (version, state) in (1..).zip(ReservationState::ALL) {
        samples.push(full(occasion.reservation_moved(&reservation(state, version)).unwrap()));
    }
    let product = InstalledProduct {
        id: id("installed-lamp"),
        order_id: id("order"),
        order_item_id: "line-1".to_owned(),
        offering_id: id("lamp"),
        name: "Reading lamp".to_owned(),
        quantity: Quantity::from(12),
        version: Version::FIRST,
        created_at: at(9),
    };
    samples.push(full(occasion.product_installed(&product).unwrap()));
    samples
}

fn stock(external_id: Option<&str>) -> StockItem {
    let level = StockLevel {
        location: "main".to_owned(),
        on_hand: Decimal::new(9_880, 1),
        reserved: Decimal::from(12),
        available: Decimal::new(9_760, 1),
    };
    StockItem {
        product_id: id("lamp"),
        external_id: external_id.map(str::to_owned),
        on_hand: level.on_hand,
        reserved: level.reserved,
        available: level.available,
        version: Version::new(21),
        locations: vec![level],
    }
}

fn reservation(state: ReservationState, version: u64) -> Reservation {
    let item = ReservationItem {
        item_id: "line-1".to_owned(),
        product_id: id("lamp"),
        location: "main".to_owned(),
        quantity: Quantity::from(12),
    };
    Reservation {
        id: id("reservation"),
        reference: "order-1".to_owned(),
        state,
        items_hash: hash("items"),
        expires_at: at(59),
        version: Version::new(version),
        items: vec![item],
    }
}
