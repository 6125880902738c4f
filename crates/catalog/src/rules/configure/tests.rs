//! Legal configurations are accepted, each single mutation is refused at its pointer, and identity is what it says.

use cache_ports::catalog::{Characteristic, LifecycleStatus, OfferingKind};
use kernel::Version;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;

fn id(number: u128) -> OfferingId {
    Uuid::from_u128(number).into()
}

fn document(number: u128, characteristics: Value, components: &[(u128, u32, u32, u32)]) -> OfferingDocument {
    let component = |&(number, min, max, default): &(u128, u32, u32, u32)| BundleComponent {
        offering_id: id(number),
        name: format!("component {number}"),
        min,
        max,
        default,
    };
    OfferingDocument {
        publication_id: Uuid::nil().into(),
        id: id(number),
        external_id: None,
        name: format!("offering {number}"),
        description: None,
        category: None,
        kind: if components.is_empty() { OfferingKind::Simple } else { OfferingKind::Bundle },
        stocked: false,
        lifecycle_status: LifecycleStatus::Active,
        specification_id: None,
        characteristics: serde_json::from_value::<Vec<Characteristic>>(characteristics).unwrap(),
        components: components.iter().map(component).collect(),
        prices: Vec::new(),
        version: Version::FIRST,
    }
}

/// A bundle (1) of a router (2: colour, ports, weight, rack, tags) and an optional line (3), and a kit (4) of two routers.
fn documents() -> Documents {
    let router = json!([
        {"name": "colour", "valueType": "string", "minCardinality": 1, "allowedValues": ["red", "blue"]},
        {"name": "ports", "valueType": "integer", "minCardinality": 1, "minimum": "1", "maximum": "48", "defaultValues": [8]},
        {"name": "weight", "valueType": "decimal", "minimum": "0.5", "maximum": "9.5"},
        {"name": "rack", "valueType": "boolean"},
        {"name": "serial/no", "valueType": "string", "regex": "[A-Z]{2}[0-9]{3}"},
        {"name": "tags", "valueType": "string", "minCardinality": 1, "maxCardinality": 3, "defaultValues": ["new"]},
        {"name": "norm", "valueType": "string", "configurable": false, "minCardinality": 1, "defaultValues": ["IEEE"]},
    ]);
    [
        document(1, json!([]), &[(2, 1, 4, 1), (3, 0, 2, 0)]),
        document(2, router, &[]),
        document(3, json!([]), &[]),
        document(4, json!([]), &[(3, 1, 9, 2), (1, 0, 1, 0)]),
    ]
    .into_iter()
    .map(|document| (document.id, Some(Arc::new(document))))
    .collect()
}

fn node(number: u128, quantity: u32, characteristics: Value, components: Vec<Configuration>) -> Configuration {
    let Value::Object(characteristics) = characteristics else { panic!("an object") };
    Configuration {
        offering_id: id(number),
        quantity: quantity.into(),
        characteristics: characteristics.into_iter().collect(),
        components,
    }
}

fn refusals(configuration: &Configuration) -> Vec<(String, &'static str)> {
    let findings = validate(configuration, &documents()).unwrap_err();
    findings.into_iter().map(|finding| (finding.pointer, finding.code)).collect()
}

prop_compose! {
    fn legal_router()(
        colour in prop::sample::select(vec!["red", "blue"]),
        ports in prop::option::of(1..=48i64),
        weight in prop::option::of(50..=950i64),
        rack in prop::option::of(any::<bool>()),
        serial in prop::option::of("[A-Z]{2}[0-9]{3}"),
        tags in prop::option::of(prop::collection::btree_set("[a-z]{1,8}", 1..=3)),
        norm in any::<bool>(),
        quantity in 1..=4u32,
    ) -> Configuration {
        let mut chosen = json!({"colour": colour});
        if let Some(ports) = ports { chosen["ports"] = ports.into(); }
        if let Some(weight) = weight { chosen["weight"] = Decimal::new(weight, 2).to_string().into(); }
        if let Some(rack) = rack { chosen["rack"] = rack.into(); }
        if let Some(serial) = serial { chosen["serial/no"] = serial.into(); }
        if let Some(tags) = tags { chosen["tags"] = tags.into_iter().collect::<Vec<_>>().into(); }
        if norm { chosen["norm"] = "IEEE".into(); }
        node(2, quantity, chosen, Vec::new())
    }
}

