//! The replay plan: which invoice becomes which order, which cancellation takes back which line, and what cannot be
//! represented at all.
//!
//! Owns what a plan is; `planner` makes it and `matching` finds the order a return belongs to. The plan is made over the whole file and only then cut to the wanted window, so
//! that a window, or a second run, never matches a cancellation to another order than the full run would.

mod matching;
mod planner;

use chrono::NaiveDateTime;
use kernel::{Money, Rounding};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    invoice::Segment,
    masters::Masters,
    row::{RowNumber, Sheet},
};

/// The file's currency.
pub const CURRENCY: &str = "GBP";

/// Which invoices to replay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// Not those written earlier.
    pub from: Option<NaiveDateTime>,
    /// Not those written at this time or later.
    pub to: Option<NaiveDateTime>,
    /// Of the rest, the first so many.
    pub limit: Option<usize>,
}

/// A line of an order to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleLine {
    /// Line of the file.
    pub row: RowNumber,
    /// Stock code.
    pub code: String,
    /// Units.
    pub quantity: i64,
    /// What the invoice asked for a unit.
    pub unit_price: Decimal,
    /// Why the price is set by hand, when the book does not ask the same.
    pub override_reason: Option<String>,
}

impl SaleLine {
    /// Quantity times price, exactly.
    pub fn exact(&self) -> Decimal {
        Decimal::from(self.quantity) * self.unit_price
    }

    /// Quantity times price in whole pence, as an order line carries it.
    pub fn amount(&self) -> Decimal {
        pence(self.exact())
    }
}

/// An invoice to send as a quote and accept as an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Its number: the external id of the quote.
    pub invoice: String,
    /// External id of the buyer.
    pub customer: String,
    /// Whose prices apply.
    pub segment: Segment,
    /// Its sale rows.
    pub lines: Vec<SaleLine>,
}

/// Units of one order line that go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedUnits {
    /// Position of the line in the sale.
    pub line: usize,
    /// Units going back now.
    pub quantity: i64,
    /// Units of the line that went back before, by earlier cancellations.
    pub before: i64,
    /// Price of one unit.
    pub unit_price: Decimal,
}

/// What one cancellation invoice takes back from one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// Number of the cancellation.
    pub invoice: String,
    /// Number of the sale it takes from.
    pub sale: String,
    /// External id of the buyer.
    pub customer: String,
    /// The units, by line of the sale.
    pub units: Vec<ReturnedUnits>,
    /// Whether the sale is part of the same window; if not, its order may or may not exist.
    pub sale_in_window: bool,
}

impl Cancellation {
    /// What the returned units cost, exactly.
    pub fn exact(&self) -> Decimal {
        self.units.iter().map(|unit| Decimal::from(unit.quantity) * unit.unit_price).sum()
    }
}

/// One thing to do, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Place an order.
    Sale(Sale),
    /// Take goods back.
    Cancellation(Cancellation),
}

impl Step {
    /// Steps with the same chain must run one after the other: a cancellation follows its order. Guests share a
    /// customer but no history, so each of their invoices is a chain of its own.
    pub fn chain(&self) -> &str {
        match self {
            Self::Sale(sale) if sale.segment == Segment::Guest => &sale.invoice,
            Self::Sale(sale) => &sale.customer,
            Self::Cancellation(cancellation) => &cancellation.customer,
        }
    }
}

/// Why a row, or some of its units, has no place in an order or a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No money: a gift, a loss, a note about stock.
    ZeroPrice,
    /// A correction of the ledger.
    LedgerCorrection,
    /// A negative price or quantity on a sale, or a positive quantity on a cancellation.
    WrongSign,
    /// A discount, commission or manual credit: money back without goods.
    CreditWithoutGoods,
    /// Goods back from a buyer without a customer number: nothing ties them to an order.
    ReturnByGuest,
    /// Goods back, but the file holds no earlier line of this buyer, code and price with units left.
    NoEarlierOrder,
    /// The order lies before the replayed window and was never replayed.
    OrderNotReplayed,
}

impl Why {
    /// The reason in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ZeroPrice => "zero price: a gift, a loss or a note",
            Self::LedgerCorrection => "correction of the ledger",
            Self::WrongSign => "wrong sign of price or quantity",
            Self::CreditWithoutGoods => "credit without goods",
            Self::ReturnByGuest => "return by a buyer without a number",
            Self::NoEarlierOrder => "return without an earlier order in the file",
            Self::OrderNotReplayed => "return of an order outside the window",
        }
    }
}

/// A row, or the rest of one, that cannot be represented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unrepresented {
    /// Line of the file; 0 when the listed sum gathers several rows.
    pub row: RowNumber,
    /// Its invoice.
    pub invoice: String,
    /// Its stock code.
    pub code: String,
    /// The units without a place.
    pub quantity: i64,
    /// Their exact amount, with the sign of the file.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// Why.
    pub why: Why,
}

/// What to do with the invoices of a window.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Invoices in the window.
    pub invoices: usize,
    /// Rows in the window.
    pub rows: usize,
    /// Their exact sum.
    pub file_total: Decimal,
    /// What to send, in file order.
    pub steps: Vec<Step>,
    /// What cannot be sent.
    pub unrepresented: Vec<Unrepresented>,
}

impl Plan {
    /// Plans the window of a sheet, prices compared with the books of `masters`.
    pub fn of(sheet: &Sheet, masters: &Masters, window: Window) -> Self {
        planner::plan(sheet, masters, window)
    }

    /// The sales of the plan.
    pub fn sales(&self) -> impl Iterator<Item = &Sale> {
        self.steps.iter().filter_map(|step| match step {
            Step::Sale(sale) => Some(sale),
            Step::Cancellation(_) => None,
        })
    }

    /// The cancellations of the plan.
    pub fn cancellations(&self) -> impl Iterator<Item = &Cancellation> {
        self.steps.iter().filter_map(|step| match step {
            Step::Sale(_) => None,
            Step::Cancellation(cancellation) => Some(cancellation),
        })
    }
}

/// An amount in whole pence, halves away from zero: the rounding of the pricing engine.
pub fn pence(exact: Decimal) -> Decimal {
    CURRENCY.parse().map_or(exact, |currency| Money::rounded(exact, currency, Rounding::HalfUp).amount())
}

#[cfg(test)]
mod tests;
