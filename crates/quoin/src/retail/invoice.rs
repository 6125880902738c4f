//! Rows grouped into invoices, and what each invoice and row can become.
//!
//! Owns the one decision which rows are sales: everything else in this folder asks here.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use serde::Serialize;

use super::row::{Row, Sheet};

/// What an invoice number says about the invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum InvoiceKind {
    /// A plain number: goods and services sold.
    Sale,
    /// `C…`: goods or money going back.
    Cancellation,
    /// Any other letter: a correction in the ledger, no trade.
    Correction,
}

impl InvoiceKind {
    /// The kind of the invoice with this number.
    pub fn of(invoice: &str) -> Self {
        match invoice.chars().next() {
            Some('C') => Self::Cancellation,
            Some(first) if first.is_ascii_digit() => Self::Sale,
            _ => Self::Correction,
        }
    }
}

/// Whether a row sells something: on a sales invoice, a positive quantity at a positive price.
pub fn is_sale(row: &Row) -> bool {
    InvoiceKind::of(&row.invoice) == InvoiceKind::Sale
        && row.quantity > 0
        && row.unit_price.is_sign_positive()
        && !row.unit_price.is_zero()
}

/// Whether a row takes something back: on a cancellation, a negative quantity at a positive price.
pub fn is_return(row: &Row) -> bool {
    InvoiceKind::of(&row.invoice) == InvoiceKind::Cancellation
        && row.quantity < 0
        && row.unit_price.is_sign_positive()
        && !row.unit_price.is_zero()
}

/// Which price list a buyer gets. Buyers without an account pay retail prices, about twice the wholesale ones: one
/// list for both would turn a quarter of all lines into overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Segment {
    /// Buyers with a customer number.
    Wholesale,
    /// Buyers without one.
    Guest,
}

impl Segment {
    /// Both, in the order they are imported.
    pub const ALL: [Self; 2] = [Self::Wholesale, Self::Guest];

    /// The segment of a row's buyer.
    pub const fn of(row: &Row) -> Self {
        if row.customer.is_some() { Self::Wholesale } else { Self::Guest }
    }

    /// The name used in external ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wholesale => "wholesale",
            Self::Guest => "guest",
        }
    }
}

/// The external id of the customer a row is sold to; buyers without a number share one customer a country.
pub fn customer_external_id(row: &Row) -> String {
    row.customer.clone().unwrap_or_else(|| format!("guest:{}", row.country))
}

/// One invoice: its rows in file order.
#[derive(Debug, Clone)]
pub struct Invoice<'a> {
    /// Its number.
    pub number: &'a str,
    /// What it is.
    pub kind: InvoiceKind,
    /// When its first row was written.
    pub at: NaiveDateTime,
    /// Its rows.
    pub rows: Vec<&'a Row>,
}

/// The invoices in the order in which they begin. The file is sorted by time, so this is time order; the few invoices
/// whose rows span a minute, or are interrupted by another, stay whole.
pub fn invoices(sheet: &Sheet) -> Vec<Invoice<'_>> {
    let mut position: HashMap<&str, usize> = HashMap::new();
    let mut invoices: Vec<Invoice<'_>> = Vec::new();
    for row in &sheet.rows {
        let at = *position.entry(&row.invoice).or_insert_with(|| {
            invoices.push(Invoice {
                number: &row.invoice,
                kind: InvoiceKind::of(&row.invoice),
                at: row.at,
                rows: Vec::new(),
            });
            invoices.len() - 1
        });
        invoices[at].rows.push(row);
    }
    invoices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retail::samples::short;

    #[test]
    fn an_interrupted_invoice_stays_whole_and_keeps_its_place() {
        let sheet = short(&["1 A 1 1.00", "2 A 1 1.00", "1 B 1 1.00", "C3 A -1 1.00", "A4 B 1 5.00"]);
        let found = invoices(&sheet);
        let shape: Vec<(&str, usize, InvoiceKind)> = found.iter().map(|i| (i.number, i.rows.len(), i.kind)).collect();
        assert_eq!(
            shape,
            [
                ("1", 2, InvoiceKind::Sale),
                ("2", 1, InvoiceKind::Sale),
                ("C3", 1, InvoiceKind::Cancellation),
                ("A4", 1, InvoiceKind::Correction)
            ]
        );
    }

    #[test]
    fn only_positive_rows_of_sales_are_sales() {
        let sheet = short(&["1 A 1 1.00", "1 A -1 1.00", "1 A 1 0.00", "C1 A 1 1.00", "A1 A 1 1.00", "C1 A -1 1.00"]);
        let sales: Vec<bool> = sheet.rows.iter().map(is_sale).collect();
        assert_eq!(sales, [true, false, false, false, false, false]);
        let returns: Vec<bool> = sheet.rows.iter().map(is_return).collect();
        assert_eq!(returns, [false, false, false, false, false, true]);
    }

    #[test]
    fn buyers_without_a_number_share_a_customer_a_country() {
        let sheet = short(&["1 A 1 1.00", "2 A 1 1.00 17850"]);
        assert_eq!(customer_external_id(&sheet.rows[0]), "guest:United Kingdom");
        assert_eq!(customer_external_id(&sheet.rows[1]), "17850");
        assert_eq!(Segment::of(&sheet.rows[1]), Segment::Wholesale);
    }
}