prop_compose! {
    fn legal_bundle()(router in legal_router(), lines in 0..=2u32, quantity in 1..1_000u32) -> Configuration {
        let line = (lines > 0).then(|| node(3, lines, json!({}), Vec::new()));
        node(1, quantity, json!({}), std::iter::once(router).chain(line).collect())
    }
}

/// One facet broken, with the pointer and the code that must come back.
fn mutations() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    vec![
        ("colour", json!("green"), "/components/0/characteristics/colour", "not-allowed"),
        ("colour", json!(["red", "blue"]), "/components/0/characteristics/colour", "cardinality"),
        ("colour", json!([]), "/components/0/characteristics/colour", "cardinality"),
        ("ports", json!(0), "/components/0/characteristics/ports", "minimum"),
        ("ports", json!(49), "/components/0/characteristics/ports", "maximum"),
        ("ports", json!("8"), "/components/0/characteristics/ports", "type"),
        ("ports", json!(8.5), "/components/0/characteristics/ports", "type"),
        ("weight", json!("0.49"), "/components/0/characteristics/weight", "minimum"),
        ("weight", json!("9.51"), "/components/0/characteristics/weight", "maximum"),
        ("weight", json!(2), "/components/0/characteristics/weight", "type"),
        ("rack", json!("true"), "/components/0/characteristics/rack", "type"),
        ("serial/no", json!("ab123"), "/components/0/characteristics/serial~1no", "pattern"),
        ("serial/no", json!("xAB123"), "/components/0/characteristics/serial~1no", "pattern"),
        ("tags", json!(["a", "b", "c", "d"]), "/components/0/characteristics/tags", "cardinality"),
        ("tags", json!(["a", "a"]), "/components/0/characteristics/tags/1", "duplicate"),
        ("tags", json!(["a", 7]), "/components/0/characteristics/tags/1", "type"),
        ("norm", json!("DIN"), "/components/0/characteristics/norm", "not-configurable"),
        ("voltage", json!(230), "/components/0/characteristics/voltage", "unknown-characteristic"),
    ]
}

proptest! {
    #[test]
    fn legal_configurations_are_accepted(bundle in legal_bundle()) {
        prop_assert!(validate(&bundle, &documents()).is_ok());
    }

    #[test]
    fn each_single_mutation_is_refused_at_its_pointer(bundle in legal_bundle(), mutation in prop::sample::select(mutations())) {
        let (name, value, pointer, code) = mutation;
        let mut broken = bundle;
        broken.components[0].characteristics.insert(name.to_owned(), value);
        prop_assert_eq!(refusals(&broken), vec![(pointer.to_owned(), code)]);
    }

    #[test]
    fn the_hash_ignores_order_and_spelled_out_defaults(bundle in legal_bundle()) {
        let mut same = bundle.clone();
        same.components.reverse();
        for component in same.components.iter_mut().filter(|component| component.offering_id == id(2)) {
            component.characteristics.entry("ports".to_owned()).or_insert(json!(8));
            component.characteristics.entry("tags".to_owned()).or_insert(json!("new"));
            component.characteristics.insert("norm".to_owned(), json!(["IEEE"]));
        }
        let publication = Uuid::from_u128(77).into();
        let hash = |one: &Configuration| validate(one, &documents()).unwrap().hash(publication).unwrap();
        prop_assert_eq!(hash(&bundle), hash(&same));
    }

    #[test]
    fn the_hash_sees_every_choice(bundle in legal_bundle()) {
        let publication = PublicationId::from(Uuid::from_u128(77));
        let hash = |one: &Configuration| validate(one, &documents()).unwrap().hash(publication).unwrap();
        let mut other = bundle.clone();
        let colour = other.components[0].characteristics.get_mut("colour").unwrap();
        *colour = if *colour == json!("red") { json!("blue") } else { json!("red") };
        prop_assert_ne!(hash(&bundle), hash(&other));
        let mut more = bundle.clone();
        more.quantity = Quantity::try_from(more.quantity.get() + Decimal::ONE).unwrap();
        prop_assert_ne!(hash(&bundle), hash(&more));
        let elsewhere = validate(&bundle, &documents()).unwrap().hash(Uuid::from_u128(78).into()).unwrap();
        prop_assert_ne!(hash(&bundle), elsewhere);
    }
}

