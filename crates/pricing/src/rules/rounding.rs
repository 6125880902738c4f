//! The only places that round: R1, the charge of a line; R2, the document discount, which is then shared out so that the
//! parts sum to it. Totals are sums of rounded parts and are never rounded again.

use cache_ports::pricing::{Period, PriceType, TraceStep};
use kernel::{Money, MoneyError, allocate};
use rust_decimal::Decimal;

use super::{book::period_rank, book::price_type_rank, exact};
use crate::model::{BookTerms, Component, DocumentDiscount, Percent};

/// The number of R1 in the waterfall.
pub const ROUND_LINE: u8 = 12;
/// The number of R2 in the waterfall.
pub const DISCOUNT_DOCUMENT: u8 = 15;

/// R1: the exact charge of a line as an amount of the book's currency.
pub fn round_line(exact: Decimal, book: &BookTerms) -> Money {
    Money::rounded(exact, book.currency, book.rounding)
}

/// R2: takes `percent` off every group of charges that are totalled together (a group per kind of charge and period; usage
/// is a projection and stays out), rounds once per group, and shares the amount over the lines by their weight.
pub fn discount_document(
    components: &mut [Component],
    percent: Percent,
    book: &BookTerms,
) -> Result<Vec<DocumentDiscount>, MoneyError> {
    let mut discounts = Vec::new();
    for (price_type, period) in groups(components) {
        let members: Vec<usize> = (0..components.len())
            .filter(|position| {
                let item = &components[*position].item;
                item.price_type == price_type && item.period == period
            })
            .collect();
        let base = Money::sum(members.iter().map(|position| components[*position].item.amount), book.currency)?;
        let exact = exact::percent_of(base.amount(), percent.get()).map_err(|_| MoneyError::Overflow)?;
        let rounded = Money::rounded(exact, book.currency, book.rounding);
        discounts.push(DocumentDiscount { price_type, period, base, percent, exact, rounded });
        if base.amount().is_zero() {
            continue;
        }
        let weights: Vec<Decimal> = members.iter().map(|position| components[*position].item.amount.amount()).collect();
        for (position, share) in members.into_iter().zip(allocate(rounded, &weights)?) {
            take_share(&mut components[position], share, percent, rounded)?;
        }
    }
    Ok(discounts)
}

/// The groups that occur, in a fixed order.
fn groups(components: &[Component]) -> Vec<(PriceType, Option<Period>)> {
    let totalled = components.iter().filter(|component| component.item.price_type != PriceType::Usage);
    let mut groups: Vec<_> = totalled.map(|component| (component.item.price_type, component.item.period)).collect();
    groups.sort_by_key(|(price_type, period)| (price_type_rank(*price_type), period.map(period_rank)));
    groups.dedup();
    groups
}

fn take_share(component: &mut Component, share: Money, percent: Percent, whole: Money) -> Result<(), MoneyError> {
    let before = component.item.amount;
    let after = before.plus(share.negated())?;
    component.item.document_discount = share;
    component.item.amount = after;
    component.item.discount_percent = super::totals::discount_percent(component.item.list_amount, after);
    component.steps.push(TraceStep {
        step: DISCOUNT_DOCUMENT,
        rule: format!("document discount {} %: share {} of {}", percent.get(), share.amount(), whole.amount()),
        input: before.amount().normalize(),
        output: after.amount().normalize(),
        reason: None,
    });
    Ok(())
}
