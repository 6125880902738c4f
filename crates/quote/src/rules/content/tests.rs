//! What binds somebody is hashed, and nothing else; what does not add up is refused.

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
    let mutations: [Change; 16] = [
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
    for (what, change) in mutations {
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
