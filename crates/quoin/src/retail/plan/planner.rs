//! Makes the plan, invoice by invoice.

use std::collections::HashSet;

use rust_decimal::Decimal;

use super::{
    Cancellation, Plan, Sale, SaleLine, Step, Unrepresented, Why, Window,
    matching::{OpenLines, Taken},
};
use crate::retail::{
    code::CodeKind,
    invoice::{Invoice, InvoiceKind, Segment, customer_external_id, invoices, is_return, is_sale},
    masters::Masters,
    row::{Row, Sheet},
};

/// Plans the window of a sheet: every invoice is gone through, so that returns match the same orders in any window.
pub fn plan(sheet: &Sheet, masters: &Masters, window: Window) -> Plan {
    let invoices = invoices(sheet);
    let wanted = selected(&invoices, window);
    let mut planner = Planner { masters, open: OpenLines::default(), wanted: &wanted, plan: Plan::default() };
    for invoice in &invoices {
        planner.invoice(invoice);
    }
    planner.plan
}

fn selected<'a>(invoices: &[Invoice<'a>], window: Window) -> HashSet<&'a str> {
    invoices
        .iter()
        .filter(|invoice| window.from.is_none_or(|from| invoice.at >= from))
        .filter(|invoice| window.to.is_none_or(|to| invoice.at < to))
        .take(window.limit.unwrap_or(usize::MAX))
        .map(|invoice| invoice.number)
        .collect()
}

struct Planner<'a> {
    masters: &'a Masters,
    open: OpenLines,
    wanted: &'a HashSet<&'a str>,
    plan: Plan,
}

impl Planner<'_> {
    fn invoice(&mut self, invoice: &Invoice<'_>) {
        let wanted = self.wanted.contains(invoice.number);
        if wanted {
            self.plan.invoices += 1;
            self.plan.rows += invoice.rows.len();
            self.plan.file_total += invoice.rows.iter().map(|row| row.amount()).sum::<Decimal>();
        }
        let (steps, rest) = match invoice.kind {
            InvoiceKind::Sale => self.sale(invoice),
            InvoiceKind::Cancellation => self.cancellation(invoice),
            InvoiceKind::Correction => {
                (Vec::new(), invoice.rows.iter().map(|row| whole(row, Why::LedgerCorrection)).collect())
            }
        };
        if wanted {
            self.plan.steps.extend(steps);
            self.plan.unrepresented.extend(rest);
        }
    }

    fn sale(&mut self, invoice: &Invoice<'_>) -> (Vec<Step>, Vec<Unrepresented>) {
        let (sales, others): (Vec<&Row>, Vec<&Row>) = invoice.rows.iter().partition(|row| is_sale(row));
        let rest = others.into_iter().map(|row| whole(row, why_no_sale(row))).collect();
        let Some(first) = sales.first() else { return (Vec::new(), rest) };
        let customer = customer_external_id(first);
        let segment = Segment::of(first);
        let lines: Vec<SaleLine> = sales.iter().map(|row| self.line(row, segment)).collect();
        if segment == Segment::Wholesale {
            self.open.sold(&customer, invoice.number, &lines);
        }
        (vec![Step::Sale(Sale { invoice: invoice.number.to_owned(), customer, segment, lines })], rest)
    }

    fn line(&self, row: &Row, segment: Segment) -> SaleLine {
        let asked = self.masters.book(segment).and_then(|book| book.unit_price(&row.code, row.quantity));
        let override_reason = match asked {
            Some(price) if price == row.unit_price => None,
            Some(price) => {
                Some(format!("invoice {} row {}: book {price}, invoiced {}", row.invoice, row.number, row.unit_price))
            }
            None => Some(format!("invoice {} row {}: priced by hand", row.invoice, row.number)),
        };
        SaleLine {
            row: row.number,
            code: row.code.clone(),
            quantity: row.quantity,
            unit_price: row.unit_price,
            override_reason,
        }
    }

    fn cancellation(&mut self, invoice: &Invoice<'_>) -> (Vec<Step>, Vec<Unrepresented>) {
        let mut found: Vec<Cancellation> = Vec::new();
        let mut rest = Vec::new();
        for row in &invoice.rows {
            if !is_return(row) {
                rest.push(whole(row, if row.unit_price.is_zero() { Why::ZeroPrice } else { Why::WrongSign }));
                continue;
            }
            let mut left = -row.quantity;
            let taken = row.customer.as_ref().map_or_else(Vec::new, |customer| self.open.take_back(customer, row));
            for taken in taken {
                left -= taken.units.quantity;
                self.add(&mut found, invoice.number, row, taken);
            }
            if left > 0 {
                rest.push(Unrepresented {
                    quantity: -left,
                    amount: Decimal::from(-left) * row.unit_price,
                    ..whole(row, why_no_return(row))
                });
            }
        }
        (found.into_iter().map(Step::Cancellation).collect(), rest)
    }

    fn add(&self, found: &mut Vec<Cancellation>, invoice: &str, row: &Row, taken: Taken) {
        if let Some(known) = found.iter_mut().find(|known| known.sale == taken.sale) {
            // Two rows of one cancellation may take from the same line; the API wants each line once.
            match known.units.iter_mut().find(|units| units.line == taken.units.line) {
                Some(units) => units.quantity += taken.units.quantity,
                None => known.units.push(taken.units),
            }
            return;
        }
        found.push(Cancellation {
            invoice: invoice.to_owned(),
            sale_in_window: self.wanted.contains(taken.sale.as_str()),
            sale: taken.sale,
            customer: customer_external_id(row),
            units: vec![taken.units],
        });
    }
}

fn whole(row: &Row, why: Why) -> Unrepresented {
    Unrepresented {
        row: row.number,
        invoice: row.invoice.clone(),
        code: row.code.clone(),
        quantity: row.quantity,
        amount: row.amount(),
        why,
    }
}

fn why_no_sale(row: &Row) -> Why {
    if row.unit_price.is_zero() { Why::ZeroPrice } else { Why::WrongSign }
}

fn why_no_return(row: &Row) -> Why {
    match (CodeKind::of(&row.code), &row.customer) {
        (CodeKind::Adjustment, _) => Why::CreditWithoutGoods,
        (_, None) => Why::ReturnByGuest,
        (_, Some(_)) => Why::NoEarlierOrder,
    }
}
