//! The plan's examples, and that it loses nothing.

use proptest::prelude::*;

use super::*;
use crate::retail::{masters::Descriptions, samples::short};

fn plan(lines: &[&str], window: Window) -> Plan {
    let sheet = short(lines);
    let masters = Masters::of(&sheet, &Descriptions::of(&sheet));
    Plan::of(&sheet, &masters, window)
}

fn all(lines: &[&str]) -> Plan {
    plan(lines, Window::default())
}

fn reasons(plan: &Plan) -> Vec<(u64, Why, String)> {
    plan.unrepresented.iter().map(|rest| (rest.row, rest.why, rest.amount.to_string())).collect()
}

#[test]
fn an_invoice_becomes_one_order_with_its_lines_in_order() {
    let plan = all(&["1 A 2 1.00 17850", "1 B 1 3.00 17850", "1 A 5 1.00 17850"]);
    let sales: Vec<&Sale> = plan.sales().collect();
    assert_eq!((sales.len(), sales[0].customer.as_str()), (1, "17850"));
    let lines: Vec<(&str, i64)> = sales[0].lines.iter().map(|line| (line.code.as_str(), line.quantity)).collect();
    assert_eq!(lines, [("A", 2), ("B", 1), ("A", 5)]);
    assert_eq!(plan.file_total.to_string(), "10.00");
}

#[test]
fn a_price_that_is_not_the_books_is_an_override_with_a_reason() {
    let plan = all(&["1 A 2 1.00 7", "2 A 2 1.00 7", "3 A 2 0.80 7", "4 M 1 12.34 7"]);
    let reasons: Vec<Option<&str>> =
        plan.sales().flat_map(|sale| &sale.lines).map(|line| line.override_reason.as_deref()).collect();
    assert_eq!(
        reasons,
        [None, None, Some("invoice 3 row 4: book 1.00, invoiced 0.80"), Some("invoice 4 row 5: priced by hand")]
    );
}

#[test]
fn a_return_takes_the_latest_line_first_and_then_the_earlier_ones() {
    let plan = all(&["1 A 5 1.00 7", "2 A 3 1.00 7", "C3 A -4 1.00 7", "C4 A -2 1.00 7"]);
    let taken: Vec<(&str, &str, i64, i64)> = plan
        .cancellations()
        .map(|c| (c.invoice.as_str(), c.sale.as_str(), c.units[0].quantity, c.units[0].before))
        .collect();
    assert_eq!(taken, [("C3", "2", 3, 0), ("C3", "1", 1, 0), ("C4", "1", 2, 1)]);
    assert_eq!(plan.unrepresented, []);
}

#[test]
fn a_return_matches_buyer_code_and_price_and_never_a_later_order() {
    let plan = all(&[
        "C1 A -1 1.00 7",
        "2 A 5 1.00 7",
        "C3 A -1 1.00 8",
        "C4 A -1 1.10 7",
        "C5 a -1 1.00 7",
        "C6 A -1 1.00",
        "C7 D -1 9.00 7",
        "C8 A -6 1.00 7",
    ]);
    assert_eq!(
        reasons(&plan),
        [
            (2, Why::NoEarlierOrder, "-1.00".to_owned()),
            (4, Why::NoEarlierOrder, "-1.00".to_owned()),
            (5, Why::NoEarlierOrder, "-1.10".to_owned()),
            (6, Why::NoEarlierOrder, "-1.00".to_owned()),
            (7, Why::ReturnByGuest, "-1.00".to_owned()),
            (8, Why::CreditWithoutGoods, "-9.00".to_owned()),
            (9, Why::NoEarlierOrder, "-1.00".to_owned()),
        ]
    );
    let last = plan.cancellations().last().unwrap();
    assert_eq!((last.sale.as_str(), last.units[0].quantity), ("2", 5));
}

#[test]
fn rows_that_are_no_trade_are_listed_with_their_money() {
    let plan = all(&["1 A -3 0.00", "1 A 3 0.00", "A2 B 1 -50.00", "C3 A -1 0.00 7", "4 A 1 -2.00"]);
    assert_eq!(plan.steps, []);
    let whys: Vec<Why> = plan.unrepresented.iter().map(|rest| rest.why).collect();
    assert_eq!(whys, [Why::ZeroPrice, Why::ZeroPrice, Why::LedgerCorrection, Why::ZeroPrice, Why::WrongSign]);
}

#[test]
fn two_rows_of_one_cancellation_on_one_line_are_one_return() {
    let plan = all(&["1 A 9 1.00 7", "C2 A -2 1.00 7", "C2 A -3 1.00 7"]);
    let only: Vec<&Cancellation> = plan.cancellations().collect();
    assert_eq!((only.len(), only[0].units.len(), only[0].units[0].quantity), (1, 1, 5));
}

#[test]
fn a_window_never_changes_what_a_return_matches() {
    let lines = ["1 A 5 1.00 7", "2 A 3 1.00 7", "C3 A -4 1.00 7"];
    let last = plan(&lines, Window { from: Some(short(&lines).rows[1].at), ..Window::default() });
    let taken: Vec<(&str, bool)> = last.cancellations().map(|c| (c.sale.as_str(), c.sale_in_window)).collect();
    assert_eq!(taken, [("2", true), ("1", false)]);
    let first = plan(&lines, Window { limit: Some(2), ..Window::default() });
    assert_eq!((first.invoices, first.rows, first.steps.len()), (2, 2, 2));
}

proptest! {
    /// Every penny of the file is in an order, in a cancellation, or in the list.
    #[test]
    fn nothing_is_lost(rows in prop::collection::vec((0_u8..4, 0_u8..3, -9_i64..10, 0_i64..4, 0_u8..3), 0..80)) {
        let lines: Vec<String> = rows
            .iter()
            .map(|(kind, code, quantity, pence, customer)| {
                let prefix = ["", "", "C", "A"][usize::from(*kind)];
                let customer = ["", "7", "8"][usize::from(*customer)];
                // One customer an invoice, as in the file.
                format!("{prefix}1{customer} {} {quantity} {} {customer}", ["A", "B", "D"][usize::from(*code)], Decimal::new(*pence, 3))
            })
            .collect();
        let plan = all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let sold: Decimal = plan.sales().flat_map(|sale| &sale.lines).map(SaleLine::exact).sum();
        let back: Decimal = plan.cancellations().map(Cancellation::exact).sum();
        let rest: Decimal = plan.unrepresented.iter().map(|rest| rest.amount).sum();
        prop_assert_eq!(sold - back + rest, plan.file_total);
        for sale in plan.sales() {
            for (position, line) in sale.lines.iter().enumerate() {
                let returned: i64 = plan
                    .cancellations()
                    .filter(|c| c.sale == sale.invoice)
                    .flat_map(|c| &c.units)
                    .filter(|units| units.line == position)
                    .map(|units| units.quantity)
                    .sum();
                prop_assert!(returned <= line.quantity);
            }
        }
    }
}
