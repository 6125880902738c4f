//! What may be cancelled, and what is given back for it: exact, proportional to quantity, never more than was ordered.

use kernel::{Money, OrderItemId, Quantity, Rounding};
use rust_decimal::Decimal;
use service_runtime::FieldProblem;

use crate::model::{CancellationItem, Order, OrderItem};

/// A quantity of one item that is to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The item.
    pub item_id: OrderItemId,
    /// Units.
    pub quantity: Quantity,
}

/// The value of the first `cancelled` units of an item: the line's price in proportion, rounded once. Taking differences of
/// it makes any sequence of cancellations sum to the line's price exactly.
fn value_of(item: &OrderItem, cancelled: Decimal) -> Money {
    let share = item.amount.amount() * cancelled / item.quantity.get();
    Money::rounded(share, item.amount.currency(), Rounding::HalfUp)
}

/// The credit for cancelling `quantity` more units after `before` units: the exact negative of their value.
pub fn credit(item: &OrderItem, before: Decimal, quantity: Decimal) -> Money {
    let (value_before, value_after) = (value_of(item, before), value_of(item, before + quantity));
    let difference = value_before.amount() - value_after.amount();
    Money::rounded(difference, item.amount.currency(), Rounding::HalfUp)
}

/// The lines of a cancellation of some quantities. `asked` says how many units of an item earlier cancellations take.
pub fn lines(
    order: &Order,
    wanted: &[Wanted],
    asked: impl Fn(OrderItemId) -> Decimal,
) -> Result<Vec<CancellationItem>, Vec<FieldProblem>> {
    let mut lines: Vec<CancellationItem> = Vec::with_capacity(wanted.len());
    let mut problems = Vec::new();
    for (position, wish) in wanted.iter().enumerate() {
        let pointer = format!("/items/{position}");
        let item = order.items.iter().find(|item| item.id == wish.item_id);
        let repeated = lines.iter().any(|line| line.item_id == wish.item_id);
        match item {
            None => problems.push(problem(pointer, "orderItemId", "unknown-item", "the order has no such item")),
            Some(_) if repeated => {
                problems.push(problem(pointer, "orderItemId", "duplicate", "is in this cancellation already"));
            }
            Some(item) if asked(item.id) + wish.quantity.get() > item.quantity.get() => {
                problems.push(problem(pointer, "quantity", "more-than-ordered", "more than is left of this item"));
            }
            Some(item) => lines.push(CancellationItem {
                item_id: item.id,
                quantity: wish.quantity,
                credit: credit(item, asked(item.id), wish.quantity.get()),
            }),
        }
    }
    if problems.is_empty() { Ok(lines) } else { Err(problems) }
}

/// The lines of a cancellation of everything that is left.
pub fn whole(order: &Order, asked: impl Fn(OrderItemId) -> Decimal) -> Vec<CancellationItem> {
    let rest = |item: &OrderItem| {
        let before = asked(item.id);
        let quantity = Quantity::try_from(item.quantity.get() - before).ok().filter(|rest| !rest.is_zero())?;
        Some(CancellationItem { item_id: item.id, quantity, credit: credit(item, before, quantity.get()) })
    };
    order.items.iter().filter_map(rest).collect()
}

fn problem(pointer: String, field: &str, code: &'static str, detail: &'static str) -> FieldProblem {
    FieldProblem::new(format!("{pointer}/{field}"), code, detail)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::rules::intake::{
        order_from,
        tests::{acceptance, eur},
    };

    fn order(lines: &[(u32, i64)]) -> Order {
        order_from(acceptance(lines), Uuid::from_u128(7).into(), "rep", DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_third_of_ten_euros_three_times_is_ten_euros() {
        let order = order(&[(3, 1_000)]);
        let item = &order.items[0];
        let credits: Vec<Money> = (0..3).map(|before| credit(item, before.into(), Decimal::ONE)).collect();
        assert_eq!(credits, [eur(-333), eur(-334), eur(-333)]);
        assert_eq!(credit(item, Decimal::ZERO, 3.into()), eur(-1_000));
    }

    #[test]
    fn more_than_ordered_unknown_and_repeated_items_are_named() {
        let order = order(&[(3, 1_000), (1, 200)]);
        let (first, second) = (order.items[0].id, order.items[1].id);
        let wish = |item_id, quantity: u32| Wanted { item_id, quantity: quantity.into() };
        let taken = |item| if item == first { Decimal::ONE } else { Decimal::ZERO };
        let wanted = [wish(first, 3), wish(Uuid::nil().into(), 1), wish(second, 1), wish(second, 1)];
        let pointers: Vec<_> =
            lines(&order, &wanted, taken).unwrap_err().into_iter().map(|problem| problem.pointer).collect();
        assert_eq!(pointers, ["/items/0/quantity", "/items/1/orderItemId", "/items/3/orderItemId"]);
        assert!(lines(&order, &[wish(first, 2)], taken).is_ok());
    }

    proptest! {
        #[test]
        fn any_sequence_of_cancellations_gives_back_exactly_what_was_paid(
            quantity in 1u32..50, minor in 0i64..1_000_000, cuts in prop::collection::vec(1u32..10, 1..20),
        ) {
            let order = order(&[(quantity, minor)]);
            let item = &order.items[0];
            let (mut cancelled, mut credited) = (0u32, eur(0));
            for cut in cuts {
                let cut = cut.min(quantity - cancelled);
                if cut > 0 {
                    let credit = credit(item, cancelled.into(), cut.into());
                    prop_assert!(credit.amount() <= Decimal::ZERO);
                    credited = credited.plus(credit).unwrap();
                    cancelled += cut;
                }
            }
            prop_assert!(credited.amount() >= -item.amount.amount());
            let rest = whole(&order, |_| cancelled.into());
            let credited = Money::sum(rest.iter().map(|line| line.credit).chain([credited]), order.currency).unwrap();
            prop_assert_eq!(credited, item.amount.negated());
        }
    }
}
