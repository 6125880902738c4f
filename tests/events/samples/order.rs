//! The order service's events.

use cache_ports::catalog::PeriodUnit;
use cache_ports::pricing::{Period, PriceType};
use kernel::{Quantity, Version};
use order::{
    commands::Actor,
    events::{
        RecordedResult, compensation_completed, handoff_requested, order_cancelled, order_created, result_recorded,
        state_changed,
    },
    model::{
        Cancellation, CancellationItem, CancellationState, FulfillmentResult, HandoffState, ItemState, Order,
        OrderItem, OrderState, TaskKind,
    },
};
use quoin::services::Service;
use rust_decimal::Decimal;

use super::{Sample, at, eur, euros, hash, id, tenant};

/// One of each, of an order with everything and of one with nothing that may be missing.
pub fn samples() -> Vec<Sample> {
    let actor = Actor {
        tenant: tenant(),
        subject: "buyer".to_owned(),
        correlation_id: Some("request-4".to_owned()),
        causation_id: None,
    };
    let of = |known: bool, version: u64, state: OrderState| {
        let sample = if known { Sample::full } else { Sample::least };
        (move |event| sample(Service::Order, event), order(known, version, state))
    };
    let mut samples = Vec::new();
    for known in [true, false] {
        let (sample, created) = of(known, 1, OrderState::Acknowledged);
        samples.push(sample(order_created(&actor, &created).unwrap()));
        let (sample, moved) = of(known, 2, OrderState::InProgress);
        samples.push(sample(state_changed(&actor, &moved, OrderState::Acknowledged).unwrap()));
        let (sample, handed) = of(known, 4, OrderState::InProgress);
        samples.push(sample(handoff_requested(&actor, &handed).unwrap()));
        let (sample, cancelled) = of(known, 6, OrderState::Completed);
        samples.push(sample(order_cancelled(&actor, &cancelled, OrderState::Completed, &cancellation()).unwrap()));
        samples.push(sample(result_recorded(&actor, &result(known), Version::new(2), at(8)).unwrap()));
    }
    let given_back = order(true, 6, OrderState::Completed);
    let compensation = compensation_completed(&actor, &given_back, &cancellation()).unwrap();
    samples.push(Sample::full(Service::Order, compensation));
    samples
}

fn result(known: bool) -> RecordedResult {
    RecordedResult {
        id: id("task"),
        order_id: id("order"),
        order_version: Version::new(6),
        kind: if known { TaskKind::Cancel } else { TaskKind::Reserve },
        cancellation_id: known.then(|| id("cancellation")),
        attempt: 3,
        result: if known { FulfillmentResult::Fallout } else { FulfillmentResult::Completed },
        error: known.then(|| "inventory does not answer".to_owned()),
    }
}

fn order(known: bool, version: u64, state: OrderState) -> Order {
    Order {
        id: id("order"),
        version: Version::new(version),
        quote_id: id("quote"),
        revision_no: 1,
        customer_id: known.then(|| id("customer")),
        state,
        currency: eur(),
        total: euros(10_850),
        credited: euros(-1_600),
        content_hash: hash("content"),
        invoice_handoff: HandoffState::Pending,
        created_by: "buyer".to_owned(),
        created_at: at(4),
        updated_at: at(5),
        completed_at: known.then(|| at(6)),
        items: vec![item(known)],
    }
}

fn item(known: bool) -> OrderItem {
    OrderItem {
        id: id("order-line-1"),
        line_no: 1,
        quote_item_id: id("line-1"),
        offering_id: id("lamp"),
        external_id: known.then(|| "lamp".to_owned()),
        name: "Reading lamp".to_owned(),
        stocked: true,
        quantity: Quantity::from(12),
        cancelled_quantity: Quantity::from(2),
        unit: Decimal::new(800, 2),
        amount: euros(9_600),
        price_type: PriceType::Recurring,
        period: Some(Period { unit: PeriodUnit::Month, length: 1 }),
        state: ItemState::InProgress,
    }
}

fn cancellation() -> Cancellation {
    let line = CancellationItem { item_id: id("order-line-1"), quantity: Quantity::from(2), credit: euros(-1_600) };
    Cancellation {
        id: id("cancellation"),
        order_id: id("order"),
        external_id: None,
        state: CancellationState::Done,
        reason: "two are broken".to_owned(),
        whole: false,
        credit: euros(-1_600),
        error: None,
        requested_by: "buyer".to_owned(),
        requested_at: at(7),
        items: vec![line],
    }
}
