//! The master data behind the rows: offerings, price books, customers, opening stock.
//!
//! Owns the decisions what a code is called, what it costs at which quantity, and how much of it must have been in the
//! warehouse. External ids are the file's own codes, so that a second import finds what the first one made.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use super::{
    breaks::{Step, observed_steps, unit_price_at},
    code::{CodeKind, service_name},
    invoice::{Segment, customer_external_id, is_sale},
    row::{Row, Sheet},
};

/// The chosen description of every code.
///
/// The rule: the one most sales carry; among equals the longest, then the first by alphabet. A code that was never sold
/// takes its most frequent description that is no note (notes are written in small letters: "damaged", "check"), and
/// failing that its own code. Services have plain names of their own.
#[derive(Debug, Clone, Default)]
pub struct Descriptions(BTreeMap<String, String>);

impl Descriptions {
    /// Chooses for all codes of the sheet.
    pub fn of(sheet: &Sheet) -> Self {
        let mut tally: HashMap<&str, HashMap<&str, (usize, usize)>> = HashMap::new();
        for row in &sheet.rows {
            let of_code = tally.entry(&row.code).or_default();
            if !row.description.is_empty() {
                let (sales, printed) = of_code.entry(&row.description).or_default();
                *sales += usize::from(is_sale(row));
                *printed += usize::from(!is_note(&row.description));
            }
        }
        Self(tally.into_iter().map(|(code, of_code)| (code.to_owned(), best(code, &of_code))).collect())
    }

    /// The description of a code; the code itself when the sheet never named it.
    pub fn get<'a>(&'a self, code: &'a str) -> &'a str {
        self.0.get(code).map_or(code, String::as_str)
    }

    /// Whether a row of goods carries a description, and not the chosen one.
    pub fn differs(&self, row: &Row) -> bool {
        !row.description.is_empty()
            && CodeKind::of(&row.code) == CodeKind::Goods
            && self.get(&row.code) != row.description
    }
}

fn best(code: &str, tally: &HashMap<&str, (usize, usize)>) -> String {
    if let Some(name) = service_name(code) {
        return name.to_owned();
    }
    let candidates = tally.iter().filter(|(_, (sales, printed))| *sales > 0 || *printed > 0);
    let chosen = candidates.max_by_key(|(text, counts)| (**counts, text.len(), std::cmp::Reverse(**text)));
    chosen.map_or_else(|| code.to_owned(), |(text, _)| (*text).to_owned())
}

fn is_note(description: &str) -> bool {
    !description.chars().any(char::is_uppercase)
}

/// One offering: a stock code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offering {
    /// The stock code, as written.
    pub code: String,
    /// The chosen description.
    pub name: String,
    /// What the code stands for.
    pub kind: CodeKind,
    /// Units sold in the whole file.
    pub sold: i64,
}

/// The prices of one segment: steps by code, for the codes that were ever sold to it.
#[derive(Debug, Clone)]
pub struct Book {
    /// Whose prices these are.
    pub segment: Segment,
    /// The steps of each code.
    pub steps: BTreeMap<String, Vec<Step>>,
}

impl Book {
    fn observed(sheet: &Sheet, segment: Segment) -> Self {
        let mut lines: BTreeMap<&str, Vec<(i64, Decimal)>> = BTreeMap::new();
        for row in sheet.rows.iter().filter(|row| is_sale(row) && Segment::of(row) == segment) {
            // An adjustment has no list price: whatever was written on the invoice is the price.
            if CodeKind::of(&row.code) != CodeKind::Adjustment {
                lines.entry(&row.code).or_default().push((row.quantity, row.unit_price));
            }
        }
        let steps = lines.into_iter().map(|(code, seen)| (code.to_owned(), observed_steps(seen))).collect();
        Self { segment, steps }
    }

    /// What the book asks for a unit when `quantity` units are bought.
    pub fn unit_price(&self, code: &str, quantity: i64) -> Option<Decimal> {
        unit_price_at(self.steps.get(code)?, quantity)
    }

    /// Steps beyond the first, over all codes.
    pub fn breaks(&self) -> usize {
        self.steps.values().map(|steps| steps.len().saturating_sub(1)).sum()
    }
}

/// A buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The customer number, or `guest:<country>`.
    pub external_id: String,
    /// A name to show; the file holds none.
    pub name: String,
    /// The country of the buyer's first invoice.
    pub country: String,
    /// Which prices the buyer gets.
    pub segment: Segment,
}

/// Everything the replay needs to exist before the first invoice.
#[derive(Debug, Clone)]
pub struct Masters {
    /// All stock codes, sorted.
    pub offerings: Vec<Offering>,
    /// One book a segment.
    pub books: Vec<Book>,
    /// All buyers, sorted.
    pub customers: Vec<Customer>,
}

