//! Importing says what changes, once; saying it again changes nothing.

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NAMESPACE: Uuid = Uuid::from_u128(5);

fn item(json: Value) -> ImportItem {
    serde_json::from_value(json).unwrap()
}

fn simple(external_id: &str, prices: &Value) -> ImportItem {
    item(json!({"externalId": external_id, "name": external_id, "kind": "simple", "stocked": true, "prices": prices}))
}

fn euro(amount: &str) -> Value {
    json!({"priceType": "oneTime", "amount": {"amount": amount, "currency": "EUR"}})
}

macro_rules! written {
    ($noun:ident, $change:expr) => {{
        let Change { id, draft, version, .. } = $change;
        $noun { id, draft, version, created_at: DateTime::UNIX_EPOCH, updated_at: DateTime::UNIX_EPOCH }
    }};
}

/// What the store holds after the plan.
fn apply(mut existing: Existing, plan: Plan) -> Existing {
    for change in plan.specifications {
        existing.specifications.insert(change.draft.external_id.clone().unwrap(), written!(Specification, change));
    }
    for change in plan.offerings {
        existing.offerings.insert(change.draft.external_id.clone().unwrap(), written!(Offering, change));
    }
    for change in plan.prices {
        let prices = existing.prices.entry(change.draft.offering_id).or_default();
        prices.retain(|price| price.id != change.id);
        prices.push(written!(Price, change));
    }
    existing
}

fn import(existing: Existing, items: &[ImportItem]) -> (Existing, Vec<Outcome>) {
    assert_eq!(check(items), []);
    let plan = plan(items, &existing, NAMESPACE).unwrap();
    let outcomes = plan.items.iter().map(|item| item.outcome).collect();
    (apply(existing, plan), outcomes)
}

prop_compose! {
    fn any_item(external_ids: &'static [&'static str])(
        external_id in prop::sample::select(external_ids),
        name in "[a-z]{1,9}",
        stocked in any::<bool>(),
        configurable in prop::option::of(any::<bool>()),
        amounts in prop::option::of(prop::collection::btree_map("EUR|USD|GBP", 1..9_999u32, 0..3)),
        bundled in any::<bool>(),
    ) -> ImportItem {
        let characteristic = configurable.map(|configurable| json!([{"name": "size", "valueType": "integer", "configurable": configurable, "defaultValues": [1]}]));
        let prices = amounts.map(|amounts| amounts.into_iter().map(|(currency, minor)| {
            json!({"priceType": "oneTime", "amount": {"amount": format!("{}.{:02}", minor / 100, minor % 100), "currency": currency}})
        }).collect::<Vec<_>>());
        let components = bundled.then(|| json!([{"externalId": external_ids[0], "min": 0, "max": 2, "default": 0}]));
        item(json!({
            "externalId": external_id, "name": name, "stocked": stocked, "characteristics": characteristic, "prices": prices,
            "kind": if bundled { "bundle" } else { "simple" }, "components": components,
        }))
    }
}

fn batch() -> impl Strategy<Value = Vec<ImportItem>> {
    prop::collection::vec(any_item(&["a", "b", "c", "d"]), 1..6).prop_map(|mut items| {
        let first = simple("a", &json!([]));
        items.insert(0, first);
        let mut seen = BTreeSet::new();
        items.retain(|item| seen.insert(item.external_id.clone()));
        items
    })
}

proptest! {
    #[test]
    fn saying_the_same_again_changes_nothing(first in batch(), second in batch()) {
        let (existing, _) = import(Existing::default(), &first);
        let (existing, _) = import(existing, &second);
        let again = plan(&second, &existing, NAMESPACE).unwrap();
        prop_assert!(again.items.iter().all(|item| item.outcome == Outcome::Unchanged), "{:?}", again);
        prop_assert!(again.offerings.is_empty() && again.specifications.is_empty() && again.prices.is_empty());
    }

    #[test]
    fn every_version_is_the_next_one(first in batch(), second in batch()) {
        let (existing, _) = import(Existing::default(), &first);
        let plan = plan(&second, &existing, NAMESPACE).unwrap();
        for change in &plan.offerings {
            let before = existing.offerings.get(change.draft.external_id.as_deref().unwrap());
            prop_assert_eq!(change.version, before.map_or(Version::FIRST, |one| one.version.next()));
        }
    }
}

