//! The JSON Schema (2020-12) of a payload, from the same derived schemas as the OpenAPI documents.
//!
//! Owns what makes it exact where OpenAPI's is kind to clients: it refers to nothing outside itself, flattened parts are one
//! object, objects are closed, and a field that may be missing is never null. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::published::data_schema;

/// Marks an object whose readers refuse what they do not know: it may never grow.
pub(crate) const FINAL: &str = "x-final";
/// Where the derived schemas refer to each other.
const DERIVED: &str = "#/components/schemas/";
/// Where they do in a schema that is complete in itself.
const DEFINED: &str = "#/$defs/";
/// OpenAPI's word for an example, which JSON Schema does not know.
const EXAMPLE: &str = "example";

/// The schema of `P` as the payload of `event_type`.
pub(crate) fn payload_schema<P: ToSchema>(event_type: &str, schema_version: u16) -> Value {
    let mut parts = Vec::new();
    P::schemas(&mut parts);
    let value = |schema| serde_json::to_value(schema).unwrap_or_default();
    let parts = parts.into_iter().map(|(name, schema)| (name, value(schema))).collect();
    let (mut schema, defined) = Exact::of(value(P::schema()), &parts);
    if let Some(root) = schema.as_object_mut() {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("$id".to_owned(), json!(data_schema(event_type, schema_version)));
        root.insert("title".to_owned(), json!(event_type));
        if !defined.is_empty() {
            root.insert("$defs".to_owned(), Value::Object(defined));
        }
    }
    schema
}

/// Derived schemas on their way to exact ones.
struct Exact<'a> {
    parts: &'a BTreeMap<String, Value>,
    defined: Map<String, Value>,
}

impl<'a> Exact<'a> {
    /// The exact form of `schema`, and what it refers to.
    fn of(schema: Value, parts: &'a BTreeMap<String, Value>) -> (Value, Map<String, Value>) {
        let mut exact = Self { parts, defined: Map::new() };
        (exact.schema(schema), exact.defined)
    }

    fn schema(&mut self, schema: Value) -> Value {
        let Value::Object(mut schema) = schema else { return schema };
        schema.remove(EXAMPLE);
        if let Some(Value::Array(parts)) = schema.remove("allOf") {
            schema.extend(self.together(parts));
        }
        if let Some(name) = referred(&schema).map(str::to_owned) {
            schema.insert("$ref".to_owned(), json!(format!("{DEFINED}{name}")));
            self.define(&name);
        }
        if schema.contains_key("properties") {
            self.close(&mut schema);
        } else if let Some(values) = schema.remove("additionalProperties") {
            schema.insert("additionalProperties".to_owned(), self.schema(values));
        }
        if let Some(items) = schema.remove("items") {
            schema.insert("items".to_owned(), self.schema(items));
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(Value::Array(choices)) = schema.remove(choice) {
                let choices: Vec<Value> = choices.into_iter().map(|it| self.schema(it)).collect();
                schema.insert(choice.to_owned(), choices.into());
            }
        }
        Value::Object(schema)
    }

    /// Defines a part once; the name is taken before its content is looked at, so that a part may refer to itself.
    fn define(&mut self, name: &str) {
        if let (Some(part), false) = (self.parts.get(name), self.defined.contains_key(name)) {
            self.defined.insert(name.to_owned(), Value::Null);
            let part = self.schema(part.clone());
            self.defined.insert(name.to_owned(), part);
        }
    }

    /// Flattened parts as the one object that is written.
    fn together(&self, parts: Vec<Value>) -> Map<String, Value> {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let named = part.as_object().and_then(referred).and_then(|name| self.parts.get(name));
            let Value::Object(mut part) = named.cloned().unwrap_or(part) else { continue };
            if let Some(Value::Array(inner)) = part.remove("allOf") {
                part = self.together(inner);
            }
            if let Some(Value::Object(members)) = part.remove("properties") {
                properties.extend(members);
            }
            if let Some(Value::Array(names)) = part.remove("required") {
                required.extend(names);
            }
        }
        let mut whole = Map::from_iter([("type".to_owned(), json!("object"))]);
        whole.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            whole.insert("required".to_owned(), required.into());
        }
        whole
    }

    /// Closes an object for writing. What may be missing is left out rather than written as null.
    fn close(&mut self, object: &mut Map<String, Value>) {
        if object.insert("additionalProperties".to_owned(), json!(false)) == Some(json!(false)) {
            object.insert(FINAL.to_owned(), json!(true));
        }
        let required = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(Value::Object(properties)) = object.remove("properties") else { return };
        let exact = properties.into_iter().map(|(name, schema)| {
            let may_be_missing = !required.iter().any(|it| *it == name);
            let schema = self.schema(schema);
            let schema = if may_be_missing { without_null(schema) } else { schema };
            (name, schema)
        });
        let exact: Map<String, Value> = exact.collect();
        object.insert("properties".to_owned(), Value::Object(exact));
    }
}

/// The part a schema refers to.
fn referred(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(DERIVED)
}

fn without_null(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|of| of != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(mut choices)) = schema.remove("oneOf") {
        choices.retain(|choice| choice["type"] != "null");
        match (choices.len(), choices.pop()) {
            (1, Some(Value::Object(only))) => schema.extend(only),
            (_, last) => {
                choices.extend(last);
                schema.insert("oneOf".to_owned(), choices.into());
            }
        }
    }
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Size {
        width: u32,
    }

    #[derive(Serialize, Deserialize, ToSchema)]
    struct Header {
        /// Which one.
        id: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<Size>,
        #[schema(required)]
        note: Option<String>,
    }

    #[derive(Serialize, Deserialize, ToSchema)]
    struct Fact {
        #[serde(flatten)]
        header: Header,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sizes: Vec<Size>,
    }

    fn schema() -> Value {
        payload_schema::<Fact>("FactHappened", 2)
    }

    #[test]
    fn flattened_parts_are_one_closed_object_with_what_both_require() {
        let schema = schema();
        assert!(schema.get("allOf").is_none(), "{schema:#}");
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema.get(FINAL).is_none(), "readers ignore what they do not know");
        let mut required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        required.sort_unstable();
        assert_eq!(required, ["id", "note"]);
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["id", "note", "reason", "size", "sizes"]);
        assert_eq!(schema["properties"]["id"]["description"], "Which one.");
    }

    #[test]
    fn what_may_be_missing_is_never_null_and_what_may_be_null_is_never_missing() {
        let properties = &schema()["properties"];
        assert_eq!(properties["reason"]["type"], "string");
        assert_eq!(properties["size"]["$ref"], "#/$defs/Size");
        assert_eq!(properties["note"]["type"], json!(["string", "null"]));
    }

    #[test]
    fn it_refers_to_nothing_outside_itself() {
        let schema = schema();
        assert_eq!(schema["properties"]["sizes"]["items"]["$ref"], "#/$defs/Size");
        assert_eq!(schema["$defs"].as_object().unwrap().len(), 1, "what is flattened is no part of its own");
        assert!(!schema.to_string().contains(DERIVED));
    }

    #[test]
    fn an_object_whose_readers_refuse_what_they_do_not_know_is_marked() {
        let schema = schema();
        assert_eq!(schema["$defs"]["Size"][FINAL], true);
        assert_eq!(schema["$defs"]["Size"]["additionalProperties"], false);
    }
}
