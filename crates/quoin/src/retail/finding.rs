//! What is dirty in the file, row by row.
//!
//! Owns the list of reasons. A finding changes nothing by itself: it says what a reader of the file should know, and
//! whether the row still takes part in the trade.

use std::collections::{BTreeMap, HashMap, HashSet};

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    code::CodeKind,
    invoice::{InvoiceKind, is_return, is_sale},
    masters::Descriptions,
    row::{Row, RowNumber, Sheet},
};

/// Smallest amount of money a line can carry, in fractional digits.
const PENNY_DIGITS: u32 = 2;

/// Why a row is dirty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The row cannot be read.
    Malformed,
    /// The price is zero: a gift, a loss, or a note about stock.
    ZeroPrice,
    /// The price is below zero.
    NegativePrice,
    /// The quantity is below zero (or zero) on an invoice that is no cancellation.
    NegativeQuantity,
    /// The quantity is above zero on a cancellation.
    PositiveQuantityOnCancellation,
    /// The invoice corrects the ledger and trades nothing.
    CorrectionInvoice,
    /// The stock code is an adjustment, priced by hand.
    AdjustmentCode,
    /// There is no description.
    MissingDescription,
    /// The description is not the one chosen for the stock code.
    OtherDescription,
    /// The same code, quantity and price stand on this invoice already.
    RepeatedLine,
    /// The unit price is finer than a penny.
    PriceFinerThanPenny,
}

impl Reason {
    /// The reason in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Malformed => "cannot be read",
            Self::ZeroPrice => "zero price",
            Self::NegativePrice => "negative price",
            Self::NegativeQuantity => "negative quantity outside a cancellation",
            Self::PositiveQuantityOnCancellation => "positive quantity on a cancellation",
            Self::CorrectionInvoice => "ledger correction, not a trade",
            Self::AdjustmentCode => "adjustment code, priced by hand",
            Self::MissingDescription => "no description",
            Self::OtherDescription => "another description than the code's",
            Self::RepeatedLine => "line repeated on the invoice",
            Self::PriceFinerThanPenny => "price finer than a penny",
        }
    }
}

/// One thing that is dirty about one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Line of the file.
    pub row: RowNumber,
    /// Its invoice, empty when unreadable.
    pub invoice: String,
    /// Its stock code, empty when unreadable.
    pub code: String,
    /// What is dirty.
    pub reason: Reason,
    /// Whether the row is traded all the same (as an order line or a return).
    pub kept: bool,
    /// Its exact amount in pounds.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// More words, where there are any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Every finding, in file order.
pub fn findings(sheet: &Sheet, descriptions: &Descriptions) -> Vec<Finding> {
    let mut lines_seen: HashMap<&str, HashSet<(&str, i64, Decimal)>> = HashMap::new();
    let mut found: Vec<Finding> = sheet.malformed.iter().map(malformed).collect();
    for row in &sheet.rows {
        let first = lines_seen.entry(&row.invoice).or_default().insert((&row.code, row.quantity, row.unit_price));
        let repeated = (!first).then_some(Reason::RepeatedLine);
        found.extend(reasons(row, descriptions).into_iter().chain(repeated).map(|reason| finding(row, reason)));
    }
    found.sort_by_key(|finding| (finding.row, finding.reason));
    found
}

fn malformed(bad: &super::row::Malformed) -> Finding {
    Finding {
        row: bad.number,
        invoice: String::new(),
        code: String::new(),
        reason: Reason::Malformed,
        kept: false,
        amount: Decimal::ZERO,
        note: bad.problem.clone(),
    }
}

fn finding(row: &Row, reason: Reason) -> Finding {
    let described = matches!(reason, Reason::OtherDescription);
    Finding {
        row: row.number,
        invoice: row.invoice.clone(),
        code: row.code.clone(),
        reason,
        kept: is_sale(row) || is_return(row),
        amount: row.amount(),
        note: if described { row.description.clone() } else { String::new() },
    }
}

