//! Wrong texts in the path and in the query.

use serde_json::{Value, json};

use super::{CallFault, Change, fault};
use crate::{
    chance::Chance,
    document::{Operation, Place},
    judge::{Expect, short},
    wire::Call,
};

/// Ids that are none, and one nobody has.
const IDS: [&str; 11] = [
    "x",
    "-1",
    "0",
    "%20",
    "%F0%9F%92%A5",
    "%FF",
    "a%2Fb",
    "'",
    "18446744073709551616",
    "0190a5b2-aaaa-7bbb-8ccc-000000000001",
    "0190a5b2-aaaa-7bbb-8ccc-00000000000%00",
];

/// Values of parameters: too small, too large, of other types, encoded oddly.
const VALUES: [&str; 14] = [
    "",
    "abc",
    "-1",
    "0",
    "1.5",
    "101",
    "99999999999999999999",
    "%20",
    "%F0%9F%92%A5",
    "%FF",
    "a%27b",
    "null",
    "true",
    "0190a5b2-aaaa-7bbb-8ccc-000000000001",
];

/// Positions somebody made himself: base64 of JSON, and of nothing.
const CURSORS: [&str; 4] = ["IjAxOTAi", "e30", "bnVsbA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"];

/// What no id is names nothing, whatever it looks like: 404.
pub fn in_path(operation: &Operation, chance: &mut Chance) -> Vec<CallFault> {
    let mut faults = Vec::new();
    for parameter in operation.parameters_in(Place::Path) {
        let braces = format!("{{{}}}", parameter.name);
        let Some(at) = operation.template.split('/').position(|segment| segment == braces) else { continue };
        let any_text = is_any_text(&parameter.schema);
        let mut texts: Vec<String> = IDS.map(str::to_owned).into();
        texts.push(chance.noise(3_000));
        for text in texts {
            let expect = if any_text && !text.contains("%00") { Expect::Documented } else { Expect::Status(404) };
            let name = format!("{} in the path is {}", parameter.name, short(&text));
            faults.push(fault(name, Change::Segment(at, text), expect));
        }
    }
    faults
}

/// What a parameter's schema does not allow is 400; so is a parameter nobody knows.
pub fn in_query(operation: &Operation, good: &Call, chance: &mut Chance) -> Vec<CallFault> {
    let parameters: Vec<_> = operation.parameters_in(Place::Query).collect();
    let query =
        |others: &str, pairs: &str| Change::Query(format!("?{others}{pairs}").trim_end_matches(['?', '&']).to_owned());
    if parameters.is_empty() {
        let ignored = query("", "noSuchParameter=1&a=%00");
        return vec![fault("a query nobody asked for", ignored, Expect::Documented)];
    }
    let all = but_for(&good.query, "");
    let unknown = ["noSuchParameter=1", "%00=1", "%zz=%", "=", "&&&=&"];
    let refused = |pairs: &str| fault(format!("{pairs} in the query"), query(&all, pairs), Expect::Status(400));
    let mut faults: Vec<CallFault> = unknown.map(refused).into();
    for parameter in parameters {
        let name = parameter.name.as_str();
        let others = but_for(&good.query, name);
        let mut texts: Vec<String> = VALUES.map(str::to_owned).into();
        texts.push(chance.noise(3_000));
        let is_cursor = name == "cursor";
        texts.extend(CURSORS.into_iter().filter(|_| is_cursor).map(str::to_owned));
        for text in texts {
            let allowed = !is_cursor && (is_any_text(&parameter.schema) || fits(&parameter.schema, &text));
            let expect = if allowed { Expect::Documented } else { Expect::Status(400) };
            let with_text = query(&others, &format!("{name}={text}&"));
            faults.push(fault(format!("{name}={}", short(&text)), with_text, expect));
        }
        let zero = query(&others, &format!("{name}=a%00"));
        faults.push(fault(format!("{name} has a zero character"), zero, Expect::Status(400)));
        let twice = query(&others, &format!("{name}=1&{name}=2"));
        faults.push(fault(format!("{name} is there twice"), twice, Expect::Status(400)));
        if parameter.required {
            faults.push(fault(format!("{name} is missing"), query(&others, ""), Expect::Status(400)));
        }
    }
    faults
}

/// Text of the client's choosing: no format, no pattern, no list.
fn is_any_text(schema: &Value) -> bool {
    let text = json!("string");
    let is_text = schema["type"] == text || schema["type"].as_array().is_some_and(|types| types.contains(&text));
    is_text && ["format", "pattern", "enum"].iter().all(|rule| schema.get(rule).is_none())
}

/// Whether a parameter's text fits its schema as the JSON value it spells.
fn fits(schema: &Value, text: &str) -> bool {
    let spelled = text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(schema).is_ok_and(|validator| validator.is_valid(&spelled))
}

/// The pairs of a query but for one name, ready for another to follow.
fn but_for(query: &str, name: &str) -> String {
    let pairs = query.trim_start_matches('?').split('&');
    let others = pairs.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
    others.fold(String::new(), |text, pair| text + pair + "&")
}
