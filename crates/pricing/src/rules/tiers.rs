//! Step 5 of the waterfall: what a quantity costs by the tiers of an entry.
//!
//! Tiers cover `(previous bound, bound]` and the last is open (checked when the book is stored), so every quantity above
//! zero falls into exactly one. Nothing is rounded here.

use std::fmt::Write;

use cache_ports::pricing::{PriceBookEntry, QuantityModel, RateCard, Tier};
use rust_decimal::Decimal;

use super::exact::{TooManyDigits, product, sum};

/// The exact charge for a quantity, and the arithmetic behind it in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Not rounded.
    pub amount: Decimal,
    /// For the trace.
    pub rule: String,
}

/// What `quantity` units cost by `entry`. Nothing costs nothing.
pub fn charge(entry: &PriceBookEntry, quantity: Decimal) -> Result<Charge, TooManyDigits> {
    if quantity.is_zero() {
        return Ok(Charge { amount: Decimal::ZERO, rule: "nothing bought".to_owned() });
    }
    match entry.model {
        QuantityModel::Volume => volume(&entry.tiers, quantity),
        QuantityModel::Graduated => graduated(&entry.tiers, quantity),
        QuantityModel::Block => Ok(block(&entry.tiers, quantity)),
        QuantityModel::Package => package(entry, quantity),
    }
}

/// The terms of a usage charge, for display.
pub fn rate_card(entry: &PriceBookEntry) -> RateCard {
    RateCard { model: entry.model, package_size: entry.package_size, tiers: entry.tiers.clone() }
}

/// The number (from 1) and the tier `quantity` falls into.
fn tier_of(tiers: &[Tier], quantity: Decimal) -> (usize, &Tier) {
    let position = tiers.partition_point(|tier| tier.up_to.is_some_and(|bound| bound < quantity));
    let position = position.min(tiers.len().saturating_sub(1));
    (position + 1, &tiers[position])
}

fn volume(tiers: &[Tier], quantity: Decimal) -> Result<Charge, TooManyDigits> {
    let (number, tier) = tier_of(tiers, quantity);
    let amount = sum(product(quantity, tier.unit_price)?, tier.flat.unwrap_or_default())?;
    let rule = format!("volume tier {number}: {quantity} x {}{}", tier.unit_price, flat_text(tier));
    Ok(Charge { amount, rule })
}

fn graduated(tiers: &[Tier], quantity: Decimal) -> Result<Charge, TooManyDigits> {
    let mut amount = Decimal::ZERO;
    let mut rule = String::from("graduated:");
    let mut lower = Decimal::ZERO;
    for tier in tiers {
        let upper = tier.up_to.map_or(quantity, |bound| bound.min(quantity));
        let slice = super::exact::difference(upper, lower)?;
        amount = sum(amount, sum(product(slice, tier.unit_price)?, tier.flat.unwrap_or_default())?)?;
        let sign = if lower.is_zero() { "" } else { " +" };
        let _ = write!(rule, "{sign} {slice} x {}{}", tier.unit_price, flat_text(tier));
        if upper == quantity {
            break;
        }
        lower = upper;
    }
    Ok(Charge { amount, rule })
}

fn block(tiers: &[Tier], quantity: Decimal) -> Charge {
    let (number, tier) = tier_of(tiers, quantity);
    Charge { amount: tier.unit_price.normalize(), rule: format!("block {number} for {quantity}: {}", tier.unit_price) }
}

fn package(entry: &PriceBookEntry, quantity: Decimal) -> Result<Charge, TooManyDigits> {
    let size = entry.package_size.filter(|size| !size.is_zero()).unwrap_or(Decimal::ONE);
    // The remainder is exact, so the division of what is left is exact too.
    let rest = quantity.checked_rem(size).ok_or(TooManyDigits)?;
    let full = (super::exact::difference(quantity, rest)? / size).normalize();
    let packages = if rest.is_zero() { full } else { full + Decimal::ONE };
    let (number, tier) = tier_of(&entry.tiers, quantity);
    let amount = sum(product(packages, tier.unit_price)?, tier.flat.unwrap_or_default())?;
    let rule = format!("package of {size}, tier {number}: {packages} x {}{}", tier.unit_price, flat_text(tier));
    Ok(Charge { amount, rule })
}

fn flat_text(tier: &Tier) -> String {
    tier.flat.filter(|flat| !flat.is_zero()).map_or_else(String::new, |flat| format!(" + {flat}"))
}
