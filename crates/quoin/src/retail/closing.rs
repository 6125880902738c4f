//! The closing account of a replay: what the file says, what the system holds, and that they meet to the penny.
//!
//! The left side comes from the file alone, the right side from the orders as the system reports them afterwards. The
//! two are never taken from one another, so a lost, doubled or mispriced order shows as a difference.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use super::plan::{Cancellation, Plan, SaleLine, Unrepresented, Why};

/// What the system holds after the replay, summed over the orders of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Orders found.
    pub orders: usize,
    /// Orders beyond the first for one quote.
    pub duplicate_orders: usize,
    /// Orders that ended otherwise than completed or cancelled.
    pub unfinished_orders: usize,
    /// Cancellations carried out.
    pub cancellations: usize,
    /// Quotes that needed an approval.
    pub approvals: usize,
    /// Lines whose price was set by hand, as the quotes report them.
    pub overrides: usize,
    /// Sum of the order totals.
    #[serde(with = "rust_decimal::serde::str")]
    pub ordered: Decimal,
    /// Sum of the credits, as a positive number.
    #[serde(with = "rust_decimal::serde::str")]
    pub credited: Decimal,
}

/// Rows that could not be represented, for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestCount {
    /// Rows.
    pub rows: usize,
    /// Their exact sum.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

/// The closing account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// Invoices of the window.
    pub invoices: usize,
    /// Rows of the window.
    pub rows: usize,
    /// Exact sum of the rows, from the file.
    #[serde(with = "rust_decimal::serde::str")]
    pub file_total: Decimal,
    /// What the system holds.
    pub held: Held,
    /// Ordered minus credited.
    #[serde(with = "rust_decimal::serde::str")]
    pub represented: Decimal,
    /// Exact sum of what could not be represented.
    #[serde(with = "rust_decimal::serde::str")]
    pub not_representable: Decimal,
    /// The same by reason.
    pub not_representable_by_reason: BTreeMap<Why, RestCount>,
    /// What the file's prices finer than a penny lose or gain by rounding each line.
    #[serde(with = "rust_decimal::serde::str")]
    pub rounding_difference: Decimal,
    /// File total minus all of the above: zero, or something is wrong.
    #[serde(with = "rust_decimal::serde::str")]
    pub difference: Decimal,
}

impl Closing {
    /// Closes the account; `not_replayed` are cancellations whose order lies outside the window and was never replayed.
    pub fn of(plan: &Plan, not_replayed: &[Unrepresented], held: Held) -> Self {
        let mut by_reason: BTreeMap<Why, RestCount> = BTreeMap::new();
        for rest in plan.unrepresented.iter().chain(not_replayed) {
            let count = by_reason.entry(rest.why).or_default();
            count.rows += 1;
            count.amount += rest.amount;
        }
        let not_representable: Decimal = by_reason.values().map(|count| count.amount).sum();
        let represented = held.ordered - held.credited;
        let rounding_difference = rounding_difference(plan);
        Self {
            invoices: plan.invoices,
            rows: plan.rows,
            file_total: plan.file_total,
            represented,
            not_representable,
            not_representable_by_reason: by_reason,
            rounding_difference,
            difference: plan.file_total - represented - not_representable - rounding_difference,
            held,
        }
    }

    /// Whether the sums meet, every sale has exactly one order, and every order came to its end.
    pub fn is_settled(&self, plan: &Plan) -> bool {
        self.difference.is_zero()
            && self.held.duplicate_orders == 0
            && self.held.unfinished_orders == 0
            && self.held.orders == plan.sales().count()
    }
}

/// Exact minus rounded over all order lines: cancellations take back rounded lines, so they add nothing of their own
/// unless a line finer than a penny comes back.
fn rounding_difference(plan: &Plan) -> Decimal {
    let sold: Decimal =
        plan.sales().flat_map(|sale| &sale.lines).map(|line| line.exact() - SaleLine::amount(line)).sum();
    let back: Decimal = plan.cancellations().map(|c| c.exact() - credit(c)).sum();
    sold - back
}

fn credit(cancellation: &Cancellation) -> Decimal {
    cancellation.units.iter().map(|units| super::plan::pence(Decimal::from(units.quantity) * units.unit_price)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retail::{
        masters::{Descriptions, Masters},
        plan::Window,
        samples::short,
    };

    fn plan() -> Plan {
        let sheet = short(&["1 A 3 2.00 7", "2 PADS 1 0.001 7", "C3 A -1 2.00 7", "C4 D -1 5.00 7", "5 A 1 0.00"]);
        Plan::of(&sheet, &Masters::of(&sheet, &Descriptions::of(&sheet)), Window::default())
    }

    fn held(ordered: &str, credited: &str) -> Held {
        Held { orders: 2, ordered: ordered.parse().unwrap(), credited: credited.parse().unwrap(), ..Held::default() }
    }

    #[test]
    fn the_account_closes_to_the_tenth_of_a_penny() {
        let plan = plan();
        let closing = Closing::of(&plan, &[], held("6.00", "2.00"));
        assert_eq!(closing.file_total.to_string(), "-0.999");
        assert_eq!(closing.not_representable.to_string(), "-5.00");
        assert_eq!(closing.rounding_difference.to_string(), "0.001");
        assert!(closing.is_settled(&plan));
    }

    #[test]
    fn a_missing_penny_a_doubled_or_an_unfinished_order_unsettles_it() {
        let plan = plan();
        let bad = [
            held("5.99", "2.00"),
            held("6.00", "0.00"),
            Held { duplicate_orders: 1, ..held("6.00", "2.00") },
            Held { unfinished_orders: 1, ..held("6.00", "2.00") },
            Held { orders: 1, ..held("6.00", "2.00") },
        ];
        for held in bad {
            assert!(!Closing::of(&plan, &[], held.clone()).is_settled(&plan), "{held:?}");
        }
    }
}
