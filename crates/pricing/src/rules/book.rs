//! What a price book may hold, its canonical order, and which of its entries hold at a time.
//!
//! Tiers ascend, touch and end open, so that every quantity has exactly one price: a bound belongs to the tier it closes.
//! Entries of one charge may follow each other in time but never overlap.

use cache_ports::pricing::{Period, PeriodUnit, PriceBookEntry, PriceType, PriceWarning, QuantityModel};
use chrono::{DateTime, Utc};
use kernel::OfferingId;
use rust_decimal::Decimal;

use super::{exact, tiers, warning};
use crate::model::{MAX_TIERS, RATE_DIGITS, UNIT_PRICE_DIGITS, UnitPrice, Violation};

/// Most fractional digits of a tier bound and of a package size: as many as a quantity has.
const BOUND_DIGITS: u32 = kernel::Quantity::MAX_SCALE;
/// Longest period of a recurring charge, in its unit.
const MAX_PERIOD_LENGTH: u16 = 999;

/// The canonical order: one offering's entries together, its kinds of charge and their validity in a fixed order.
type OrderKey = (OfferingId, u8, (u8, u16), Option<DateTime<Utc>>);

fn order_key(entry: &PriceBookEntry) -> OrderKey {
    let (offering, kind, period) = charge_key(entry);
    (offering, kind, period, entry.valid_from)
}

/// What may have only one price at a time.
fn charge_key(entry: &PriceBookEntry) -> (OfferingId, u8, (u8, u16)) {
    (entry.offering_id, price_type_rank(entry.price_type), entry.period.map_or((0, 0), period_rank))
}

/// One-time before recurring before usage.
pub const fn price_type_rank(price_type: PriceType) -> u8 {
    match price_type {
        PriceType::OneTime => 0,
        PriceType::Recurring => 1,
        PriceType::Usage => 2,
    }
}

/// Shorter units first, then shorter lengths.
pub const fn period_rank(period: Period) -> (u8, u16) {
    let unit = match period.unit {
        PeriodUnit::Day => 1,
        PeriodUnit::Week => 2,
        PeriodUnit::Month => 3,
        PeriodUnit::Year => 4,
    };
    (unit, period.length)
}

/// Checks entries as they were sent (pointers name their positions there).
pub fn check_entries(entries: &[PriceBookEntry]) -> Vec<Violation> {
    let mut violations: Vec<Violation> =
        entries.iter().enumerate().flat_map(|(position, entry)| check_entry(entry, position)).collect();
    violations.extend(check_overlaps(entries));
    violations.truncate(super::MAX_VIOLATIONS);
    violations
}

fn check_entry(entry: &PriceBookEntry, position: usize) -> Vec<Violation> {
    let at = |field: &str| format!("/entries/{position}/{field}");
    let mut violations = Vec::new();
    match (entry.price_type, entry.period) {
        (PriceType::Recurring, None) => {
            violations.push(Violation::new(at("period"), "required", "a recurring charge needs a period"));
        }
        (PriceType::OneTime | PriceType::Usage, Some(_)) => {
            violations.push(Violation::new(at("period"), "not-allowed", "only recurring charges have a period"));
        }
        (PriceType::Recurring, Some(period)) if !(1..=MAX_PERIOD_LENGTH).contains(&period.length) => {
            violations.push(Violation::new(at("period/length"), "range", "a period has 1 to 999 units"));
        }
        _ => {}
    }
    match (entry.model, entry.package_size) {
        (QuantityModel::Package, None) => {
            violations.push(Violation::new(at("packageSize"), "required", "the package model needs a size"));
        }
        (QuantityModel::Package, Some(size)) if !is_bound(size) => {
            let detail = "a package size is above 0 with at most 6 fractional digits";
            violations.push(Violation::new(at("packageSize"), "range", detail));
        }
        (QuantityModel::Volume | QuantityModel::Graduated | QuantityModel::Block, Some(_)) => {
            violations.push(Violation::new(at("packageSize"), "not-allowed", "only the package model has a size"));
        }
        _ => {}
    }
    if let (Some(from), Some(to)) = (entry.valid_from, entry.valid_to)
        && from >= to
    {
        violations.push(Violation::new(at("validTo"), "range", "the end must come after the start"));
    }
    violations.extend(check_tiers(entry, position));
    violations
}