#[test]
fn a_price_left_out_is_retired_and_comes_back_when_listed_again() {
    let (existing, outcomes) = import(Existing::default(), &[simple("a", &json!([euro("1.00")]))]);
    assert_eq!(outcomes, [Outcome::Created]);
    let (existing, outcomes) = import(existing, &[simple("a", &json!([]))]);
    assert_eq!(outcomes, [Outcome::Updated]);
    let status = |existing: &Existing| existing.prices.values().next().unwrap()[0].draft.lifecycle_status;
    assert_eq!(status(&existing), LifecycleStatus::Retired);
    let (existing, _) = import(existing, &[simple("a", &json!([euro("2.00")]))]);
    assert_eq!(status(&existing), LifecycleStatus::Active);
    assert_eq!(existing.prices.values().next().unwrap().len(), 1);
}

#[test]
fn components_may_come_later_in_the_batch_but_not_from_nowhere() {
    let bundle = |component: &str| {
        item(json!({"externalId": "kit", "name": "kit", "kind": "bundle", "stocked": false,
            "components": [{"externalId": component, "min": 0, "max": 1, "default": 0}]}))
    };
    let fine = plan(&[bundle("a"), simple("a", &json!([]))], &Existing::default(), NAMESPACE).unwrap();
    assert_eq!(fine.offerings[0].draft.components[0].offering_id, fine.offerings[1].id);
    let lost = plan(&[bundle("x")], &Existing::default(), NAMESPACE).unwrap_err();
    assert_eq!((lost[0].pointer.as_str(), lost[0].code), ("/items/0/components/0/externalId", "unknown-component"));
}

#[test]
fn each_broken_item_is_refused_at_its_place() {
    let good = || json!({"externalId": "a", "name": "a", "kind": "simple", "stocked": true});
    let broken = |field: &str, value: Value| {
        let mut json = good();
        json[field] = value;
        item(json)
    };
    for (second, pointer, code) in [
        (broken("name", json!("a")), "/items/1/externalId", "duplicate"),
        (broken("name", json!(" ")), "/items/1/name", "length"),
        (broken("externalId", json!("")), "/items/1/externalId", "length"),
        (broken("category", json!("x".repeat(101))), "/items/1/category", "length"),
        (broken("description", json!("a\0b")), "/items/1/description", "character"),
        (
            broken("characteristics", json!([{"name": "x", "valueType": "integer", "regex": "1"}])),
            "/items/1/characteristics/0/regex",
            "facet",
        ),
        (broken("prices", json!([euro("-1")])), "/items/1/prices/0/amount/amount", "range"),
        (broken("prices", json!([euro("1"), euro("2")])), "/items/1/prices/1", "duplicate-price"),
        (
            broken("prices", json!([{"priceType": "recurring", "amount": {"amount": "1", "currency": "EUR"}}])),
            "/items/1/prices/0/period",
            "required",
        ),
        (
            broken("prices", json!([{"priceType": "oneTime", "amount": {"amount": "1", "currency": "QQQ"}}])),
            "/items/1/prices/0/amount/currency",
            "currency",
        ),
    ] {
        let mut second = second;
        if code != "duplicate" && !second.external_id.is_empty() {
            second.external_id = "b".to_owned();
        }
        let findings = check(&[item(good()), second]);
        assert_eq!(findings.iter().map(|one| (one.pointer.as_str(), one.code)).collect::<Vec<_>>(), [(pointer, code)]);
    }
    assert_eq!(check(&[])[0].pointer, "/items");
}
