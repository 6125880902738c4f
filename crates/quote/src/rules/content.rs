//! What a revision contains at the moments that bind somebody: when it is priced, frozen, and accepted.
//!
//! Money comes only from a sealed price: nothing here multiplies, rounds or invents an amount.

use cache_ports::{
    pricing::{PriceTotals, PriceType, PricedItem},
    quote::QuoteRecurringTotal,
};
use chrono::{DateTime, Utc};
use kernel::{
    ContentHash, Currency, CustomerId, Money, NotCanonical, OfferingId, PriceBookId, PriceResultId, PublicationId,
    Quantity, QuoteId, QuoteItemId,
};
use serde::Serialize;

use crate::model::{Acceptance, AcceptedItem, Adjustment, Characteristics, Charge, Item, Level, Quote, QuoteTotals};

/// The sealed price does not fit the lines it was asked for: somebody is lying or broken, and nothing may be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sealed price does not fit the quote: {0}")]
pub struct PriceMismatch(pub &'static str);

/// The lines with the charges of a sealed price, which must cover exactly these lines and sum to its own total.
pub fn priced(
    mut items: Vec<Item>,
    lines: &[PricedItem],
    totals: &PriceTotals,
    currency: Currency,
) -> Result<Vec<Item>, PriceMismatch> {
    for item in &mut items {
        item.charges.clear();
        item.amount = Some(Money::zero(currency));
    }
    for line in lines {
        let item = items
            .iter_mut()
            .find(|item| line.item_id == item.id.to_string())
            .ok_or(PriceMismatch("a charge for a line that is not there"))?;
        if item.offering_id != line.offering_id || item.quantity != line.quantity {
            return Err(PriceMismatch("a charge for another offering or quantity"));
        }
        charge(item, line)?;
    }
    if items.iter().any(|item| item.charges.is_empty()) {
        return Err(PriceMismatch("a line without a charge"));
    }
    if totals.recurring.iter().any(|total| total.periods != 1) {
        return Err(PriceMismatch("a term nobody asked for"));
    }
    let sum = Money::sum(items.iter().filter_map(|item| item.amount), currency);
    if sum.ok() != Some(totals.net) {
        return Err(PriceMismatch("lines that do not sum to the total"));
    }
    Ok(items)
}

fn charge(item: &mut Item, line: &PricedItem) -> Result<(), PriceMismatch> {
    if line.price_type != PriceType::Usage {
        let sum = item.amount.map(|amount| amount.plus(line.amount));
        item.amount = Some(sum.and_then(Result::ok).ok_or(PriceMismatch("a charge in another currency"))?);
    }
    item.charges.push(Charge {
        price_type: line.price_type,
        period: line.period,
        list_unit: Some(line.list_unit),
        unit: line.unit,
        amount: line.amount,
        overridden: line.overridden,
    });
    Ok(())
}

/// The sums as the quote keeps and shows them.
pub fn quote_totals(totals: &PriceTotals) -> QuoteTotals {
    let recurring = |total: &cache_ports::pricing::RecurringTotal| QuoteRecurringTotal {
        period: total.period,
        amount: total.amount,
    };
    QuoteTotals {
        net: totals.net,
        one_time: totals.one_time,
        recurring: totals.recurring.iter().map(recurring).collect(),
        list: Some(totals.list),
        discount_percent: Some(totals.discount_percent),
    }
}

/// Everything a customer agrees to and an approver decides about. A field left out here could be changed unnoticed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frozen<'a> {
    quote_id: QuoteId,
    revision_no: u32,
    customer_id: Option<CustomerId>,
    price_book_id: PriceBookId,
    publication_id: Option<PublicationId>,
    currency: Currency,
    level: Level,
    price_result_id: Option<PriceResultId>,
    price_hash: Option<ContentHash>,
    totals: Option<&'a QuoteTotals>,
    items: Vec<FrozenItem<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FrozenItem<'a> {
    id: QuoteItemId,
    line_no: u32,
    offering_id: OfferingId,
    external_id: Option<&'a str>,
    name: Option<&'a str>,
    stocked: Option<bool>,
    quantity: Quantity,
    characteristics: &'a Characteristics,
    adjustment: Option<&'a Adjustment>,
    charges: &'a [Charge],
    amount: Option<Money>,
}

/// The hash of the revision's content: SHA-256 over canonical JSON, so that others can recompute it.
pub fn content_hash(quote: &Quote) -> Result<ContentHash, NotCanonical> {
    let price = quote.revision.price.as_ref();
    ContentHash::of_json(&Frozen {
        quote_id: quote.id,
        revision_no: quote.revision.no,
        customer_id: quote.customer_id,
        price_book_id: quote.price_book_id,
        publication_id: quote.publication_id,
        currency: quote.currency,
        level: quote.level,
        price_result_id: price.map(|price| price.result_id),
        price_hash: price.map(|price| price.result_hash),
        totals: price.map(|price| &price.totals),
        items: quote.revision.items.iter().map(frozen_item).collect(),
    })
}

fn frozen_item(item: &Item) -> FrozenItem<'_> {
    let resolved = item.resolved.as_ref();
    FrozenItem {
        id: item.id,
        line_no: item.line_no,
        offering_id: item.offering_id,
        external_id: resolved.and_then(|offering| offering.external_id.as_deref()),
        name: resolved.map(|offering| offering.name.as_str()),
        stocked: resolved.map(|offering| offering.stocked),
        quantity: item.quantity,
        characteristics: &item.characteristics,
        adjustment: item.adjustment.as_ref(),
        charges: &item.charges,
        amount: item.amount,
    }
}

/// What the customer accepts; nothing when the revision is not fully priced and resolved.
pub fn acceptance(quote: &Quote, accepted_by: &str, accepted_at: DateTime<Utc>) -> Option<Acceptance> {
    let price = quote.revision.price.as_ref()?;
    Some(Acceptance {
        quote_id: quote.id,
        revision_no: quote.revision.no,
        customer_id: quote.customer_id,
        currency: quote.currency,
        total: price.totals.net,
        content_hash: quote.revision.content_hash?,
        price_result_id: price.result_id,
        accepted_by: accepted_by.to_owned(),
        accepted_at,
        items: quote.revision.items.iter().map(accepted_item).collect::<Option<_>>()?,
    })
}

/// Bytes the acceptance of this content will have as an event. Known when the revision is submitted: nobody should learn
/// at the moment of acceptance that a quote is too large.
pub fn acceptance_bytes(quote: &Quote) -> Result<usize, serde_json::Error> {
    let lines = quote.revision.items.iter().filter_map(accepted_item);
    lines.map(|line| serde_json::to_vec(&line).map(|json| json.len())).sum()
}

fn accepted_item(item: &Item) -> Option<AcceptedItem> {
    let first = item.charges.first()?;
    let resolved = item.resolved.as_ref()?;
    let several = item.charges.len() > 1;
    Some(AcceptedItem {
        item_id: item.id,
        offering_id: item.offering_id,
        external_id: resolved.external_id.clone(),
        name: resolved.name.clone(),
        stocked: resolved.stocked,
        quantity: item.quantity,
        unit: first.unit,
        amount: item.amount?,
        price_type: first.price_type,
        period: first.period,
        charges: if several { item.charges.iter().map(without_list).collect() } else { Vec::new() },
    })
}

/// An acceptance is read by buyers and by other services: it carries no list price.
fn without_list(charge: &Charge) -> Charge {
    Charge { list_unit: None, ..charge.clone() }
}

#[cfg(test)]
pub(crate) mod tests;
