//! The worked cases of the pricing semantics as a table: what this engine must answer to the digit.

use cache_ports::pricing::{Period, PeriodUnit, PriceBookEntry, PriceType, QuantityModel, Tier};
use chrono::{DateTime, Utc};
use kernel::{ContentHash, Currency, OfferingId, PriceBookId, Rounding, Version};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{price, tiers};
use crate::model::{
    Adjustment, AdjustmentKind, BookTerms, Percent, PriceRequest, Priced, RequestItem, UNIT_PRICE_DIGITS, UnitPrice,
};

pub(super) fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn offering(n: u128) -> OfferingId {
    OfferingId::from(Uuid::from_u128(n))
}

pub(super) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn book(currency: &str, rounding: Rounding) -> BookTerms {
    let currency: Currency = currency.parse().unwrap();
    let id = PriceBookId::from(Uuid::from_u128(1));
    BookTerms { id, version: Version::FIRST, content_hash: ContentHash::of_bytes(b"book"), currency, rounding }
}

/// Tiers from `(bound, price, flat)`; an empty text is "none".
pub(super) fn tiers_of(rows: &[(&str, &str, &str)]) -> Vec<Tier> {
    let optional = |text: &str| (!text.is_empty()).then(|| number(text));
    let tier = |(bound, price, flat): &(&str, &str, &str)| Tier {
        up_to: optional(bound),
        unit_price: number(price),
        flat: optional(flat),
    };
    rows.iter().map(tier).collect()
}

pub(super) fn entry(model: QuantityModel, size: &str, rows: &[(&str, &str, &str)]) -> PriceBookEntry {
    PriceBookEntry {
        offering_id: offering(1),
        price_type: PriceType::OneTime,
        period: None,
        model,
        package_size: (!size.is_empty()).then(|| number(size)),
        tiers: tiers_of(rows),
        valid_from: None,
        valid_to: None,
    }
}

pub(super) fn simple(offering_no: u128, price: &str) -> PriceBookEntry {
    PriceBookEntry { offering_id: offering(offering_no), ..entry(QuantityModel::Volume, "", &[("", price, "")]) }
}

pub(super) fn monthly(entry: PriceBookEntry) -> PriceBookEntry {
    let period = Some(Period { unit: PeriodUnit::Month, length: 1 });
    PriceBookEntry { price_type: PriceType::Recurring, period, ..entry }
}

pub(super) fn item(offering_no: u128, quantity: &str, kind: Option<AdjustmentKind>) -> RequestItem {
    let adjustment = kind.map(|kind| Adjustment { kind, reason: "agreed by phone".to_owned(), price_type: None });
    RequestItem {
        item_id: format!("line-{offering_no}"),
        offering_id: offering(offering_no),
        quantity: quantity.parse().unwrap(),
        usage_quantity: None,
        adjustment,
    }
}

pub(super) fn request(currency: &str, items: Vec<RequestItem>) -> PriceRequest {
    PriceRequest {
        price_book_id: PriceBookId::from(Uuid::from_u128(1)),
        publication_id: None,
        currency: currency.parse().unwrap(),
        customer_id: None,
        term_months: None,
        items,
        document_discount_percent: None,
    }
}

pub(super) fn off(percent: &str) -> AdjustmentKind {
    AdjustmentKind::DiscountPercent(Percent::parse(number(percent)).unwrap())
}

pub(super) fn set(price: &str) -> AdjustmentKind {
    AdjustmentKind::OverrideUnitPrice(UnitPrice::parse(number(price), UNIT_PRICE_DIGITS).unwrap())
}

pub(super) fn less(price: &str) -> AdjustmentKind {
    AdjustmentKind::DiscountAmount(UnitPrice::parse(number(price), UNIT_PRICE_DIGITS).unwrap())
}