fn reasons(row: &Row, descriptions: &Descriptions) -> Vec<Reason> {
    let kind = InvoiceKind::of(&row.invoice);
    let holds = [
        (row.unit_price.is_zero(), Reason::ZeroPrice),
        (row.unit_price.is_sign_negative() && !row.unit_price.is_zero(), Reason::NegativePrice),
        (kind != InvoiceKind::Cancellation && row.quantity <= 0, Reason::NegativeQuantity),
        (kind == InvoiceKind::Cancellation && row.quantity >= 0, Reason::PositiveQuantityOnCancellation),
        (kind == InvoiceKind::Correction, Reason::CorrectionInvoice),
        (CodeKind::of(&row.code) == CodeKind::Adjustment, Reason::AdjustmentCode),
        (row.description.is_empty(), Reason::MissingDescription),
        (descriptions.differs(row), Reason::OtherDescription),
        (row.unit_price.normalize().scale() > PENNY_DIGITS, Reason::PriceFinerThanPenny),
    ];
    holds.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// How often a reason was found, and the money on the rows that are not traded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReasonCount {
    /// Rows with the reason.
    pub rows: usize,
    /// Of these, rows that are traded all the same.
    pub kept: usize,
    /// Line numbers of the first few.
    pub examples: Vec<RowNumber>,
}

/// The findings counted by reason.
pub fn count(findings: &[Finding]) -> BTreeMap<Reason, ReasonCount> {
    /// Enough to look one up, few enough for one line of output.
    const EXAMPLES: usize = 3;
    let mut counts: BTreeMap<Reason, ReasonCount> = BTreeMap::new();
    for finding in findings {
        let count = counts.entry(finding.reason).or_default();
        count.rows += 1;
        count.kept += usize::from(finding.kept);
        if count.examples.len() < EXAMPLES {
            count.examples.push(finding.row);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retail::samples::{sheet, short};

    fn found(sheet: &Sheet) -> Vec<(u64, Reason, bool)> {
        let descriptions = Descriptions::of(sheet);
        findings(sheet, &descriptions).into_iter().map(|f| (f.row, f.reason, f.kept)).collect()
    }

    #[test]
    fn clean_rows_have_no_findings() {
        assert_eq!(found(&short(&["1 A 1 1.00", "2 A 2 1.00 17850", "C3 A -1 1.00 17850"])), []);
    }

    #[test]
    fn every_dirty_row_is_listed_with_its_reason() {
        let sheet = short(&[
            "1 A 1 0.00",
            "1 A -5 0.00",
            "1 A 1 0.001",
            "1 M 1 3.50",
            "A2 B 1 -11062.06",
            "C3 A 1 1.00",
            "4 A 2 1.00",
            "4 A 2 1.00",
            "5 A two 1.00",
        ]);
        assert_eq!(
            found(&sheet),
            [
                (2, Reason::ZeroPrice, false),
                (3, Reason::ZeroPrice, false),
                (3, Reason::NegativeQuantity, false),
                (4, Reason::PriceFinerThanPenny, true),
                (5, Reason::AdjustmentCode, true),
                (6, Reason::NegativePrice, false),
                (6, Reason::CorrectionInvoice, false),
                (6, Reason::AdjustmentCode, false),
                (7, Reason::PositiveQuantityOnCancellation, false),
                (9, Reason::RepeatedLine, true),
                (10, Reason::Malformed, false),
            ]
        );
    }

    #[test]
    fn descriptions_that_miss_or_differ_are_listed() {
        let sheet = sheet(&[
            "1,A,LANTERN,1,2010-12-01 08:26:00,1.00,,UK",
            "2,A,LANTERN,1,2010-12-01 08:26:00,1.00,,UK",
            "3,A,,1,2010-12-01 08:26:00,1.00,,UK",
            "4,A,LANTERN RED,1,2010-12-01 08:26:00,1.00,,UK",
        ]);
        assert_eq!(found(&sheet), [(4, Reason::MissingDescription, true), (5, Reason::OtherDescription, true)]);
        let counts = count(&findings(&sheet, &Descriptions::of(&sheet)));
        assert_eq!(counts[&Reason::OtherDescription], ReasonCount { rows: 1, kept: 1, examples: vec![5] });
    }
}
