//! Which earlier order line a returned unit came from.
//!
//! The rule: the same buyer, code and unit price, the latest line first, as long as it has units left. Latest first,
//! because people send back what they received last.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::{ReturnedUnits, SaleLine};
use crate::retail::row::Row;

/// Units taken back from a line of a sale.
#[derive(Debug)]
pub struct Taken {
    /// Number of the sale.
    pub sale: String,
    /// What is taken.
    pub units: ReturnedUnits,
}

#[derive(Debug)]
struct OpenLine {
    sale: String,
    line: usize,
    sold: i64,
    left: i64,
}

/// All order lines that still have units to give back, by buyer, code and price.
#[derive(Debug, Default)]
pub struct OpenLines(HashMap<(String, String, Decimal), Vec<OpenLine>>);

impl OpenLines {
    /// Remembers the lines of a sale.
    pub fn sold(&mut self, customer: &str, sale: &str, lines: &[SaleLine]) {
        for (position, line) in lines.iter().enumerate() {
            let key = (customer.to_owned(), line.code.clone(), line.unit_price.normalize());
            let open = OpenLine { sale: sale.to_owned(), line: position, sold: line.quantity, left: line.quantity };
            self.0.entry(key).or_default().push(open);
        }
    }

    /// Takes the units of a returning row from the latest lines that have some left.
    pub fn take_back(&mut self, customer: &str, row: &Row) -> Vec<Taken> {
        let key = (customer.to_owned(), row.code.clone(), row.unit_price.normalize());
        let Some(lines) = self.0.get_mut(&key) else { return Vec::new() };
        let mut wanted = -row.quantity;
        let mut taken = Vec::new();
        while wanted > 0
            && let Some(line) = lines.last_mut()
        {
            let quantity = wanted.min(line.left);
            taken.push(Taken {
                sale: line.sale.clone(),
                units: ReturnedUnits {
                    line: line.line,
                    quantity,
                    before: line.sold - line.left,
                    unit_price: row.unit_price,
                },
            });
            wanted -= quantity;
            line.left -= quantity;
            if line.left == 0 {
                lines.pop();
            }
        }
        taken
    }
}
