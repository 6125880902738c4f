//! One line through the waterfall: quantity model (5), manual change (9), floor (11), rounding (12).
//!
//! The line's amount is carried exactly; a unit price is only ever shown. So a percentage is taken of the whole line and
//! nothing is rounded per unit and multiplied afterwards.

use cache_ports::pricing::{PriceBookEntry, PriceType, PriceWarning, PricedItem, TraceStep};
use kernel::{Money, Quantity, Rounding};
use rust_decimal::{Decimal, RoundingStrategy};

use super::{
    exact::{self, TooManyDigits},
    rounding::{ROUND_LINE, round_line},
    tiers::{self, Charge},
    totals::discount_percent,
    warning,
};
use crate::model::{Adjustment, AdjustmentKind, BookTerms, Component, RequestItem, UNIT_PRICE_DIGITS, Violation};

/// The number of the quantity model in the waterfall.
pub const QUANTITY_MODEL: u8 = 5;
/// The number of the manual change.
pub const MANUAL: u8 = 9;
/// The number of the clamp to floor and ceiling.
pub const CLAMP: u8 = 11;

/// The charges of one item.
#[derive(Debug)]
pub struct PricedLine {
    /// One for each kind of charge and period.
    pub components: Vec<Component>,
    /// What a seller should know.
    pub warnings: Vec<PriceWarning>,
}

/// Prices one item by the entries that hold for its offering. Without any, only an override gives it a price.
pub fn price_item(
    item: &RequestItem,
    position: usize,
    entries: &[&PriceBookEntry],
    book: &BookTerms,
) -> Result<PricedLine, Violation> {
    if entries.is_empty() {
        return price_custom(item, position, book);
    }
    let targets = adjusted_charges(item, position, entries)?;
    let mut line = PricedLine { components: Vec::with_capacity(entries.len()), warnings: Vec::new() };
    for (entry, adjusted) in entries.iter().zip(targets) {
        let quantity = match entry.price_type {
            PriceType::OneTime | PriceType::Recurring => item.quantity,
            PriceType::Usage => item.usage_quantity.unwrap_or(Quantity::ZERO),
        };
        let list = tiers::charge(entry, quantity.get()).map_err(|_| too_large(position))?;
        let charged = Charged { price_type: entry.price_type, entry: Some(entry), quantity, list };
        let adjustment = item.adjustment.as_ref().filter(|_| adjusted);
        line.push(item, position, charged, adjustment, book)?;
    }
    Ok(line)
}

/// What a line is charged for, before anyone changed it.
struct Charged<'a> {
    price_type: PriceType,
    entry: Option<&'a PriceBookEntry>,
    quantity: Quantity,
    list: Charge,
}

/// A line the book does not know: its override is the list price too, so it neither hides nor fakes a discount.
fn price_custom(item: &RequestItem, position: usize, book: &BookTerms) -> Result<PricedLine, Violation> {
    let Some(AdjustmentKind::OverrideUnitPrice(price)) = item.adjustment.as_ref().map(|adjustment| adjustment.kind)
    else {
        let detail = format!("the price book has no entry for offering {}", item.offering_id);
        return Err(Violation::new(format!("/items/{position}"), "unpriced", detail));
    };
    let price = price.get();
    let amount = exact::product(price, item.quantity.get()).map_err(|_| too_large(position))?;
    let list = Charge { amount, rule: format!("no entry in the price book: {} x {price}", item.quantity) };
    let charged = Charged { price_type: PriceType::OneTime, entry: None, quantity: item.quantity, list };
    let mut line = PricedLine { components: Vec::with_capacity(1), warnings: Vec::new() };
    line.push(item, position, charged, item.adjustment.as_ref(), book)?;
    let detail = "the price book has no entry; the price set by hand is the only one".to_owned();
    line.warnings.push(warning("custom-price", format!("/items/{position}"), detail));
    Ok(line)
}

