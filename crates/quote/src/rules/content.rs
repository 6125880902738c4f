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
pub(crate) mod tests {
    use cache_ports::{catalog::CharacteristicValue, pricing::ApprovalInputs};
    use chrono::TimeDelta;
    use kernel::{ApprovalId, Version};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::{
        AdjustmentKind, Approval, ApprovalState, QuoteState, ResolvedOffering, Revision, RevisionState, SealedPrice,
    };

    pub(crate) fn approval_requested_by(requester: &str) -> Approval {
        Approval {
            id: ApprovalId::from(Uuid::nil()),
            state: ApprovalState::Pending,
            content_hash: ContentHash::of_bytes(b""),
            reasons: Vec::new(),
            requested_by: requester.to_owned(),
            requested_at: DateTime::UNIX_EPOCH,
            decided_by: None,
            decided_at: None,
            comment: None,
        }
    }

    fn eur(minor: i64) -> Money {
        Money::new(rust_decimal::Decimal::new(minor, 2), "EUR".parse().unwrap()).unwrap()
    }

    fn item(number: u32, quantity: u32) -> Item {
        Item {
            id: Uuid::from_u128(u128::from(number)).into(),
            line_no: number,
            offering_id: Uuid::from_u128(1_000 + u128::from(number)).into(),
            resolved: Some(ResolvedOffering { external_id: Some("A1".into()), name: "Lamp".into(), stocked: true }),
            quantity: quantity.into(),
            characteristics: Characteristics::from([("colour".into(), CharacteristicValue::Text("red".into()))]),
            adjustment: Some(Adjustment {
                kind: AdjustmentKind::DiscountPercent,
                value: "5".parse().unwrap(),
                reason: "loyal".into(),
            }),
            charges: Vec::new(),
            amount: None,
        }
    }

    fn line(item: &Item, minor: i64) -> PricedItem {
        PricedItem {
            item_id: item.id.to_string(),
            offering_id: item.offering_id,
            quantity: item.quantity,
            price_type: PriceType::OneTime,
            period: None,
            list_unit: "2.5".parse().unwrap(),
            unit: "2.375".parse().unwrap(),
            unit_rounded: false,
            list_amount: eur(minor),
            document_discount: eur(0),
            amount: eur(minor),
            discount_percent: "0".parse().unwrap(),
            overridden: false,
            custom: false,
            rate_card: None,
        }
    }

    fn totals(minor: i64) -> PriceTotals {
        PriceTotals {
            list: eur(minor),
            net: eur(minor),
            one_time: eur(minor),
            recurring: Vec::new(),
            usage_projection: None,
            discount_percent: "0".parse().unwrap(),
        }
    }