#[test]
fn component_counts_are_summed_over_the_whole_bundle() {
    let red = || node(2, 2, json!({"colour": "red"}), Vec::new());
    let blue = |quantity| node(2, quantity, json!({"colour": "blue"}), Vec::new());
    assert!(validate(&node(1, 1, json!({}), vec![red(), blue(2)]), &documents()).is_ok());
    let too_many = node(1, 1, json!({}), vec![red(), blue(3)]);
    assert_eq!(refusals(&too_many), [("/components/1/quantity".to_owned(), "cardinality")]);
}

#[test]
fn two_equal_components_are_one_of_twice_the_quantity() {
    let red = |quantity| node(2, quantity, json!({"colour": "red"}), Vec::new());
    let split = validate(&node(1, 1, json!({}), vec![red(1), red(2)]), &documents()).unwrap();
    let whole = validate(&node(1, 1, json!({}), vec![red(3)]), &documents()).unwrap();
    assert_eq!(split, whole);
}

#[test]
fn a_component_left_out_takes_its_default_and_what_it_lacks_is_named() {
    // The router has no default colour, so leaving it out cannot be legal; the kit's lines need nothing.
    let bare = node(1, 1, json!({}), Vec::new());
    assert_eq!(refusals(&bare), [("/components".to_owned(), "required")]);
    let kit = validate(&node(4, 1, json!({}), Vec::new()), &documents()).unwrap();
    let spelled_out = node(4, 1, json!({}), vec![node(3, 2, json!({}), Vec::new())]);
    assert_eq!(kit, validate(&spelled_out, &documents()).unwrap());
}

#[test]
fn wrong_components_and_quantities_are_refused_where_they_stand() {
    let foreign = node(
        1,
        1,
        json!({}),
        vec![node(2, 1, json!({"colour": "red"}), Vec::new()), node(4, 1, json!({}), Vec::new())],
    );
    assert_eq!(refusals(&foreign), [("/components/1/offeringId".to_owned(), "unknown-component")]);
    assert_eq!(refusals(&node(9, 1, json!({}), Vec::new())), [("/offeringId".to_owned(), "unknown-offering")]);
    assert_eq!(refusals(&node(3, 0, json!({}), Vec::new())), [("/quantity".to_owned(), "minimum")]);
    let mut half = node(4, 1, json!({}), vec![node(3, 1, json!({}), Vec::new())]);
    half.components[0].quantity = "1.5".parse().unwrap();
    assert_eq!(refusals(&half), [("/components/0/quantity".to_owned(), "whole-number")]);
}

#[test]
fn documents_are_asked_for_until_nothing_is_missing() {
    let all = documents();
    let wanted =
        node(4, 1, json!({}), vec![node(1, 1, json!({}), vec![node(2, 1, json!({"colour": "red"}), Vec::new())])]);
    let mut known = Documents::new();
    let mut rounds = Vec::new();
    loop {
        let needed = still_needed(&wanted, &known);
        if needed.is_empty() {
            break;
        }
        rounds.push(needed.iter().copied().collect::<Vec<_>>());
        known.extend(needed.into_iter().map(|offering| (offering, all[&offering].clone())));
    }
    assert_eq!(rounds, [vec![id(4)], vec![id(1), id(3)], vec![id(2)]]);
    assert_eq!(validate(&wanted, &known), validate(&wanted, &all));
}
