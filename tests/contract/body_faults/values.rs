//! Values to put in the place of good ones: what broke programs before.

use serde_json::{Value, json};

use crate::chance::Chance;

/// A value to try.
pub enum Bad {
    /// The schema decides whether it is allowed.
    Value(Value),
    /// Never allowed, although a schema cannot say so.
    Refused(Value),
    /// JSON text that no value stands for.
    Raw(String),
}

/// What to try instead of `good`.
pub fn instead_of(good: &Value, chance: &mut Chance) -> Vec<Bad> {
    let mut tried: Vec<Bad> = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1.5),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"a": {}}),
    ]
    .into_iter()
    .filter(|value| !same_type(value, good))
    .map(Bad::Value)
    .collect();
    match good {
        Value::String(text) => tried.extend(instead_of_text(text, chance)),
        Value::Number(_) => tried.extend(instead_of_number()),
        Value::Array(items) => tried.extend(instead_of_list(items)),
        Value::Object(_) => tried.push(Bad::Value(json!({}))),
        Value::Null | Value::Bool(_) => {}
    }
    tried
}

fn same_type(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn instead_of_text(good: &str, chance: &mut Chance) -> Vec<Bad> {
    let mut tried: Vec<Bad> = [
        "",
        " ",
        "\t\r\n",
        "null",
        "x",
        "\u{7}\u{1b}[2J",
        "\u{7f}\u{85}\u{ad}\u{200b}\u{2028}\u{feff}",
        "\u{202e}txet desrever",
        "ﷺ𝕏👩‍👩‍👧‍👦é\u{301}\u{ffff}\u{10ffff}",
        "'; drop table quote.quote; --",
        "%00%s%n{{7*7}}${7*7}",
        "../../etc/passwd",
    ]
    .into_iter()
    .map(|text| Bad::Value(json!(text)))
    .collect();
    // Longer than a row of an index may be, and longer than any field; PostgreSQL stores no zero character.
    tried.extend([256, 3_000, 100_000].map(|letters| Bad::Value(json!(chance.noise(letters)))));
    tried.push(Bad::Value(json!("é".repeat(300))));
    tried.push(Bad::Refused(json!(format!("{good}\u{0}"))));
    tried.push(Bad::Refused(json!("\u{0}")));
    // Half of a surrogate pair is no character.
    tried.extend([r#""\ud800""#, r#""\udc00x""#, r#""\ud83d\u0041""#].map(|text| Bad::Raw(text.to_owned())));
    if good.len() == 36 && good.bytes().filter(|byte| *byte == b'-').count() == 4 {
        tried.extend(instead_of_id(good));
    } else if good.parse::<f64>().is_ok() {
        tried.extend(instead_of_decimal());
    } else if good.ends_with('Z') && good.contains('T') {
        tried.extend(instead_of_time());
    } else if !good.is_empty() {
        tried.extend(
            [good.to_uppercase(), good.to_lowercase(), format!(" {good} ")].map(|text| Bad::Value(json!(text))),
        );
    }
    tried
}

fn instead_of_id(good: &str) -> Vec<Bad> {
    let unknown = ["0190a5b2-aaaa-7bbb-8ccc-000000000001", "00000000-0000-0000-0000-000000000000"];
    let broken = [&good[..35], "0190a5b2-aaaa-7bbb-8ccc-00000000000g", "../0190a5b2-aaaa-7bbb-8ccc-000000000001"];
    let mut tried: Vec<Bad> = unknown.into_iter().chain(broken).map(|text| Bad::Value(json!(text))).collect();
    tried.push(Bad::Value(json!(good.to_uppercase())));
    tried
}

fn instead_of_decimal() -> Vec<Bad> {
    let mut tried: Vec<Bad> = [
        "0",
        "-0",
        "-1",
        "-0.01",
        "+1",
        "1.",
        ".5",
        "01",
        "1e2",
        "1E+400",
        "1e-400",
        "NaN",
        "Infinity",
        "-inf",
        "0x10",
        "1,5",
        "1_000",
        " 1",
        "1 ",
        "١",
        "１",
        "1.0000000000000000000000000000000001",
        "0.0000001",
        "0.005",
        "999999999",
        "999999999.999999",
        "1000000000",
        "79228162514264337593543950335",
        "79228162514264337593543950336",
        "-79228162514264337593543950335",
        "9223372036854775808",
    ]
    .into_iter()
    .map(|text| Bad::Value(json!(text)))
    .collect();
    tried.push(Bad::Value(json!("9".repeat(60))));
    tried.push(Bad::Value(json!(format!("0.{}1", "0".repeat(60)))));
    tried
}

fn instead_of_time() -> Vec<Bad> {
    [
        "2026-02-30T00:00:00Z",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-01T00:00:00.0000001Z",
        "2026-01-01T00:00:00+23:59",
        "2026-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "+10000-01-01T00:00:00Z",
        "+262142-12-31T23:59:59Z",
        "-4714-01-01T00:00:00Z",
        "-262143-01-01T00:00:00Z",
        "1767225600",
        "now",
        "infinity",
    ]
    .into_iter()
    .map(|text| Bad::Value(json!(text)))
    .collect()
}

fn instead_of_number() -> Vec<Bad> {
    let mut tried: Vec<Bad> = [
        json!(0),
        json!(-1),
        json!(-0.0),
        json!(1.5),
        json!(i64::from(i32::MAX) + 1),
        json!(u32::MAX),
        json!(u64::from(u32::MAX) + 1),
        json!(9_007_199_254_740_993_i64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
    ]
    .into_iter()
    .map(Bad::Value)
    .collect();
    tried.extend(["1e400", "-1e400", "0123", "+1", "1.", "NaN"].map(|text| Bad::Raw(text.to_owned())));
    tried.push(Bad::Raw("9".repeat(400)));
    tried
}

fn instead_of_list(items: &[Value]) -> Vec<Bad> {
    let Some(first) = items.first() else { return Vec::new() };
    let twice = [items, std::slice::from_ref(first)].concat();
    let many = vec![first.clone(); 1_001];
    let mut tried = vec![json!([]), json!([null]), Value::Array(twice), Value::Array(many)];
    tried.extend((!first.is_array()).then(|| json!([[first]])));
    tried.into_iter().map(Bad::Value).collect()
}
