//! Decisions: sync, pure, without clock and I/O. Given the same request, book, entries and time, the same price, always.
//!
//! - `exact`: arithmetic that is exact or refuses
//! - `book`: what a price book may hold; canonical order; which entries hold at a time
//! - `tiers`: step 5, what a quantity costs
//! - `waterfall`: steps 2 to 12 of one line
//! - `rounding`: the only two places that round, R1 (a line) and R2 (the document discount) with its allocation
//! - `totals`: steps 17 and 18, sums, percentages, approval inputs
//! - `evidence`: step 19, canonical hashes, the seal, and the verdict of a replay
//!
//! The steps are numbered as in the product's waterfall; those without rules yet (contracts, attributes, stacking, ramps,
//! bundles, partners, proration, tax) have no trace row.

pub mod book;
pub mod evidence;
pub mod exact;
pub mod rounding;
pub mod tiers;
pub mod totals;
pub mod waterfall;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod verdicts;

use cache_ports::pricing::{PriceBookEntry, PriceWarning};
use chrono::{DateTime, Utc};

use crate::model::{BookTerms, PriceRequest, Priced, Violation};

/// Most violations reported at once; a 5,000-line request against the wrong book needs no 5,000 sentences.
const MAX_VIOLATIONS: usize = 100;

/// Prices every line of `request` by the `entries` (in canonical order) of the pinned book that hold `at` that time.
pub fn price(
    request: &PriceRequest,
    book: &BookTerms,
    entries: &[PriceBookEntry],
    at: DateTime<Utc>,
) -> Result<Priced, Vec<Violation>> {
    if request.currency != book.currency {
        let detail = format!("the price book is in {}", book.currency);
        return Err(vec![Violation::new("/currency", "currency-mismatch", detail)]);
    }
    let mut components = Vec::with_capacity(request.items.len());
    let mut violations = Vec::new();
    let mut warnings = Vec::new();
    for (position, item) in request.items.iter().enumerate() {
        let charges: Vec<_> = book::entries_at(entries, item.offering_id, at).collect();
        match waterfall::price_item(item, position, &charges, book) {
            Ok(line) => {
                components.extend(line.components);
                warnings.extend(line.warnings);
            }
            Err(violation) => violations.push(violation),
        }
        if violations.len() >= MAX_VIOLATIONS {
            break;
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    let too_large = |_| vec![Violation::new("/items", "amount-too-large", "a sum has more digits than can be held")];
    let document_discounts = match request.document_discount_percent {
        Some(percent) => rounding::discount_document(&mut components, percent, book).map_err(too_large)?,
        None => Vec::new(),
    };
    let totals = totals::totals(&components, request.term_months, book.currency).map_err(too_large)?;
    warnings.extend(totals::term_warnings(&totals, request.term_months));
    let approval_inputs = totals::approval_inputs(&components, &totals);
    Ok(Priced { components, document_discounts, totals, approval_inputs, warnings })
}

/// A warning at `pointer`.
fn warning(code: &str, pointer: String, detail: String) -> PriceWarning {
    PriceWarning { code: code.to_owned(), pointer, detail }
}
