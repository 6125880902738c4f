//! Bodies at random that the schema allows: most are refused for what they mean, and the refusal must be as documented.

use serde_json::{Map, Value, json};

use crate::{chance::Chance, document::Document};

/// How deep a body that refers to itself goes.
const DEPTH: usize = 4;

/// Makes values of a document's schemas.
pub struct Sampler<'a> {
    /// The document.
    pub document: &'a Document,
    /// Values that exist, by member name: without them nearly everything would be an unknown id.
    pub known: &'a Map<String, Value>,
    /// What is chosen.
    pub chance: Chance,
}

impl Sampler<'_> {
    /// A value of this schema.
    pub fn value(&mut self, schema: &Value) -> Value {
        self.member("", schema, 0)
    }

    fn member(&mut self, name: &str, schema: &Value, depth: usize) -> Value {
        if let Some(known) = self.known.get(name).filter(|_| self.chance.percent(70)) {
            return known.clone();
        }
        let document = self.document;
        let schema = document.follow(schema);
        for choice in ["oneOf", "anyOf"] {
            if let Some(branches) = schema[choice].as_array() {
                let branch = self.chance.one_of(branches).cloned().unwrap_or_default();
                return self.member(name, &branch, depth);
            }
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.chance.one_of(values).cloned().unwrap_or_default();
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let chosen = self.chance.one_of(&types).cloned().unwrap_or_default();
        match chosen.as_str() {
            Some("object") => self.object(schema, depth),
            Some("array") => self.list(name, schema, depth),
            Some("string") => self.text(schema),
            Some("integer" | "number") => self.integer(schema),
            Some("boolean") => json!(self.chance.percent(50)),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&name.as_str()) || depth < DEPTH && self.chance.percent(60) {
                object.insert(name.clone(), self.member(name, member, depth + 1));
            }
        }
        if schema["additionalProperties"].is_object() {
            for _ in 0..self.chance.below(3) {
                let name = self.chance.noise(6);
                object.insert(name, self.member("", &schema["additionalProperties"], depth + 1));
            }
        }
        Value::Object(object)
    }

    fn list(&mut self, name: &str, schema: &Value, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let items = if depth >= DEPTH { least } else { least + self.chance.below(4) };
        (0..items).map(|_| self.member(name, &schema["items"], depth + 1)).collect()
    }

    fn integer(&mut self, schema: &Value) -> Value {
        let low = schema["minimum"].as_i64().unwrap_or(-3);
        let far = if schema["format"] == "int64" { i64::MAX } else { i64::from(i32::MAX) };
        let high = schema["maximum"].as_i64().unwrap_or(far);
        let near = low.saturating_add(self.chance.below(12) as i64);
        json!(*self.chance.one_of(&[low, high, near, near]).unwrap_or(&low))
    }

    fn text(&mut self, schema: &Value) -> Value {
        let example = [&schema["example"], &schema["default"]].into_iter().find(|text| text.is_string());
        let text = match schema["format"].as_str() {
            Some("uuid") => format!("0190a5b2-aaaa-7bbb-8ccc-{:012x}", self.chance.number() >> 16),
            Some("date-time") => format!(
                "20{:02}-0{}-1{}T0{}:00:00Z",
                10 + self.chance.below(80),
                1 + self.chance.below(9),
                self.chance.below(9),
                self.chance.below(9)
            ),
            _ if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("{64}")) => "5e".repeat(32),
            _ => match example {
                Some(text) if schema.get("pattern").is_some() || self.chance.percent(60) => return text.clone(),
                _ => self.free_text(schema),
            },
        };
        json!(text)
    }

    fn free_text(&mut self, schema: &Value) -> String {
        let least = schema["minLength"].as_u64().unwrap_or(0) as usize;
        let most = schema["maxLength"].as_u64().unwrap_or(3_000) as usize;
        let ordinary = ["a", "Ünïcödé 💥", "12.50", "-3", "0", "two words"];
        let usual = (*self.chance.one_of(&ordinary).unwrap_or(&"a")).to_owned();
        if (least..=most).contains(&usual.chars().count()) && self.chance.percent(70) {
            return usual;
        }
        let length = if self.chance.percent(50) { most } else { least };
        self.chance.noise(length)
    }
}