/// Tiers as `(bound, price, flat)`.
type Rows = &'static [(&'static str, &'static str, &'static str)];
/// Model, package size, tiers, quantity, charge.
type TierCase = (QuantityModel, &'static str, Rows, &'static str, &'static str);
/// Currency, rounding, unit price, quantity, change, amount.
type RoundingCase = (&'static str, Rounding, &'static str, &'static str, Option<AdjustmentKind>, &'static str);

fn amounts(priced: &Priced) -> Vec<String> {
    priced.components.iter().map(|component| component.item.amount.amount().to_string()).collect()
}

const LADDER: Rows = &[("10", "10.00", ""), ("50", "9.00", ""), ("", "8.00", "")];
const BLOCKS: Rows = &[("10", "100", ""), ("50", "400", ""), ("", "700", "")];
const USAGE: Rows = &[("1000", "0", ""), ("10000", "0.0045", ""), ("", "0.0032", "25.00")];

#[test]
fn case_4_tiers() {
    use QuantityModel::{Block, Graduated, Package, Volume};
    let table: &[TierCase] = &[
        (Volume, "", LADDER, "0", "0"),
        (Volume, "", LADDER, "10", "100.00"),
        (Volume, "", LADDER, "10.5", "94.50"),
        (Volume, "", LADDER, "11", "99.00"),
        (Volume, "", LADDER, "50", "450.00"),
        (Volume, "", LADDER, "51", "408.00"),
        (Volume, "", LADDER, "60", "480.00"),
        (Graduated, "", LADDER, "0", "0"),
        (Graduated, "", LADDER, "10", "100.00"),
        (Graduated, "", LADDER, "10.5", "104.50"),
        (Graduated, "", LADDER, "11", "109.00"),
        (Graduated, "", LADDER, "50", "460.00"),
        (Graduated, "", LADDER, "51", "468.00"),
        (Graduated, "", LADDER, "60", "540.00"),
        (Block, "", BLOCKS, "10", "100"),
        (Block, "", BLOCKS, "10.000001", "400"),
        (Block, "", BLOCKS, "60", "700"),
        (Package, "25", &[("", "180.00", "")], "60", "540.00"),
        (Package, "25", &[("", "180.00", "")], "50", "360.00"),
        (Package, "25", &[("", "180.00", "")], "50.000001", "540.00"),
        (Package, "0.1", &[("", "1.00", "")], "0.3", "3.00"),
        (Graduated, "", USAGE, "1000", "0"),
        (Graduated, "", USAGE, "10000", "40.50"),
        (Graduated, "", USAGE, "12345.678", "73.0061696"),
    ];
    for (model, size, rows, quantity, expected) in table {
        let charge = tiers::charge(&entry(*model, size, rows), number(quantity)).unwrap();
        assert_eq!(charge.amount, number(expected), "{model:?} {size} {rows:?} at {quantity}: {}", charge.rule);
    }
}

#[test]
fn case_4_usage_is_rounded_once_and_stays_out_of_the_totals() {
    let usage = PriceBookEntry { price_type: PriceType::Usage, ..entry(QuantityModel::Graduated, "", USAGE) };
    let line = RequestItem { usage_quantity: Some("12345.678".parse().unwrap()), ..item(1, "3", None) };
    let document_discount_percent = Some(Percent::parse(number("50")).unwrap());
    let asked = PriceRequest { document_discount_percent, ..request("EUR", vec![line]) };
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &[usage], noon()).unwrap();
    assert_eq!(amounts(&priced), ["73.01"]);
    assert_eq!(priced.document_discounts, []);
    assert_eq!(priced.totals.usage_projection.unwrap().amount(), number("73.01"));
    assert_eq!(priced.totals.net.amount(), Decimal::ZERO);
}

#[test]
fn case_4_inversions_are_found_at_the_bounds() {
    let volume = entry(QuantityModel::Volume, "", LADDER);
    let found = super::book::inversions(std::slice::from_ref(&volume));
    let pointers: Vec<&str> = found.iter().map(|warning| warning.pointer.as_str()).collect();
    assert_eq!(pointers, ["/entries/0/tiers/0", "/entries/0/tiers/1"]);
    let graduated = PriceBookEntry { model: QuantityModel::Graduated, ..volume };
    assert!(super::book::inversions(&[graduated]).is_empty());
}

#[test]
fn case_3_where_to_round() {
    let percent = |text: &str| Some(off(text));
    let table: &[RoundingCase] = &[
        ("EUR", Rounding::HalfUp, "366.06", "25", percent("10"), "8236.35"),
        ("EUR", Rounding::HalfUp, "19.99", "1", percent("25"), "14.99"),
        ("EUR", Rounding::HalfUp, "19.99", "3", percent("25"), "44.98"),
        ("EUR", Rounding::HalfUp, "2.675", "1", None, "2.68"),
        ("EUR", Rounding::HalfEven, "2.675", "1", None, "2.68"),
        ("EUR", Rounding::HalfUp, "0.125", "1", None, "0.13"),
        ("EUR", Rounding::HalfEven, "0.125", "1", None, "0.12"),
        ("BHD", Rounding::HalfUp, "1.2345", "1", None, "1.235"),
        ("BHD", Rounding::HalfEven, "1.2345", "1", None, "1.234"),
        ("JPY", Rounding::HalfUp, "100.5", "1", None, "101"),
        ("JPY", Rounding::HalfEven, "100.5", "1", None, "100"),
        ("EUR", Rounding::HalfUp, "0.005", "1000000", None, "5000.00"),
    ];
    for (currency, rounding, unit, quantity, kind, expected) in table {
        let asked = request(currency, vec![item(1, quantity, *kind)]);
        let priced = price(&asked, &book(currency, *rounding), &[simple(1, unit)], noon()).unwrap();
        assert_eq!(amounts(&priced), [*expected], "{unit} x {quantity} {kind:?} {currency} {rounding:?}");
    }
}