fn check_tiers(entry: &PriceBookEntry, position: usize) -> Vec<Violation> {
    let tiers = &entry.tiers;
    if tiers.is_empty() || tiers.len() > MAX_TIERS {
        let detail = format!("an entry has 1 to {MAX_TIERS} tiers");
        return vec![Violation::new(format!("/entries/{position}/tiers"), "size", detail)];
    }
    let digits = if entry.price_type == PriceType::Usage { RATE_DIGITS } else { UNIT_PRICE_DIGITS };
    let mut violations = Vec::new();
    let mut lower = Decimal::ZERO;
    for (number, tier) in tiers.iter().enumerate() {
        let at = |field: &str| format!("/entries/{position}/tiers/{number}/{field}");
        let last = number + 1 == tiers.len();
        match tier.up_to {
            Some(_) if last => {
                violations.push(Violation::new(at("upTo"), "last-tier-closed", "the last tier has no upper bound"));
            }
            None if !last => {
                violations.push(Violation::new(at("upTo"), "gap", "only the last tier is without an upper bound"));
            }
            Some(bound) if !is_bound(bound) || bound <= lower => {
                let detail = format!("the bound must be above {lower}, with at most 6 fractional digits");
                violations.push(Violation::new(at("upTo"), "not-ascending", detail));
            }
            _ => {}
        }
        lower = tier.up_to.unwrap_or(lower);
        if let Err(error) = UnitPrice::parse(tier.unit_price, digits) {
            violations.push(Violation::new(at("unitPrice"), "range", error.to_string()));
        }
        match tier.flat {
            Some(_) if entry.model == QuantityModel::Block => {
                violations.push(Violation::new(at("flat"), "not-allowed", "a block's price is already flat"));
            }
            Some(flat) => {
                if let Err(error) = UnitPrice::parse(flat, UNIT_PRICE_DIGITS) {
                    violations.push(Violation::new(at("flat"), "range", error.to_string()));
                }
            }
            None => {}
        }
    }
    violations
}

fn is_bound(number: Decimal) -> bool {
    number > Decimal::ZERO && number <= Decimal::from(999_999_999) && number.normalize().scale() <= BOUND_DIGITS
}

/// One charge must have one price at a time: its entries may not overlap.
fn check_overlaps(entries: &[PriceBookEntry]) -> Vec<Violation> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|position| order_key(&entries[*position]));
    let mut violations = Vec::new();
    for pair in order.windows(2) {
        let (earlier, later) = (&entries[pair[0]], &entries[pair[1]]);
        let overlap = match (earlier.valid_to, later.valid_from) {
            (Some(end), Some(start)) => start < end,
            _ => true,
        };
        if charge_key(earlier) == charge_key(later) && overlap {
            let detail = format!("the entry prices the same charge at the same time as entry {}", pair[0]);
            violations.push(Violation::new(format!("/entries/{}", pair[1]), "overlap", detail));
        }
    }
    violations
}

/// Brings checked entries into the form that is hashed and stored: canonical order, no trailing zeros.
pub fn canonical(mut entries: Vec<PriceBookEntry>) -> Vec<PriceBookEntry> {
    for entry in &mut entries {
        entry.package_size = entry.package_size.map(|size| size.normalize());
        for tier in &mut entry.tiers {
            tier.up_to = tier.up_to.map(|bound| bound.normalize());
            tier.unit_price = tier.unit_price.normalize();
            tier.flat = tier.flat.map(|flat| flat.normalize()).filter(|flat| !flat.is_zero());
        }
    }
    entries.sort_by_key(order_key);
    entries
}

/// The entries of one offering that hold at a time, in canonical order. `entries` must be in canonical order.
pub fn entries_at(
    entries: &[PriceBookEntry],
    offering: OfferingId,
    at: DateTime<Utc>,
) -> impl Iterator<Item = &PriceBookEntry> {
    let start = entries.partition_point(|entry| entry.offering_id < offering);
    let rest = entries.get(start..).unwrap_or_default();
    rest.iter()
        .take_while(move |entry| entry.offering_id == offering)
        .filter(move |entry| entry.valid_from.is_none_or(|from| from <= at) && entry.valid_to.is_none_or(|to| at < to))
}

/// The next moment after `at` at which another set of `entries` holds: until then a price made from them stays right.
pub fn next_change(entries: &[PriceBookEntry], offerings: &[OfferingId], at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let bounds = offerings.iter().flat_map(|offering| {
        let start = entries.partition_point(|entry| entry.offering_id < *offering);
        let rest = entries.get(start..).unwrap_or_default();
        rest.iter().take_while(move |entry| entry.offering_id == *offering)
    });
    bounds.flat_map(|entry| [entry.valid_from, entry.valid_to]).flatten().filter(|bound| *bound > at).min()
}

/// Tiers where buying a little more costs less in total: legal, and worth knowing. Slices of a graduated price never do
/// that.
pub fn inversions(entries: &[PriceBookEntry]) -> Vec<PriceWarning> {
    let mut warnings = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        if entry.model == QuantityModel::Graduated {
            continue;
        }
        for (number, tier) in entry.tiers.iter().enumerate() {
            let Some(bound) = tier.up_to else { continue };
            let above = exact::sum(bound, Decimal::new(1, BOUND_DIGITS));
            let totals = above.and_then(|above| Ok((tiers::charge(entry, bound)?, tiers::charge(entry, above)?)));
            if let Ok((at_bound, above_bound)) = totals
                && above_bound.amount < at_bound.amount
            {
                let pointer = format!("/entries/{position}/tiers/{number}");
                let detail = format!("just above {bound} units the total is lower than at {bound}");
                warnings.push(warning("tier-inversion", pointer, detail));
            }
        }
    }
    warnings
}
