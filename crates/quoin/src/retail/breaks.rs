//! Quantity breaks recovered from observed prices.
//!
//! The rule: of all unit-price functions that never rise with the quantity, take the one that prices the most observed
//! lines exactly, where every further break has to win more than [`BREAK_COST`] lines. It needs no guessed grid of
//! quantities, one odd invoice cannot move it, and it is the optimum, so two runs agree. Found by dynamic programming
//! over (quantities seen) × (prices seen), a few thousand cells for the busiest code.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

/// Lines a break must win to be worth keeping; fewer, and it is somebody's special price rather than a list price.
pub const BREAK_COST: i64 = 3;

/// From `from` units on, a unit costs `unit_price`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Smallest quantity the price is for.
    pub from: i64,
    /// Price of one unit.
    pub unit_price: Decimal,
}

/// The steps that explain `lines` (quantity, unit price) best: from the smallest quantity upwards, prices falling,
/// the first step from 1. Empty when there are no lines.
pub fn observed_steps(lines: impl IntoIterator<Item = (i64, Decimal)>) -> Vec<Step> {
    let mut seen: BTreeMap<i64, BTreeMap<Decimal, i64>> = BTreeMap::new();
    for (quantity, price) in lines {
        *seen.entry(quantity).or_default().entry(price).or_default() += 1;
    }
    let mut prices: Vec<Decimal> = seen.values().flat_map(|at| at.keys().copied()).collect();
    prices.sort_by(|a, b| b.cmp(a));
    prices.dedup();
    steps_along(&seen, &prices, &best_path(&seen, &prices))
}

/// For every quantity, the position in `prices` (falling) of its price on the best path.
fn best_path(seen: &BTreeMap<i64, BTreeMap<Decimal, i64>>, prices: &[Decimal]) -> Vec<usize> {
    let mut score = vec![0_i64; prices.len()];
    let mut came_from: Vec<Vec<usize>> = Vec::with_capacity(seen.len());
    for (position, hits) in seen.values().enumerate() {
        let mut from = Vec::with_capacity(prices.len());
        let mut dearer: Option<(i64, usize)> = None;
        let before = score.clone();
        for (index, price) in prices.iter().enumerate() {
            let (mut best, mut source) = (before[index], index);
            if let Some((dearer_score, dearer_index)) = dearer.filter(|_| position > 0)
                && dearer_score - BREAK_COST > best
            {
                (best, source) = (dearer_score - BREAK_COST, dearer_index);
            }
            score[index] = best + hits.get(price).copied().unwrap_or_default();
            from.push(source);
            if dearer.is_none_or(|(score, _)| before[index] > score) {
                dearer = Some((before[index], index));
            }
        }
        came_from.push(from);
    }
    // The first of equals is the dearest: when the evidence is even, the list price is the higher one.
    let mut index = (0..score.len()).rev().max_by_key(|&index| score[index]).unwrap_or_default();
    let mut path = vec![0; came_from.len()];
    for (position, from) in came_from.iter().enumerate().rev() {
        path[position] = index;
        index = from.get(index).copied().unwrap_or_default();
    }
    path
}

fn steps_along(seen: &BTreeMap<i64, BTreeMap<Decimal, i64>>, prices: &[Decimal], path: &[usize]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (&from, &index) in seen.keys().zip(path) {
        let unit_price = prices[index];
        if steps.last().is_none_or(|last| last.unit_price != unit_price) {
            steps.push(Step { from, unit_price });
        }
    }
    if let Some(first) = steps.first_mut() {
        first.from = 1;
    }
    steps
}

/// The price of one unit when `quantity` units are bought.
pub fn unit_price_at(steps: &[Step], quantity: i64) -> Option<Decimal> {
    steps.iter().rev().find(|step| step.from <= quantity).map(|step| step.unit_price)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(lines: &[(i64, &str, usize)]) -> Vec<(i64, String)> {
        let all = lines.iter().flat_map(|&(quantity, price, times)| {
            std::iter::repeat_n((quantity, price.parse::<Decimal>().unwrap()), times)
        });
        observed_steps(all).into_iter().map(|step| (step.from, step.unit_price.to_string())).collect()
    }

    #[test]
    fn two_clear_prices_make_one_break() {
        let found = steps(&[(6, "2.95", 20), (12, "2.95", 8), (32, "2.55", 9), (64, "2.55", 4)]);
        assert_eq!(found, [(1, "2.95".to_owned()), (32, "2.55".to_owned())]);
    }

    #[test]
    fn a_few_odd_invoices_make_no_break() {
        let found = steps(&[(6, "2.95", 20), (7, "1.00", 3), (12, "2.95", 8), (100, "2.00", 2)]);
        assert_eq!(found, [(1, "2.95".to_owned())]);
    }

    #[test]
    fn a_price_that_rises_with_quantity_is_not_a_break() {
        assert_eq!(steps(&[(1, "2.00", 10), (50, "3.00", 8)]), [(1, "2.00".to_owned())]);
    }

    #[test]
    fn even_evidence_gives_the_dearer_price() {
        assert_eq!(steps(&[(5, "2.00", 4), (5, "3.00", 4)]), [(1, "3.00".to_owned())]);
    }

    #[test]
    fn nothing_seen_gives_no_price() {
        assert_eq!(observed_steps([]), []);
        assert_eq!(unit_price_at(&[], 5), None);
    }

    fn exact_hits(steps: &[Step], lines: &[(i64, Decimal)]) -> usize {
        lines.iter().filter(|(quantity, price)| unit_price_at(steps, *quantity) == Some(*price)).count()
    }

    proptest! {
        #[test]
        fn prices_fall_and_no_single_price_explains_more(
            lines in prop::collection::vec((1_i64..200, 1_i64..12), 1..120)
        ) {
            let lines: Vec<(i64, Decimal)> =
                lines.into_iter().map(|(quantity, pence)| (quantity, Decimal::new(pence * 25, 2))).collect();
            let found = observed_steps(lines.iter().copied());
            prop_assert_eq!(found[0].from, 1);
            prop_assert!(found.windows(2).all(|pair| pair[0].from < pair[1].from && pair[0].unit_price > pair[1].unit_price));
            let hits = exact_hits(&found, &lines);
            for (_, price) in &lines {
                let flat = [Step { from: 1, unit_price: *price }];
                prop_assert!(hits >= exact_hits(&flat, &lines));
            }
        }

        #[test]
        fn the_order_of_the_lines_does_not_matter(lines in prop::collection::vec((1_i64..50, 1_i64..6), 1..60)) {
            let lines: Vec<(i64, Decimal)> = lines.into_iter().map(|(quantity, pence)| (quantity, pence.into())).collect();
            let backwards = lines.iter().rev().copied();
            prop_assert_eq!(observed_steps(lines.iter().copied()), observed_steps(backwards));
        }
    }
}
