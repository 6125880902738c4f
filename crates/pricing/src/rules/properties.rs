//! Properties of the engine: sums, order, determinism, and the refusals.

use cache_ports::pricing::{PriceBookEntry, PriceType, QuantityModel, Tier};
use chrono::TimeDelta;
use kernel::{ContentHash, Money, Rounding};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    book::{canonical, check_entries},
    evidence,
    golden::{book, entry, item, less, monthly, noon, number, off, offering, request, set, simple},
    price, tiers,
};
use crate::model::{Percent, PriceRequest, RequestItem};

/// Legal tiers: ascending bounds, the last open, prices to six digits.
fn ladder() -> impl Strategy<Value = Vec<Tier>> {
    prop::collection::vec((1u32..5_000_000, 0u32..100_000_000, prop::option::of(0u32..100_000)), 1..8).prop_map(
        |steps| {
            let count = steps.len();
            let mut bound = Decimal::ZERO;
            let tier = |(position, (width, price, flat)): (usize, (u32, u32, Option<u32>))| {
                bound += Decimal::new(i64::from(width), 3);
                Tier {
                    up_to: (position + 1 < count).then_some(bound),
                    unit_price: Decimal::new(i64::from(price), 6),
                    flat: flat.map(|flat| Decimal::new(i64::from(flat), 2)),
                }
            };
            steps.into_iter().enumerate().map(tier).collect()
        },
    )
}

fn quantity() -> impl Strategy<Value = Decimal> {
    (0u32..20_000_000).prop_map(|thousandths| Decimal::new(i64::from(thousandths), 3))
}

fn with(model: QuantityModel, tiers: Vec<Tier>) -> PriceBookEntry {
    PriceBookEntry { tiers, ..entry(model, "", &[]) }
}

/// A request of up to 30 lines over two offerings (one with a one-time and a monthly charge), some changed by hand.
fn any_request() -> impl Strategy<Value = PriceRequest> {
    let line = (1u128..3, 0u32..100_000, 0u8..4, 0u32..100);
    (prop::collection::vec(line, 1..30), prop::option::of(0u32..10_000), prop::option::of(1u16..60)).prop_map(
        |(lines, document, term_months)| {
            let items = lines.into_iter().enumerate().map(|(position, (offering_no, quantity, kind, value))| {
                let kind = match (kind, offering_no) {
                    (1, _) => Some(off(&value.to_string())),
                    (2, 1) => Some(set(&Decimal::new(i64::from(value), 3).to_string())),
                    (3, 1) => Some(less(&Decimal::new(i64::from(value), 2).to_string())),
                    _ => None,
                };
                let quantity = Decimal::new(i64::from(quantity), 2).to_string();
                RequestItem { item_id: format!("line-{position}"), ..item(offering_no, &quantity, kind) }
            });
            let percent = document.map(|percent| Percent::parse(Decimal::new(i64::from(percent), 2)).unwrap());
            PriceRequest { term_months, document_discount_percent: percent, ..request("EUR", items.collect()) }
        },
    )
}

fn entries() -> Vec<PriceBookEntry> {
    canonical(vec![simple(1, "19.994"), simple(2, "0.333333"), monthly(simple(2, "7.77"))])
}