    pub(crate) fn submitted() -> Quote {
        let items = vec![item(1, 2), item(2, 3)];
        let lines = [line(&items[0], 475), line(&items[1], 713)];
        let items = priced(items, &lines, &totals(1188), "EUR".parse().unwrap()).unwrap();
        let revision = Revision {
            no: 1,
            state: RevisionState::Presented,
            editors: vec!["rep".into()],
            price_stale: false,
            price: Some(SealedPrice {
                result_id: Uuid::from_u128(7).into(),
                result_hash: ContentHash::of_bytes(b"result"),
                totals: quote_totals(&totals(1188)),
                approval_inputs: ApprovalInputs {
                    max_line_discount_percent: "5".parse().unwrap(),
                    total_discount_percent: "5".parse().unwrap(),
                    overrides: 0,
                },
            }),
            content_hash: None,
            valid_until: None,
            created_at: DateTime::UNIX_EPOCH,
            items,
        };
        Quote {
            id: Uuid::from_u128(9).into(),
            version: Version::FIRST,
            external_id: None,
            state: QuoteState::Open,
            customer_id: Some(Uuid::from_u128(8).into()),
            price_book_id: Uuid::from_u128(6).into(),
            publication_id: Some(Uuid::from_u128(5).into()),
            currency: "EUR".parse().unwrap(),
            level: Level::Firm,
            valid_for_days: 30,
            current_revision_no: 1,
            created_by: "rep".into(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            revision,
            approval: None,
        }
    }

    type Change = (&'static str, fn(&mut Quote));

    #[test]
    fn any_change_of_what_was_agreed_changes_the_hash() {
        let agreed = content_hash(&submitted()).unwrap();
        let changes: [Change; 16] = [
            ("quote", |quote| quote.id = Uuid::nil().into()),
            ("revision", |quote| quote.revision.no = 2),
            ("customer", |quote| quote.customer_id = None),
            ("price book", |quote| quote.price_book_id = Uuid::nil().into()),
            ("publication", |quote| quote.publication_id = None),
            ("currency", |quote| quote.currency = "USD".parse().unwrap()),
            ("level", |quote| quote.level = Level::Budgetary),
            ("price", |quote| quote.revision.price = None),
            ("a line less", |quote| drop(quote.revision.items.pop())),
            ("order of lines", |quote| quote.revision.items.swap(0, 1)),
            ("offering", |quote| quote.revision.items[0].offering_id = Uuid::nil().into()),
            ("stocked", |quote| quote.revision.items[0].resolved.as_mut().unwrap().stocked = false),
            ("quantity", |quote| quote.revision.items[0].quantity = 9.into()),
            ("characteristic", |quote| quote.revision.items[0].characteristics.clear()),
            ("adjustment", |quote| quote.revision.items[0].adjustment = None),
            ("amount", |quote| quote.revision.items[0].amount = Some(eur(476))),
        ];
        for (what, change) in changes {
            let mut changed = submitted();
            change(&mut changed);
            assert_ne!(content_hash(&changed).unwrap(), agreed, "{what}");
        }
    }

    #[test]
    fn what_nobody_agreed_to_does_not_change_the_hash() {
        let agreed = content_hash(&submitted()).unwrap();
        let mut later = submitted();
        later.version = Version::new(17);
        later.revision.state = RevisionState::Accepted;
        later.revision.valid_until = Some(DateTime::UNIX_EPOCH);
        later.updated_at = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        assert_eq!(content_hash(&later).unwrap(), agreed);
    }

    #[test]
    fn a_price_that_does_not_fit_is_refused() {
        let items = vec![item(1, 2), item(2, 3)];
        let fits = [line(&items[0], 475), line(&items[1], 713)];
        let refused = |lines: &[PricedItem], totals: PriceTotals| {
            priced(items.clone(), lines, &totals, "EUR".parse().unwrap()).is_err()
        };
        assert!(!refused(&fits, totals(1188)));
        assert!(refused(&fits[..1], totals(475)), "a line without a charge");
        assert!(refused(&fits, totals(1187)), "a total that is not the sum");
        let mut other = fits.clone();
        other[0].quantity = 3.into();
        assert!(refused(&other, totals(1188)), "another quantity");
        other = fits.clone();
        other[0].offering_id = Uuid::nil().into();
        assert!(refused(&other, totals(1188)), "another offering");
        other = fits.clone();
        other[0].item_id = "nobody".into();
        assert!(refused(&other, totals(1188)), "another line");
        other = fits.clone();
        other[0].amount = Money::new("4.75".parse().unwrap(), "USD".parse().unwrap()).unwrap();
        assert!(refused(&other, totals(1188)), "another currency");
    }

    proptest! {
        #[test]
        fn the_acceptance_sums_to_the_sealed_total(minors in prop::collection::vec(0i64..1_000_000, 1..30)) {
            let items: Vec<Item> = (1u32..).zip(&minors).map(|(number, _)| item(number, 1)).collect();
            let lines: Vec<PricedItem> = items.iter().zip(&minors).map(|(item, minor)| line(item, *minor)).collect();
            let total = totals(minors.iter().sum());
            let mut quote = submitted();
            quote.revision.items = priced(items, &lines, &total, quote.currency).unwrap();
            quote.revision.price.as_mut().unwrap().totals = quote_totals(&total);
            quote.revision.content_hash = Some(content_hash(&quote).unwrap());
            let acceptance = acceptance(&quote, "buyer", DateTime::UNIX_EPOCH).unwrap();
            let sum = Money::sum(acceptance.items.iter().map(|item| item.amount), quote.currency).unwrap();
            prop_assert_eq!(sum, acceptance.total);
        }
    }
}
