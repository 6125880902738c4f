//! Steps 17 and 18: sums of rounded lines, how far they lie below list, and what decides about approval.
//!
//! One-time, recurring and usage charges are never added together; the contract value counts a recurring charge once for
//! every period of the term.

use cache_ports::pricing::{
    ApprovalInputs, Period, PeriodUnit, PriceTotals, PriceType, PriceWarning, PricedItem, RecurringTotal,
};
use kernel::{Currency, Money, MoneyError};
use rust_decimal::{Decimal, RoundingStrategy};

use super::{book::period_rank, exact, warning};
use crate::model::{Component, Percent};

/// Digits of a percentage that is shown.
const SHOWN_DIGITS: u32 = 4;
/// Digits of a percentage that decides; it is rounded up, so that no discount hides below a limit.
const DECIDING_DIGITS: u32 = 12;

/// Sums the lines.
pub fn totals(
    components: &[Component],
    term_months: Option<u16>,
    currency: Currency,
) -> Result<PriceTotals, MoneyError> {
    let of_type =
        |price_type: PriceType| components.iter().map(|c| &c.item).filter(move |i| i.price_type == price_type);
    let one_time = Money::sum(of_type(PriceType::OneTime).map(|item| item.amount), currency)?;
    let mut list = Money::sum(of_type(PriceType::OneTime).map(|item| item.list_amount), currency)?;
    let mut net = one_time;
    let mut periods: Vec<Period> = of_type(PriceType::Recurring).filter_map(|item| item.period).collect();
    periods.sort_by_key(|period| period_rank(*period));
    periods.dedup();
    let mut recurring = Vec::with_capacity(periods.len());
    for period in periods {
        let same: Vec<&PricedItem> = of_type(PriceType::Recurring).filter(|item| item.period == Some(period)).collect();
        let amount = Money::sum(same.iter().map(|item| item.amount), currency)?;
        let list_amount = Money::sum(same.iter().map(|item| item.list_amount), currency)?;
        let counted = periods_in_term(period, term_months).unwrap_or(1);
        list = list.plus(times(list_amount, counted)?)?;
        net = net.plus(times(amount, counted)?)?;
        recurring.push(RecurringTotal { period, amount, periods: counted });
    }
    let mut usage = of_type(PriceType::Usage).map(|item| item.amount).peekable();
    let usage_projection = usage.peek().is_some().then(|| Money::sum(usage, currency)).transpose()?;
    let discount_percent = discount_percent(list, net);
    Ok(PriceTotals { list, net, one_time, recurring, usage_projection, discount_percent })
}

fn times(amount: Money, periods: u32) -> Result<Money, MoneyError> {
    let product = exact::product(amount.amount(), Decimal::from(periods)).map_err(|_| MoneyError::Overflow)?;
    Money::new(product, amount.currency())
}

/// How often a charge falls due in a term, a begun period counting whole; `None` where the term does not say, because it is
/// not given or because days and weeks are no part of a month.
fn periods_in_term(period: Period, term_months: Option<u16>) -> Option<u32> {
    let months = match period.unit {
        PeriodUnit::Month => u32::from(period.length),
        PeriodUnit::Year => u32::from(period.length) * 12,
        PeriodUnit::Day | PeriodUnit::Week => return None,
    };
    Some(u32::from(term_months?).div_ceil(months.max(1)))
}

/// Where the contract value counts something else than a reader may expect.
pub fn term_warnings(totals: &PriceTotals, term_months: Option<u16>) -> Vec<PriceWarning> {
    let Some(term) = term_months else { return Vec::new() };
    let whole = |period: Period| match period.unit {
        PeriodUnit::Month => term.is_multiple_of(period.length),
        PeriodUnit::Year => u32::from(term).is_multiple_of(u32::from(period.length) * 12),
        PeriodUnit::Day | PeriodUnit::Week => false,
    };
    let odd = totals.recurring.iter().filter(|total| !whole(total.period));
    odd.map(|total| {
        let detail = format!("a term of {term} months is no whole number of periods; {} are counted", total.periods);
        warning("partial-period", "/termMonths".to_owned(), detail)
    })
    .collect()
}

/// How far `net` lies below `list`, in percent, for people: negative for a mark-up, zero when there is no list price.
pub fn discount_percent(list: Money, net: Money) -> Decimal {
    ratio(list, net).round_dp_with_strategy(SHOWN_DIGITS, RoundingStrategy::MidpointAwayFromZero).normalize()
}

/// The same for a decision: never negative, rounded up.
fn deciding_percent(list: Money, net: Money) -> Decimal {
    let percent = ratio(list, net).max(Decimal::ZERO);
    percent.round_dp_with_strategy(DECIDING_DIGITS, RoundingStrategy::ToPositiveInfinity).normalize()
}

/// `(list − net) × 100 / list`: one division, last.
fn ratio(list: Money, net: Money) -> Decimal {
    if list.amount().is_zero() {
        return Decimal::ZERO;
    }
    // Sums are bounded far below the digits a decimal holds, so the hundredfold always fits.
    (list.amount() - net.amount()) * Percent::HUNDRED / list.amount()
}

/// What a policy needs to know: the deepest line discount, the total one, and how many lines were overridden.
pub fn approval_inputs(components: &[Component], totals: &PriceTotals) -> ApprovalInputs {
    let lines = components.iter().map(|component| &component.item);
    let deepest = lines.map(|item| deciding_percent(item.list_amount, item.amount)).max().unwrap_or_default();
    let mut overridden: Vec<&str> =
        components.iter().filter(|c| c.item.overridden).map(|c| c.item.item_id.as_str()).collect();
    overridden.dedup();
    ApprovalInputs {
        max_line_discount_percent: deepest,
        total_discount_percent: deciding_percent(totals.list, totals.net),
        overrides: u32::try_from(overridden.len()).unwrap_or(u32::MAX),
    }
}
