//! Payloads as somebody broken or hostile could write them, made from real ones.

use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

/// Deeper than any reader goes.
const TOO_DEEP: usize = 200;
/// Brackets that nobody closes.
const BRACKETS: usize = 100_000;

/// What is done to one place of a payload.
#[derive(Debug, Clone)]
enum Harm {
    Replace(Value),
    DropOne(Index),
    AddUnknown(Value),
    FlipByte(Index, u8),
    CutOff(Index),
    Insert(Index, Vec<u8>),
}

/// Real payloads, harmed in one to four places.
pub fn mutated(payload: Value) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((any::<Index>(), harm()), 1..=4).prop_map(move |harms| {
        let mut value = payload.clone();
        for (place, harm) in &harms {
            let mut left = place.index(nodes(&value));
            on_node(&mut value, &mut left, &mut |node| harm_node(node, harm));
        }
        let mut bytes = value.to_string().into_bytes();
        for (_, harm) in &harms {
            harm_bytes(&mut bytes, harm);
        }
        bytes
    })
}

fn harm() -> impl Strategy<Value = Harm> {
    let raw = prop_oneof![
        any::<Vec<u8>>(),
        Just(b"\0".to_vec()),
        Just(vec![b'['; BRACKETS]),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"1e999".to_vec()),
    ];
    prop_oneof![
        4 => odd().prop_map(Harm::Replace),
        3 => any::<Index>().prop_map(Harm::DropOne),
        1 => odd().prop_map(Harm::AddUnknown),
        2 => (any::<Index>(), 1..=255_u8).prop_map(|(at, mask)| Harm::FlipByte(at, mask)),
        1 => any::<Index>().prop_map(Harm::CutOff),
        1 => (any::<Index>(), raw).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ]
}

/// A value that nobody expects.
fn odd() -> impl Strategy<Value = Value> {
    let deep = (0..TOO_DEEP).fold(json!({}), |inner, _| json!([inner]));
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(u64::MAX)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        Just(json!("acme\0other")),
        Just(json!("9".repeat(400))),
        Just(json!("x".repeat(200_000))),
        Just(json!("other-tenant")),
        Just(json!([])),
        Just(json!({})),
        Just(deep),
    ]
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(members) => members.values().map(nodes).sum::<usize>(),
        _ => 0,
    }
}

/// Does it to the node `left` steps away, in the order of reading.
fn on_node(value: &mut Value, left: &mut usize, action: &mut dyn FnMut(&mut Value)) -> bool {
    if *left == 0 {
        action(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| on_node(item, left, action)),
        Value::Object(members) => members.values_mut().any(|member| on_node(member, left, action)),
        _ => false,
    }
}

fn harm_node(node: &mut Value, harm: &Harm) {
    match (harm, node) {
        (Harm::Replace(odd), node) => node.clone_from(odd),
        (Harm::DropOne(which), Value::Object(members)) if !members.is_empty() => {
            let name = members.keys().nth(which.index(members.len())).cloned();
            if let Some(name) = name {
                members.remove(&name);
            }
        }
        (Harm::DropOne(which), Value::Array(items)) if !items.is_empty() => {
            drop(items.remove(which.index(items.len())));
        }
        (Harm::AddUnknown(odd), Value::Object(members)) => drop(members.insert("unknown".to_owned(), odd.clone())),
        _ => {}
    }
}

fn harm_bytes(bytes: &mut Vec<u8>, harm: &Harm) {
    match harm {
        Harm::FlipByte(at, mask) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        Harm::CutOff(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Harm::Insert(at, more) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, more.iter().copied());
        }
        _ => {}
    }
}

/// The payload with a field nobody knows in each of its objects that may grow.
pub fn with_unknown_fields(payload: &Value, schema: &Value) -> Value {
    grown(payload, schema, schema)
}

fn grown(value: &Value, schema: &Value, root: &Value) -> Value {
    let target = schema["$ref"].as_str().and_then(|at| root.pointer(at.trim_start_matches('#')));
    let schema = target.unwrap_or(schema);
    match value {
        Value::Array(items) => items.iter().map(|item| grown(item, &schema["items"], root)).collect(),
        Value::Object(members) => {
            let inner = |(name, member): (&String, &Value)| {
                (name.clone(), grown(member, &schema["properties"][name.as_str()], root))
            };
            let mut members: Map<String, Value> = members.iter().map(inner).collect();
            if schema["x-final"] != true {
                members.insert("addedNextYear".to_owned(), json!({ "by": ["somebody", null, 1] }));
            }
            Value::Object(members)
        }
        other => other.clone(),
    }
}
