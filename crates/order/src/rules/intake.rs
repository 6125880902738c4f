//! An acceptance becomes an order. What comes from another service is checked, whichever way it came.

use chrono::{DateTime, Utc};
use kernel::{Money, OrderId, OrderItemId, Quantity, Version};

use crate::model::{Acceptance, AcceptedItem, HandoffState, ItemState, Order, OrderItem, OrderState};

/// The acceptance contradicts itself: no order may be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the acceptance contradicts itself: {0}")]
pub struct BadAcceptance(pub &'static str);

/// Checks an acceptance: something was ordered, every line once, in one currency, and the lines sum to the total.
pub fn check(acceptance: &Acceptance) -> Result<(), BadAcceptance> {
    if acceptance.items.is_empty() {
        return Err(BadAcceptance("it has no lines"));
    }
    let mut ids: Vec<_> = acceptance.items.iter().map(|item| item.item_id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() != acceptance.items.len() {
        return Err(BadAcceptance("a line is there twice"));
    }
    if acceptance.items.iter().any(|item| item.quantity.is_zero()) {
        return Err(BadAcceptance("a line without a quantity"));
    }
    let sum = Money::sum(acceptance.items.iter().map(|item| item.amount), acceptance.currency);
    if sum.ok() != Some(acceptance.total) {
        return Err(BadAcceptance("its lines do not sum to its total"));
    }
    if acceptance.total.amount().is_sign_negative() {
        return Err(BadAcceptance("its total is negative"));
    }
    Ok(())
}

/// The order an acceptance gives the right to. Item ids follow from the order and the quote's lines.
pub fn order_from(acceptance: Acceptance, id: OrderId, created_by: &str, at: DateTime<Utc>) -> Order {
    let items = (1u32..).zip(acceptance.items).map(|(line_no, item)| order_item(id, line_no, item)).collect();
    Order {
        id,
        version: Version::FIRST,
        quote_id: acceptance.quote_id,
        revision_no: acceptance.revision_no,
        customer_id: acceptance.customer_id,
        state: OrderState::Acknowledged,
        currency: acceptance.currency,
        total: acceptance.total,
        credited: Money::zero(acceptance.currency),
        content_hash: acceptance.content_hash,
        invoice_handoff: HandoffState::Pending,
        created_by: created_by.to_owned(),
        created_at: at,
        updated_at: at,
        completed_at: None,
        items,
    }
}

fn order_item(order: OrderId, line_no: u32, accepted: AcceptedItem) -> OrderItem {
    OrderItem {
        id: OrderItemId::derived(order.uuid(), &accepted.item_id.to_string()),
        line_no,
        quote_item_id: accepted.item_id,
        offering_id: accepted.offering_id,
        external_id: accepted.external_id,
        name: accepted.name,
        stocked: accepted.stocked,
        quantity: accepted.quantity,
        cancelled_quantity: Quantity::ZERO,
        unit: accepted.unit,
        amount: accepted.amount,
        price_type: accepted.price_type,
        period: accepted.period,
        state: ItemState::Acknowledged,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use cache_ports::pricing::PriceType;
    use kernel::ContentHash;
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use uuid::Uuid;

    use super::*;

    pub(crate) fn eur(minor: i64) -> Money {
        Money::new(Decimal::new(minor, 2), "EUR".parse().unwrap()).unwrap()
    }

    pub(crate) fn acceptance(lines: &[(u32, i64)]) -> Acceptance {
        let item = |(number, (quantity, minor)): (u128, &(u32, i64))| AcceptedItem {
            item_id: Uuid::from_u128(number).into(),
            offering_id: Uuid::from_u128(1_000 + number).into(),
            external_id: None,
            name: format!("Product {number}"),
            stocked: true,
            quantity: (*quantity).into(),
            unit: Decimal::ONE,
            amount: eur(*minor),
            price_type: PriceType::OneTime,
            period: None,
        };
        Acceptance {
            quote_id: Uuid::from_u128(1).into(),
            revision_no: 1,
            customer_id: None,
            currency: "EUR".parse().unwrap(),
            total: eur(lines.iter().map(|(_, minor)| minor).sum()),
            content_hash: ContentHash::of_bytes(b"content"),
            items: (1u128..).zip(lines).map(item).collect(),
        }
    }

    #[test]
    fn an_acceptance_that_contradicts_itself_is_refused() {
        let good = acceptance(&[(2, 500), (3, 700)]);
        assert_eq!(check(&good), Ok(()));
        let refused = |change: fn(&mut Acceptance)| {
            let mut bad = good.clone();
            change(&mut bad);
            check(&bad).is_err()
        };
        assert!(refused(|bad| bad.items.clear()));
        assert!(refused(|bad| bad.total = eur(1199)));
        assert!(refused(|bad| bad.items[0].quantity = Quantity::ZERO));
        assert!(refused(|bad| bad.items[1].item_id = bad.items[0].item_id));
        assert!(refused(|bad| bad.items[0].amount = Money::new(5.into(), "USD".parse().unwrap()).unwrap()));
    }

    proptest! {
        #[test]
        fn an_order_has_every_accepted_line_once_at_its_price(lines in prop::collection::vec((1u32..100, 0i64..100_000), 1..30)) {
            let accepted = acceptance(&lines);
            let order = order_from(accepted.clone(), Uuid::from_u128(7).into(), "rep", DateTime::UNIX_EPOCH);
            prop_assert_eq!(order.total, accepted.total);
            prop_assert_eq!(order.items.len(), accepted.items.len());
            for (item, line) in order.items.iter().zip(&accepted.items) {
                prop_assert_eq!((item.quote_item_id, item.quantity, item.amount), (line.item_id, line.quantity, line.amount));
            }
        }
    }
}