impl PricedLine {
    fn push(
        &mut self,
        item: &RequestItem,
        position: usize,
        charged: Charged<'_>,
        adjustment: Option<&Adjustment>,
        book: &BookTerms,
    ) -> Result<(), Violation> {
        let Charged { price_type, entry, quantity, list } = charged;
        let too_large = |_: TooManyDigits| too_large(position);
        let mut steps = vec![step(QUANTITY_MODEL, list.rule, Decimal::ZERO, list.amount)];
        let mut exact = list.amount;
        if let Some(adjustment) = adjustment {
            let (rule, adjusted) = adjust(adjustment.kind, exact, quantity.get()).map_err(too_large)?;
            steps.push(TraceStep { reason: Some(adjustment.reason.clone()), ..step(MANUAL, rule, exact, adjusted) });
            exact = adjusted;
        }
        if exact.is_sign_negative() {
            steps.push(step(CLAMP, "floor 0".to_owned(), exact, Decimal::ZERO));
            exact = Decimal::ZERO;
            let detail = "the discount is larger than the charge; the line costs nothing".to_owned();
            self.warnings.push(warning("clamped-to-zero", format!("/items/{position}/adjustment"), detail));
        }
        let (list_amount, amount) = (round_line(list.amount, book), round_line(exact, book));
        steps.push(step(ROUND_LINE, rounding_rule(book), exact, amount.amount().normalize()));
        let (list_unit, list_unit_rounded) = shown_unit(list.amount, quantity.get());
        let (unit, unit_rounded) = shown_unit(exact, quantity.get());
        let item = PricedItem {
            item_id: item.item_id.clone(),
            offering_id: item.offering_id,
            quantity,
            price_type,
            period: entry.and_then(|entry| entry.period),
            list_unit,
            unit,
            unit_rounded: unit_rounded || list_unit_rounded,
            list_amount,
            document_discount: Money::zero(book.currency),
            amount,
            discount_percent: discount_percent(list_amount, amount),
            overridden: adjustment.is_some_and(|it| matches!(it.kind, AdjustmentKind::OverrideUnitPrice(_))),
            custom: entry.is_none(),
            rate_card: entry.filter(|entry| entry.price_type == PriceType::Usage).map(tiers::rate_card),
        };
        self.components.push(Component { item, steps });
        Ok(())
    }
}

/// Which charges the item's adjustment changes: the named kind, else all that are totalled. A price or an amount per unit
/// means nothing for two charges at once.
fn adjusted_charges(item: &RequestItem, position: usize, entries: &[&PriceBookEntry]) -> Result<Vec<bool>, Violation> {
    let Some(adjustment) = &item.adjustment else { return Ok(vec![false; entries.len()]) };
    let meant = |entry: &&PriceBookEntry| match adjustment.price_type {
        Some(named) => entry.price_type == named,
        None => entry.price_type != PriceType::Usage,
    };
    let targets: Vec<bool> = entries.iter().map(meant).collect();
    let count = targets.iter().filter(|target| **target).count();
    let pointer = format!("/items/{position}/adjustment/priceType");
    match adjustment.kind {
        _ if count == 0 => Err(Violation::new(pointer, "no-such-charge", "the offering has no charge of this kind")),
        AdjustmentKind::OverrideUnitPrice(_) | AdjustmentKind::DiscountAmount(_) if count > 1 => {
            let detail = "the offering has several charges: say which one is meant";
            Err(Violation::new(pointer, "ambiguous-adjustment", detail))
        }
        _ => Ok(targets),
    }
}

/// The amount of a line after a manual change, and the change in words.
fn adjust(kind: AdjustmentKind, amount: Decimal, quantity: Decimal) -> Result<(String, Decimal), TooManyDigits> {
    Ok(match kind {
        AdjustmentKind::OverrideUnitPrice(price) => {
            (format!("override: {quantity} x {}", price.get()), exact::product(price.get(), quantity)?)
        }
        AdjustmentKind::DiscountPercent(percent) => {
            let discount = exact::percent_of(amount, percent.get())?;
            (format!("discount {} %", percent.get()), exact::difference(amount, discount)?)
        }
        AdjustmentKind::DiscountAmount(per_unit) => {
            let discount = exact::product(per_unit.get(), quantity)?;
            (format!("discount: {quantity} x {}", per_unit.get()), exact::difference(amount, discount)?)
        }
    })
}

/// The price of one unit for display, and whether digits had to be cut.
fn shown_unit(amount: Decimal, quantity: Decimal) -> (Decimal, bool) {
    if quantity.is_zero() {
        return (Decimal::ZERO, false);
    }
    let unit = (amount / quantity)
        .round_dp_with_strategy(UNIT_PRICE_DIGITS, RoundingStrategy::MidpointAwayFromZero)
        .normalize();
    let exact = exact::product(unit, quantity).is_ok_and(|product| product == amount);
    (unit, !exact)
}

fn rounding_rule(book: &BookTerms) -> String {
    let mode = match book.rounding {
        Rounding::HalfUp => "half up",
        Rounding::HalfEven => "half even",
    };
    format!("round {mode} to {} digits", book.currency.exponent())
}

fn step(step: u8, rule: String, input: Decimal, output: Decimal) -> TraceStep {
    TraceStep { step, rule, input: input.normalize(), output: output.normalize(), reason: None }
}

fn too_large(position: usize) -> Violation {
    let detail = "the exact charge has more digits than can be held";
    Violation::new(format!("/items/{position}/quantity"), "amount-too-large", detail)
}