impl Masters {
    /// Reads the master data out of the rows.
    pub fn of(sheet: &Sheet, descriptions: &Descriptions) -> Self {
        let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
        let mut customers: BTreeMap<String, Customer> = BTreeMap::new();
        for row in &sheet.rows {
            *sold.entry(&row.code).or_default() += if is_sale(row) { row.quantity } else { 0 };
            if is_sale(row) {
                customers.entry(customer_external_id(row)).or_insert_with_key(|id| customer(id, row));
            }
        }
        let offerings = sold.into_iter().map(|(code, sold)| Offering {
            code: code.to_owned(),
            name: descriptions.get(code).to_owned(),
            kind: CodeKind::of(code),
            sold,
        });
        Self {
            offerings: offerings.collect(),
            books: Segment::ALL.into_iter().map(|segment| Book::observed(sheet, segment)).collect(),
            customers: customers.into_values().collect(),
        }
    }

    /// The book of a segment.
    pub fn book(&self, segment: Segment) -> Option<&Book> {
        self.books.iter().find(|book| book.segment == segment)
    }

    /// Stocked codes with the units that must have lain in the warehouse at the beginning: what was sold afterwards.
    /// The file holds no receipts, so the whole demand is taken as opening stock; a shortage would be our invention.
    pub fn opening_stock(&self) -> impl Iterator<Item = (&Offering, i64)> {
        self.offerings.iter().filter(|offering| offering.kind.is_stocked() && offering.sold > 0).map(|o| (o, o.sold))
    }
}

fn customer(external_id: &str, row: &Row) -> Customer {
    let segment = Segment::of(row);
    let name = match segment {
        Segment::Wholesale => format!("Customer {external_id}"),
        Segment::Guest => format!("Guests, {}", row.country),
    };
    Customer { external_id: external_id.to_owned(), name, country: row.country.clone(), segment }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retail::samples::{sheet, short};

    fn masters(sheet: &Sheet) -> Masters {
        Masters::of(sheet, &Descriptions::of(sheet))
    }

    #[test]
    fn codes_that_differ_by_case_are_two_offerings() {
        let masters = masters(&short(&["1 15056BL 1 5.95", "1 15056bl 2 5.95"]));
        let codes: Vec<(&str, i64)> = masters.offerings.iter().map(|o| (o.code.as_str(), o.sold)).collect();
        assert_eq!(codes, [("15056BL", 1), ("15056bl", 2)]);
    }

    #[test]
    fn the_description_most_sales_carry_wins_and_notes_never_do() {
        let sheet = sheet(&[
            "1,A,LANTERN,1,2010-12-01 08:26:00,1.00,,UK",
            "2,A,LANTERN,1,2010-12-01 08:26:00,1.00,,UK",
            "3,A,WHITE LANTERN,1,2010-12-01 08:26:00,1.00,,UK",
            "4,K,damaged,-1,2010-12-01 08:26:00,0,,UK",
            "5,K,BLUE BELL,1,2010-12-01 08:26:00,0,,UK",
            "6,X,check,-1,2010-12-01 08:26:00,0,,UK",
            "7,POST,postage paid by phone,1,2010-12-01 08:26:00,3,,UK",
            "8,T,SHORT,1,2010-12-01 08:26:00,1.00,,UK",
            "9,T,LONGER ONE,1,2010-12-01 08:26:00,1.00,,UK",
        ]);
        let names: Vec<String> = masters(&sheet).offerings.into_iter().map(|offering| offering.name).collect();
        assert_eq!(names, ["LANTERN", "BLUE BELL", "Postage", "LONGER ONE", "X"]);
    }

    #[test]
    fn guests_and_registered_buyers_have_books_of_their_own() {
        let masters = masters(&short(&["1 A 1 2.00 17850", "2 A 1 4.00", "3 M 1 9.00", "4 A -1 1.00"]));
        assert_eq!(masters.book(Segment::Wholesale).unwrap().unit_price("A", 5).unwrap().to_string(), "2.00");
        assert_eq!(masters.book(Segment::Guest).unwrap().unit_price("A", 5).unwrap().to_string(), "4.00");
        assert_eq!(masters.book(Segment::Guest).unwrap().unit_price("M", 1), None);
        assert_eq!(masters.customers.len(), 2);
    }

    #[test]
    fn opening_stock_covers_every_sale_and_nothing_unstocked() {
        let masters = masters(&short(&["1 A 3 2.00", "2 A 4 2.00", "C3 A -2 2.00", "4 POST 9 1.00", "5 N 1 0.00"]));
        let stock: Vec<(&str, i64)> =
            masters.opening_stock().map(|(offering, units)| (offering.code.as_str(), units)).collect();
        assert_eq!(stock, [("A", 7)]);
    }
}
