//! Each rule by an example that is refused and one that is not, and the whole by properties over invented histories.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A payload with one of everything.
fn schema() -> Value {
    json!({
        "$id": "https://quoin.dev/schemas/Thing/1", "type": "object", "additionalProperties": false,
        "required": ["id", "state", "items", "note"],
        "properties": {
            "id": { "$ref": "#/$defs/Id" },
            "state": { "type": "string", "enum": ["open", "closed"] },
            "items": { "type": "array", "items": { "$ref": "#/$defs/Item" } },
            "note": { "type": ["string", "null"], "description": "What was said." },
            "reason": { "type": "string" },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "who": { "oneOf": [{ "$ref": "#/$defs/Id" }, { "type": "integer" }] },
        },
        "$defs": {
            "Id": { "type": "string", "format": "uuid" },
            "Money": {
                "type": "object", "additionalProperties": false, "x-final": true, "required": ["amount"],
                "properties": { "amount": { "type": "string", "pattern": "^[0-9]+$" } },
            },
            "Item": {
                "type": "object", "additionalProperties": false, "required": ["price"],
                "properties": { "price": { "$ref": "#/$defs/Money" }, "parts": { "type": "array", "items": { "$ref": "#/$defs/Item" } } },
            },
        },
    })
}

/// The schema with the value at `pointer` replaced, or taken away by null.
fn with(pointer: &str, value: Value) -> Value {
    let mut schema = schema();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = schema.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
    schema
}

fn found(old: &Value, new: &Value) -> Vec<String> {
    incompatibilities(old, new).iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_schema_is_compatible_with_itself() {
    assert_eq!(found(&schema(), &schema()), Vec::<String>::new());
}

#[test]
fn an_added_optional_field_and_other_words_about_a_field_break_nobody() {
    for new in [
        with("/properties/added", json!({ "type": "integer" })),
        with("/$defs/Item/properties/added", json!({ "$ref": "#/$defs/Money" })),
        with("/properties/note/description", json!("Other words.")),
        with("/$id", json!("https://quoin.dev/schemas/Other/1")),
        with("/additionalProperties", json!(true)),
        with("/required", json!(["note", "items", "state", "id"])),
        with("/properties/note/type", json!(["null", "string"])),
        with("/properties/who/oneOf", json!([{ "type": "integer" }, { "$ref": "#/$defs/Id" }])),
        // The same by value instead of by reference.
        with("/properties/id", json!({ "type": "string", "format": "uuid" })),
    ] {
        assert_eq!(found(&schema(), &new), Vec::<String>::new());
    }
}

#[test]
fn every_other_change_is_refused_with_its_place_and_whom_it_breaks() {
    for (pointer, value, expected) in [
        ("/properties/id", json!(null), "/id: is gone: old readers require it"),
        ("/properties/reason", json!(null), "/reason: is gone: its name would be free for another meaning"),
        ("/required", json!(["id", "state", "items"]), "/note: may be missing now: old readers require it"),
        (
            "/required",
            json!(["id", "state", "items", "note", "reason"]),
            "/reason: is required now: old events may not have it",
        ),
        ("/properties/note/type", json!("string"), r#"/note: the type "null" is gone: new readers cannot read old"#),
        (
            "/properties/reason/type",
            json!(["string", "null"]),
            r#"/reason: the type "null" is new: old readers cannot read new"#,
        ),
        ("/properties/reason/type", json!("integer"), r#"/reason: the type "string" is gone"#),
        ("/properties/reason/type", json!(null), "/reason: the types are listed on one side only"),
        ("/properties/state/enum", json!(["open"]), r#"/state: the value "closed" is gone"#),
        ("/properties/state/enum", json!(["open", "closed", "lost"]), r#"/state: the value "lost" is new"#),
        ("/properties/state/enum", json!(null), "/state: the values are listed on one side only"),
        ("/properties/reason/enum", json!(["x"]), "/reason: the values are listed on one side only"),
        ("/$defs/Id/format", json!(null), r#"/id: format was "uuid" and is nothing"#),
        ("/properties/reason/maxLength", json!(9), "/reason: maxLength was nothing and is 9"),
        ("/properties/reason/unheardOf", json!(9), "/reason: unheardOf was nothing and is 9"),
        ("/$defs/Money/properties/amount/pattern", json!("^[0-9]$"), "/items/[]/price/amount: pattern was"),
        ("/$defs/Money/properties/tax", json!({}), "/items/[]/price/tax: is new in an object that is final"),
        ("/$defs/Money/x-final", json!(null), "/items/[]/price: is no longer final"),
        ("/properties/items/items", json!(null), "/items: its items are described on one side only"),
        ("/properties/labels/additionalProperties", json!({ "type": "integer" }), "/labels/{}: the type"),
        ("/properties/labels/additionalProperties", json!(false), "/labels: takes any name on one side only"),
        ("/properties/who/oneOf", json!([{ "type": "integer" }]), "/who: an alternative is gone or differs"),
        (
            "/properties/who/oneOf",
            json!([{ "$ref": "#/$defs/Id" }, { "type": "integer" }, { "type": "boolean" }]),
            "/who: an alternative is new or differs",
        ),
        ("/properties/reason", json!(true), "/reason: is another schema"),
    ] {
        let found = found(&schema(), &with(pointer, value.clone()));
        assert!(found.iter().any(|it| it.starts_with(expected)), "{pointer} = {value}: {found:?}");
    }
    let mut required = with("/properties/added", json!({ "type": "string" }));
    required["required"] = json!(["id", "state", "items", "note", "added"]);
    assert_eq!(found(&schema(), &required), ["/added: is new and required: old events do not have it"]);
}

/// The shape of a field: a few words of each kind the payloads use.
fn shape() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "string" })),
        Just(json!({ "type": ["string", "null"] })),
        Just(json!({ "type": "integer", "minimum": 0 })),
        prop::sample::subsequence(vec!["a", "b", "c"], 1..=3)
            .prop_map(|words| json!({ "type": "string", "enum": words })),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            inner.clone().prop_map(|values| json!({ "type": "object", "additionalProperties": values })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|choices| json!({ "oneOf": choices })),
            object(inner),
        ]
    })
}

