//! Each way a working copy can be wrong is refused at its place; a sound one freezes the same way every time.

use cache_ports::catalog::OfferingPriceType;
use chrono::DateTime;
use kernel::Version;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::model::{OfferingDraft, PriceDraft};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

macro_rules! aggregate {
    ($noun:ident, $number:expr, $draft:expr) => {
        $noun {
            id: id($number).into(),
            draft: $draft,
            version: Version::FIRST,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    };
}

fn offering(number: u128, components: &[(u128, u32, u32, u32)]) -> Candidate {
    let component = |&(number, min, max, default): &(u128, u32, u32, u32)| json!({"offeringId": id(number), "min": min, "max": max, "default": default});
    let draft: OfferingDraft = serde_json::from_value(json!({
        "name": format!("offering {number}"),
        "kind": if components.is_empty() { "simple" } else { "bundle" },
        "stocked": true,
        "lifecycleStatus": "active",
        "components": components.iter().map(component).collect::<Vec<_>>(),
    }))
    .unwrap();
    Candidate { offering: aggregate!(Offering, number, draft), specification: None, prices: Vec::new() }
}

fn price(number: u128, offering: u128, amount: Value) -> Price {
    let draft: PriceDraft = serde_json::from_value(json!({
        "offeringId": id(offering), "priceType": "oneTime", "amount": amount, "lifecycleStatus": "active",
    }))
    .unwrap();
    aggregate!(Price, number, draft)
}

fn refusals(candidates: Vec<Candidate>) -> Vec<(String, &'static str)> {
    match freeze(candidates, id(99).into()) {
        Err(FreezeError::Refused(findings)) => {
            findings.into_iter().map(|finding| (finding.pointer, finding.code)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn at(number: u128, rest: &str) -> String {
    format!("/offerings/{}{rest}", id(number))
}

#[test]
fn a_sound_catalog_freezes_with_names_of_components_and_whole_prices() {
    let mut leaf = offering(2, &[]);
    leaf.prices = vec![price(7, 2, json!({"amount": "9.9", "currency": "EUR"}))];
    let frozen = freeze(vec![leaf, offering(1, &[(2, 1, 3, 2)])], id(99).into()).unwrap();
    assert_eq!(frozen.offerings.len(), 2);
    assert_eq!(frozen.offerings[0].document.components[0].name, "offering 2");
    let price = &frozen.offerings[1].document.prices[0];
    assert_eq!((price.price_type, price.amount.to_string()), (OfferingPriceType::OneTime, "9.90 EUR".to_owned()));
}

#[test]
fn an_empty_catalog_is_refused() {
    assert_eq!(refusals(Vec::new()), [("/offerings".to_owned(), "empty")]);
}

#[test]
fn each_broken_bundle_is_refused_at_its_place() {
    for (components, rest, code) in [
        (vec![(3, 0, 1, 0)], "/components/0/offeringId", "missing-component"),
        (vec![(2, 0, 1, 0), (2, 0, 1, 0)], "/components/1/offeringId", "duplicate-component"),
        (vec![(2, 2, 1, 1)], "/components/0/max", "bad-cardinality"),
        (vec![(2, 0, 0, 0)], "/components/0/max", "bad-cardinality"),
        (vec![(2, 1, 2, 0)], "/components/0/default", "bad-cardinality"),
        (vec![(2, 0, 2, 3)], "/components/0/default", "bad-cardinality"),
        (vec![(1, 0, 1, 0)], "/components/0/offeringId", "bundle-cycle"),
    ] {
        assert_eq!(refusals(vec![offering(1, &components), offering(2, &[])]), [(at(1, rest), code)]);
    }
    let mut hollow = offering(1, &[]);
    hollow.offering.draft.kind = OfferingKind::Bundle;
    assert_eq!(refusals(vec![hollow]), [(at(1, "/components"), "empty-bundle")]);
    let mut simple = offering(1, &[(2, 0, 1, 0)]);
    simple.offering.draft.kind = OfferingKind::Simple;
    assert_eq!(refusals(vec![simple, offering(2, &[])]), [(at(1, "/components"), "not-a-bundle")]);
}

#[test]
fn a_cycle_is_reported_once_with_its_path() {
    let candidates = vec![offering(1, &[(2, 0, 1, 0)]), offering(2, &[(3, 0, 1, 0)]), offering(3, &[(1, 0, 1, 0)])];
    assert_eq!(refusals(candidates), [(at(3, "/components/0/offeringId"), "bundle-cycle")]);
}

#[test]
fn a_diamond_is_no_cycle() {
    let top = offering(1, &[(2, 0, 1, 0), (3, 0, 1, 0)]);
    let sides = [offering(2, &[(4, 0, 1, 0)]), offering(3, &[(4, 0, 1, 0)]), offering(4, &[])];
    assert!(freeze(std::iter::once(top).chain(sides).collect(), id(99).into()).is_ok());
}

#[test]
fn nesting_is_bounded_and_a_very_long_chain_does_no_harm() {
    let chain = |length: u128| -> Vec<Candidate> {
        let mut chain: Vec<_> = (1..=length).map(|number| offering(number, &[(number + 1, 0, 1, 0)])).collect();
        chain.push(offering(length + 1, &[]));
        chain
    };
    assert!(freeze(chain(MAX_DEPTH as u128), id(99).into()).is_ok());
    assert_eq!(refusals(chain(MAX_DEPTH as u128 + 1)), [(at(1, "/components"), "too-deep")]);
    assert_eq!(refusals(chain(20_000)).len(), 1);
}

#[test]
fn each_broken_price_is_refused_at_its_place() {
    for (amount, rest, code) in [
        (json!(null), "/prices/{}/amount", "missing-price-amount"),
        (json!({"amount": "1.00"}), "/prices/{}/amount", "missing-price-currency"),
        (json!({"amount": "1.005", "currency": "EUR"}), "/prices/{}/amount", "price-too-precise"),
    ] {
        let mut priced = offering(1, &[]);
        priced.prices = vec![price(7, 1, amount)];
        assert_eq!(refusals(vec![priced]), [(at(1, &rest.replace("{}", &id(7).to_string())), code)]);
    }
    let mut twice = offering(1, &[]);
    let euro = || json!({"amount": "1.00", "currency": "EUR"});
    twice.prices = vec![price(7, 1, euro()), price(8, 1, euro())];
    assert_eq!(refusals(vec![twice]), [(at(1, &format!("/prices/{}", id(8))), "duplicate-price")]);
}

#[test]
fn a_specification_must_exist_and_be_active() {
    let mut lost = offering(1, &[]);
    lost.offering.draft.specification_id = Some(id(5).into());
    assert_eq!(refusals(vec![lost.clone()]), [(at(1, "/specificationId"), "missing-specification")]);
    lost.specification = Some((LifecycleStatus::InTest, Vec::new()));
    assert_eq!(refusals(vec![lost.clone()]), [(at(1, "/specificationId"), "specification-not-active")]);
    lost.specification = Some((LifecycleStatus::Launched, Vec::new()));
    assert!(freeze(vec![lost], id(99).into()).is_ok());
}

proptest! {
    #[test]
    fn the_hash_ignores_order_and_publication_and_sees_every_name(count in 1..20u128, changed in 0..20u128) {
        let candidates: Vec<_> = (1..=count).map(|number| offering(number, &[])).collect();
        let mut shuffled = candidates.clone();
        shuffled.reverse();
        let one = freeze(candidates.clone(), id(98).into()).unwrap();
        let two = freeze(shuffled, id(99).into()).unwrap();
        prop_assert_eq!(one.content_hash, two.content_hash);
        let mut renamed = candidates;
        let victim = usize::try_from(changed % count).unwrap();
        renamed[victim].offering.draft.name.push('!');
        prop_assert_ne!(freeze(renamed, id(98).into()).unwrap().content_hash, one.content_hash);
    }
}