proptest! {
    #[test]
    fn totals_are_the_sums_of_the_lines_and_shares_sum_to_the_discount(asked in any_request()) {
        let priced = price(&asked, &book("EUR", Rounding::HalfUp), &entries(), noon()).unwrap();
        let items: Vec<_> = priced.components.iter().map(|component| &component.item).collect();
        let of = |price_type| items.iter().filter(move |it| it.price_type == price_type);
        let one_time = Money::sum(of(PriceType::OneTime).map(|it| it.amount), asked.currency).unwrap();
        let monthly = Money::sum(of(PriceType::Recurring).map(|it| it.amount), asked.currency).unwrap();
        prop_assert_eq!(priced.totals.one_time, one_time);
        let counted = Decimal::from(asked.term_months.unwrap_or(1));
        prop_assert_eq!(priced.totals.net.amount(), one_time.amount() + monthly.amount() * counted);
        for discount in &priced.document_discounts {
            let shares = of(discount.price_type).map(|it| it.document_discount);
            prop_assert_eq!(Money::sum(shares, asked.currency).unwrap(), discount.rounded);
        }
        for component in &priced.components {
            prop_assert!(!component.item.amount.amount().is_sign_negative());
            prop_assert_eq!(component.steps.last().unwrap().output, component.item.amount.amount().normalize());
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_to_the_byte(asked in any_request()) {
        let terms = book("EUR", Rounding::HalfUp);
        let once = price(&asked, &terms, &entries(), noon()).unwrap();
        let parsed: PriceRequest = serde_json::from_str(&serde_json::to_string(&asked).unwrap()).unwrap();
        let again = price(&parsed, &terms, &entries(), noon()).unwrap();
        prop_assert_eq!(evidence::result_hash(&once).unwrap(), evidence::result_hash(&again).unwrap());
        prop_assert_eq!(ContentHash::of_json(&asked).unwrap(), ContentHash::of_json(&parsed).unwrap());
    }

    #[test]
    fn a_graduated_price_is_the_sum_of_its_slices_and_never_falls(tiers in ladder(), low in quantity(), more in quantity()) {
        let graduated = with(QuantityModel::Graduated, tiers.clone());
        let high = low + more;
        let mut sum = Decimal::ZERO;
        let mut lower = Decimal::ZERO;
        for tier in &tiers {
            let upper = tier.up_to.unwrap_or(high).min(high);
            if upper > lower {
                sum += (upper - lower) * tier.unit_price + tier.flat.unwrap_or_default();
                lower = upper;
            }
        }
        let at_high = tiers::charge(&graduated, high).unwrap().amount;
        prop_assert_eq!(at_high, sum);
        prop_assert!(tiers::charge(&graduated, low).unwrap().amount <= at_high);
    }

    #[test]
    fn volume_uses_exactly_the_tier_whose_bounds_hold_the_quantity(tiers in ladder(), bought in quantity()) {
        prop_assume!(!bought.is_zero());
        let charge = tiers::charge(&with(QuantityModel::Volume, tiers.clone()), bought).unwrap();
        let mut lower = Decimal::ZERO;
        let mut expected = Vec::new();
        for tier in &tiers {
            if bought > lower && tier.up_to.is_none_or(|bound| bought <= bound) {
                expected.push(bought * tier.unit_price + tier.flat.unwrap_or_default());
            }
            lower = tier.up_to.unwrap_or(lower);
        }
        prop_assert_eq!(expected, [charge.amount]);
    }

    #[test]
    fn packages_cover_the_quantity_with_none_to_spare(size in 1u32..100_000, bought in quantity()) {
        prop_assume!(!bought.is_zero());
        let size = Decimal::new(i64::from(size), 3);
        let package = PriceBookEntry { package_size: Some(size), ..entry(QuantityModel::Package, "", &[("", "1", "")]) };
        let packages = tiers::charge(&package, bought).unwrap().amount;
        prop_assert!(packages.fract().is_zero());
        prop_assert!(packages * size >= bought && (packages - Decimal::ONE) * size < bought);
    }

    #[test]
    fn legal_ladders_are_accepted_and_one_broken_bound_is_not(tiers in ladder(), pick in 0usize..8) {
        let legal = with(QuantityModel::Volume, tiers);
        prop_assert_eq!(check_entries(std::slice::from_ref(&legal)), vec![]);
        prop_assume!(legal.tiers.len() > 1);
        let position = pick % (legal.tiers.len() - 1);
        let mut gap = legal.clone();
        gap.tiers[position].up_to = None;
        prop_assert_eq!(check_entries(&[gap])[0].code, "gap");
        let mut falling = legal.clone();
        falling.tiers[position].up_to = Some(Decimal::NEGATIVE_ONE);
        prop_assert_eq!(check_entries(&[falling])[0].code, "not-ascending");
        let mut closed = legal;
        closed.tiers.last_mut().unwrap().up_to = Some(Decimal::from(999_999_999));
        prop_assert_eq!(check_entries(&[closed])[0].code, "last-tier-closed");
    }
}

#[test]
fn the_canonical_form_forgets_order_and_trailing_zeros() {
    let one = canonical(vec![simple(2, "1.50"), monthly(simple(1, "3")), simple(1, "2.0")]);
    let two = canonical(vec![simple(1, "2"), simple(2, "1.5"), monthly(simple(1, "3.000"))]);
    assert_eq!(ContentHash::of_json(&one).unwrap(), ContentHash::of_json(&two).unwrap());
}

#[test]
fn validity_is_half_open_and_overlaps_are_refused() {
    let turn = noon();
    let before = PriceBookEntry { valid_to: Some(turn), ..simple(1, "1") };
    let after = PriceBookEntry { valid_from: Some(turn), ..simple(1, "2") };
    let both = canonical(vec![after.clone(), before.clone()]);
    assert_eq!(check_entries(&both), vec![]);
    let asked = request("EUR", vec![item(1, "1", None)]);
    let at = |time| {
        let priced = price(&asked, &book("EUR", Rounding::HalfUp), &both, time).unwrap();
        priced.totals.net.amount()
    };
    assert_eq!(at(turn - TimeDelta::microseconds(1)), number("1.00"));
    assert_eq!(at(turn), number("2.00"));
    assert_eq!(super::book::next_change(&both, &[offering(1)], turn - TimeDelta::hours(1)), Some(turn));
    assert_eq!(super::book::next_change(&both, &[offering(1)], turn), None);
    let late = PriceBookEntry { valid_to: Some(turn + TimeDelta::hours(1)), ..before };
    let found = check_entries(&[late, after]);
    assert_eq!((found[0].code, found[0].pointer.as_str()), ("overlap", "/entries/1"));
}

#[test]
fn what_cannot_be_priced_is_refused_with_its_place() {
    let entries = entries();
    let terms = book("EUR", Rounding::HalfUp);
    let refusal = |asked: PriceRequest| price(&asked, &terms, &entries, noon()).unwrap_err().remove(0);
    let unknown = refusal(request("EUR", vec![item(1, "1", None), item(9, "1", Some(off("5")))]));
    assert_eq!((unknown.code, unknown.pointer.as_str()), ("unpriced", "/items/1"));
    let other = refusal(request("USD", vec![item(1, "1", None)]));
    assert_eq!((other.code, other.pointer.as_str()), ("currency-mismatch", "/currency"));
    let two = refusal(request("EUR", vec![item(2, "1", Some(set("5")))]));
    assert_eq!((two.code, two.pointer.as_str()), ("ambiguous-adjustment", "/items/0/adjustment/priceType"));
    let fine_digits = simple(1, "999999998.999999");
    let huge = request("EUR", vec![item(1, "999999998.999999", None)]);
    let too_large = price(&huge, &terms, &[fine_digits], noon()).unwrap_err().remove(0);
    assert_eq!((too_large.code, too_large.pointer.as_str()), ("amount-too-large", "/items/0/quantity"));
}

#[test]
fn a_line_the_book_does_not_know_needs_an_override_and_fakes_no_discount() {
    let asked = request("EUR", vec![item(9, "3", Some(set("4.5")))]);
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &entries(), noon()).unwrap();
    let line = &priced.components[0].item;
    assert!(line.custom && line.overridden && line.price_type == PriceType::OneTime);
    assert_eq!((line.amount.amount(), line.list_amount.amount()), (number("13.50"), number("13.50")));
    assert_eq!(priced.approval_inputs.max_line_discount_percent, Decimal::ZERO);
    assert_eq!(priced.warnings[0].code, "custom-price");
}

#[test]
fn a_discount_larger_than_the_charge_ends_at_zero_and_says_so() {
    let asked = request("EUR", vec![item(1, "2", Some(less("100")))]);
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &entries(), noon()).unwrap();
    assert_eq!(priced.totals.net.amount(), Decimal::ZERO);
    assert_eq!(priced.components[0].steps[2].step, super::waterfall::CLAMP);
    assert_eq!(priced.warnings[0].code, "clamped-to-zero");
    assert_eq!(priced.approval_inputs.max_line_discount_percent, number("100"));
}

#[test]
fn a_term_that_is_no_whole_number_of_periods_is_counted_up_and_reported() {
    let mut yearly = monthly(simple(1, "100"));
    yearly.period = yearly
        .period
        .map(|period| cache_ports::pricing::Period { unit: cache_ports::pricing::PeriodUnit::Year, ..period });
    let asked = PriceRequest { term_months: Some(18), ..request("EUR", vec![item(1, "1", None)]) };
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &[yearly], noon()).unwrap();
    assert_eq!((priced.totals.recurring[0].periods, priced.totals.net.amount()), (2, number("200.00")));
    assert_eq!(priced.warnings[0].code, "partial-period");
}

#[test]
fn five_thousand_lines_are_priced_without_skipping_one() {
    let items = (0..5_000u128).map(|n| RequestItem { item_id: format!("{n}"), ..item(1 + n % 2, "3", None) }).collect();
    let asked = PriceRequest {
        document_discount_percent: Some(Percent::parse(number("12.5")).unwrap()),
        ..request("EUR", items)
    };
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &entries(), noon()).unwrap();
    assert_eq!(priced.components.len(), 7_500);
    assert!(priced.components.iter().all(|component| component.steps.len() == 3));
}