/// An object of up to four fields, some of which must be there; final now and then.
fn object(field: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (prop::collection::btree_map("[a-d]", (field, any::<bool>()), 0..4), prop::bool::weighted(0.2)).prop_map(
        |(fields, is_final)| {
            let required: Vec<&String> =
                fields.iter().filter(|(_, (_, required))| *required).map(|(name, _)| name).collect();
            let properties: Map<String, Value> =
                fields.iter().map(|(name, (schema, _))| (name.clone(), schema.clone())).collect();
            let mut object = json!({ "type": "object", "properties": properties, "required": required });
            if is_final {
                object[FINAL] = json!(true);
            }
            object
        },
    )
}

/// The same object with one more optional field somewhere, wherever there is one that may grow.
fn grown(mut schema: Value, name: &str, field: &Value) -> Value {
    if schema[FINAL] != true
        && let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
    {
        for inner in properties.values_mut() {
            *inner = grown(inner.take(), name, field);
        }
        properties.insert(name.to_owned(), field.clone());
    }
    schema
}

/// How many ways of editing there are.
const EDITS: usize = 6;

/// The same object after one of the things people do to a struct.
fn edited(mut schema: Value, edit: usize, field: &Value) -> Value {
    match edit {
        0 => return grown(schema, "x", field),
        1 => schema["properties"]["x"] = field.clone(),
        2 => schema["properties"] = json!({}),
        3 => schema["required"] = json!([]),
        4 => schema[FINAL] = json!(true),
        _ => schema[FINAL] = json!(false),
    }
    schema
}

proptest! {
    #[test]
    fn every_schema_is_compatible_with_itself(schema in shape()) {
        prop_assert_eq!(incompatibilities(&schema, &schema), vec![]);
    }

    #[test]
    fn growing_by_optional_fields_is_compatible_however_often(
        start in object(shape()), first in shape(), second in shape()
    ) {
        let once = grown(start.clone(), "x", &first);
        let twice = grown(once.clone(), "y", &second);
        for (old, new) in [(&start, &once), (&once, &twice), (&start, &twice)] {
            prop_assert_eq!(incompatibilities(old, new), vec![]);
        }
    }

    #[test]
    fn what_fits_each_step_fits_the_whole_history(
        start in object(shape()), fields in prop::collection::vec((0..EDITS, shape()), 2)
    ) {
        let once = edited(start.clone(), fields[0].0, &fields[0].1);
        let twice = edited(once.clone(), fields[1].0, &fields[1].1);
        if incompatibilities(&start, &once).is_empty() && incompatibilities(&once, &twice).is_empty() {
            prop_assert_eq!(incompatibilities(&start, &twice), vec![]);
        }
    }

    #[test]
    fn who_grew_cannot_go_back(start in object(shape()), field in shape()) {
        prop_assume!(start[FINAL] != true);
        let bigger = grown(start.clone(), "x", &field);
        prop_assert!(!incompatibilities(&bigger, &start).is_empty());
    }

    #[test]
    fn no_pair_of_documents_is_a_panic(old in shape(), new in shape()) {
        let _ = incompatibilities(&old, &new);
        let _ = incompatibilities(&json!({ "$ref": "#" }), &new);
        let _ = incompatibilities(&json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/B" }, "B": { "$ref": "#/$defs/A" } } }), &new);
    }
}
