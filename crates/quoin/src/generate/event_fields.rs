//! A payload's schema as rows of a table, one a field.
//!
//! Owns reading the part of JSON Schema that the payloads' schemas are written in. Pure.

use serde_json::Value;

/// One field.
pub(super) struct Field {
    /// `items[].amount`.
    pub path: String,
    /// What it holds, in a few words.
    pub holds: String,
    /// Whether it is always there.
    pub always: bool,
    /// What it means.
    pub meaning: String,
}

/// The fields of a payload, with those of the objects within it. Values such as money are one field.
pub(super) fn fields(schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    collect(schema, schema, "", &mut found);
    found
}

fn collect(root: &Value, object: &Value, within: &str, found: &mut Vec<Field>) {
    let required = |name: &str| object["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
    for (name, schema) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{within}{name}");
        let meaning = described(schema).or_else(|| described(followed(root, schema)));
        found.push(Field {
            holds: holds(root, schema),
            always: required(name),
            meaning: meaning.unwrap_or_default().split("\n\n").next().unwrap_or_default().replace('\n', " "),
            path: path.clone(),
        });
        let inner = followed(root, schema);
        let (inner, marks) =
            if inner["type"] == "array" { (followed(root, &inner["items"]), "[]") } else { (inner, "") };
        if !is_value(inner) {
            collect(root, inner, &format!("{path}{marks}."), found);
        }
    }
}

/// What is said about a field; where it may be null, its one other choice says it.
fn described(schema: &Value) -> Option<&str> {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    std::iter::once(schema).chain(choices).find_map(|it| it["description"].as_str())
}

/// Named values are explained once, for all events.
fn is_value(schema: &Value) -> bool {
    schema["x-final"] == true
}

fn followed<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|at| root.pointer(at.trim_start_matches('#')));
    target.unwrap_or(schema)
}

fn holds(root: &Value, schema: &Value) -> String {
    let target = followed(root, schema);
    if is_value(target) {
        return schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()).unwrap_or("object").to_owned();
    }
    if let Some(words) = target["enum"].as_array() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if let Some(choices) = target["oneOf"].as_array() {
        let choices: Vec<String> = choices.iter().map(|choice| holds(root, choice)).collect();
        return choices.join(" or ");
    }
    let of = |word: &str| match word {
        "array" => format!("list of {}", holds(root, &target["items"])),
        "integer" => "whole number".to_owned(),
        "string" => match target["format"].as_str().or_else(|| target["pattern"].as_str()) {
            Some("uuid") => "id".to_owned(),
            Some("date-time") => "time".to_owned(),
            Some("date") => "date".to_owned(),
            Some(pattern) if pattern.starts_with("^[0-9a-f]{64}") => "SHA-256, hex".to_owned(),
            Some(pattern) if pattern.contains("[0-9]") => "decimal as text".to_owned(),
            _ => "text".to_owned(),
        },
        other => other.to_owned(),
    };
    match &target["type"] {
        Value::String(word) => of(word),
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(of).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MEANINGS: [&str; 5] = ["The one before.", "The lines.", "", "", ""];

    #[test]
    fn fields_within_lists_are_rows_and_values_are_not_opened() {
        let schema = json!({
            "required": ["items", "before"],
            "properties": {
                "items": { "type": "array", "items": { "$ref": "#/$defs/Item" }, "description": "The lines." },
                "note": { "type": ["string", "null"] },
                "before": { "oneOf": [{ "$ref": "#/$defs/Id", "description": "The one before." }, { "type": "null" }] },
            },
            "$defs": {
                "Item": { "type": "object", "required": ["price"], "properties": {
                    "price": { "$ref": "#/$defs/Money" }, "state": { "type": "string", "enum": ["a", "b"] },
                } },
                "Id": { "type": "string", "format": "uuid", "description": "An id." },
                "Money": { "type": "object", "x-final": true, "properties": { "amount": { "type": "string" } } },
            },
        });
        let found = fields(&schema);
        assert_eq!(found.iter().map(|field| field.meaning.as_str()).collect::<Vec<_>>(), MEANINGS);
        let rows: Vec<(String, String, bool)> =
            found.into_iter().map(|field| (field.path, field.holds, field.always)).collect();
        let row = |path: &str, holds: &str, always| (path.to_owned(), holds.to_owned(), always);
        assert_eq!(
            rows,
            [
                row("before", "id or null", true),
                row("items", "list of object", true),
                row("items[].price", "Money", true),
                row("items[].state", "`a`, `b`", false),
                row("note", "text or null", false),
            ]
        );
    }
}