#[test]
fn case_1_a_line_at_93_14_for_18_months_is_22_3833_percent_off_list() {
    // The waterfall's outcome (list 120.00, net 93.14, 50 seats, 18 months), reached here by an override and by −26.86.
    for kind in [set("93.14"), less("26.86")] {
        let asked = PriceRequest { term_months: Some(18), ..request("EUR", vec![item(1, "50", Some(kind))]) };
        let entries = [monthly(simple(1, "120.00"))];
        let priced = price(&asked, &book("EUR", Rounding::HalfUp), &entries, noon()).unwrap();
        assert_eq!(amounts(&priced), ["4657.00"]);
        assert_eq!(priced.totals.net.amount(), number("83826.00"));
        assert_eq!(priced.totals.list.amount(), number("108000.00"));
        assert_eq!(priced.totals.one_time.amount(), Decimal::ZERO);
        assert_eq!(priced.components[0].item.discount_percent, number("22.3833"));
        assert_eq!(priced.totals.discount_percent, number("22.3833"));
        assert_eq!(priced.approval_inputs.max_line_discount_percent, number("22.383333333334"));
        assert_eq!(priced.approval_inputs.overrides, u32::from(matches!(kind, AdjustmentKind::OverrideUnitPrice(_))));
    }
}

#[test]
fn case_2_a_document_discount_is_rounded_once_and_shared_by_largest_remainder() {
    let entries = [simple(1, "4657.00"), simple(2, "249.50"), simple(3, "1999.99")];
    let lines = (1..=3).map(|n| item(n, "1", None)).collect();
    // 500.00 of 6,906.49 is 7.239567…; the percentage below rounds to the same 500.00.
    let percent = Some(Percent::parse(number("7.239567")).unwrap());
    let asked = PriceRequest { document_discount_percent: percent, ..request("EUR", lines) };
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &entries, noon()).unwrap();
    assert_eq!(priced.document_discounts[0].rounded.amount(), number("500.00"));
    assert_eq!(amounts(&priced), ["4319.85", "231.44", "1855.20"]);
    let shares: Vec<String> = priced.components.iter().map(|c| c.item.document_discount.amount().to_string()).collect();
    assert_eq!(shares, ["337.15", "18.06", "144.79"]);
}

#[test]
fn case_2_equal_lines_share_the_units_left_over_from_the_front() {
    let table: &[(&str, usize, &str, &str, &[&str])] = &[
        ("EUR", 3, "100.00", "3.333333", &["3.34", "3.33", "3.33"]),
        ("JPY", 3, "1000", "3.333333", &["34", "33", "33"]),
        ("EUR", 7, "0.10", "7", &["0.01", "0.01", "0.01", "0.01", "0.01", "0.00", "0.00"]),
    ];
    for (currency, count, unit, percent, shares) in table {
        let lines: Vec<_> = (1..=*count as u128).map(|n| item(n, "1", None)).collect();
        let entries: Vec<_> = (1..=*count as u128).map(|n| simple(n, unit)).collect();
        let percent = Some(Percent::parse(number(percent)).unwrap());
        let asked = PriceRequest { document_discount_percent: percent, ..request(currency, lines) };
        let priced = price(&asked, &book(currency, Rounding::HalfUp), &entries, noon()).unwrap();
        let got: Vec<String> =
            priced.components.iter().map(|c| c.item.document_discount.amount().to_string()).collect();
        assert_eq!(&got, shares, "{currency} {unit}");
    }
}

#[test]
fn every_step_of_a_line_says_what_went_in_and_out_and_why() {
    let asked = PriceRequest {
        document_discount_percent: Some(Percent::parse(number("10")).unwrap()),
        ..request("EUR", vec![item(1, "25", Some(off("10")))])
    };
    let priced = price(&asked, &book("EUR", Rounding::HalfUp), &[simple(1, "366.066")], noon()).unwrap();
    let steps = &priced.components[0].steps;
    let numbers: Vec<u8> = steps.iter().map(|step| step.step).collect();
    assert_eq!(numbers, [5, 9, 12, 15]);
    for pair in steps.windows(2) {
        assert_eq!(pair[0].output, pair[1].input, "a step starts where the last one ended");
    }
    assert_eq!(steps[0].rule, "volume tier 1: 25 x 366.066");
    assert_eq!(steps[1].reason.as_deref(), Some("agreed by phone"));
    assert_eq!((steps[2].input, steps[2].output), (number("8236.485"), number("8236.49")));
    assert_eq!(steps[2].rule, "round half up to 2 digits");
    assert_eq!(steps[3].output, priced.components[0].item.amount.amount().normalize());
}
