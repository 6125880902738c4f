//! Whether two schemas of one payload, an older and a newer one of the same schema version, may live beside each other: new
//! programs read old events (a replay, a slow consumer), and old programs read new ones (a rolling deployment).
//!
//! Owns the rules, over the part of JSON Schema that [`crate::payload_schema`] writes. Pure. Writers are closed and readers
//! tolerant: an added optional field is the one thing that may change. It follows that what is compatible with each step of a
//! history is compatible with all of it, and that a field that was once published keeps its name and meaning for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};

use crate::payload_schema::FINAL;

/// One difference that somebody cannot live with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    /// Where: `/items/[]/amount`; empty at the root.
    pub path: String,
    /// What differs, and who is broken by it.
    pub reason: String,
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{path}: {}", self.reason)
    }
}

/// Says something about a schema and nothing about a value.
const ANNOTATIONS: [&str; 9] =
    ["$id", "$schema", "$defs", "title", "description", "examples", "deprecated", "default", "$comment"];

/// Compared by rules of their own; every other word must be the same in both.
const COMPARED: [&str; 9] =
    ["type", "enum", "properties", "required", "additionalProperties", FINAL, "items", "oneOf", "anyOf"];

/// Everything in `new` that breaks a program that knows `old`, or the other way round. Empty: both ways are open.
pub fn incompatibilities(old: &Value, new: &Value) -> Vec<Incompatibility> {
    let mut comparison = Comparison { old, new, seen: BTreeSet::new(), found: Vec::new() };
    comparison.compare(old, new, "");
    comparison.found
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    /// Pairs of references that were followed: schemas may refer to themselves.
    seen: BTreeSet<(String, String)>,
    found: Vec<Incompatibility>,
}

impl<'a> Comparison<'a> {
    fn refuse(&mut self, path: &str, reason: impl Into<String>) {
        self.found.push(Incompatibility { path: path.to_owned(), reason: reason.into() });
    }

    fn compare(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        if let (Some(of_old), Some(of_new)) = (old["$ref"].as_str(), new["$ref"].as_str())
            && !self.seen.insert((of_old.to_owned(), of_new.to_owned()))
        {
            return;
        }
        let (old, new) = (followed(self.old, old), followed(self.new, new));
        let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
            if old != new {
                self.refuse(path, "is another schema: neither reads what the other writes");
            }
            return;
        };
        self.types(before, after, path);
        self.values(before, after, path);
        self.constraints(before, after, path);
        self.members(before, after, path);
        self.maps(old, new, path);
        match (before.get("items"), after.get("items")) {
            (Some(before), Some(after)) => self.compare(before, after, &format!("{path}/[]")),
            (None, None) => {}
            _ => self.refuse(path, "its items are described on one side only"),
        }
        for choice in ["oneOf", "anyOf"] {
            self.choices(&old[choice], &new[choice], path);
        }
    }

    fn types(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let (before, after) = (words(old.get("type")), words(new.get("type")));
        self.sets(&before, &after, "type", path);
    }

    fn values(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let (before, after) = (words(old.get("enum")), words(new.get("enum")));
        self.sets(&before, &after, "value", path);
    }

    fn sets(&mut self, before: &BTreeSet<String>, after: &BTreeSet<String>, what: &str, path: &str) {
        if before.is_empty() != after.is_empty() {
            self.refuse(path, format!("the {what}s are listed on one side only"));
            return;
        }
        for gone in before.difference(after) {
            self.refuse(path, format!("the {what} {gone} is gone: new readers cannot read old events"));
        }
        for added in after.difference(before) {
            self.refuse(path, format!("the {what} {added} is new: old readers cannot read new events"));
        }
    }

    fn constraints(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let known = |word: &str| ANNOTATIONS.contains(&word) || COMPARED.contains(&word);
        let words: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|word| !known(word)).collect();
        for word in words {
            if old.get(word) != new.get(word) {
                let shown = |side: Option<&Value>| side.map_or_else(|| "nothing".to_owned(), Value::to_string);
                let (before, after) = (shown(old.get(word)), shown(new.get(word)));
                self.refuse(path, format!("{word} was {before} and is {after}: one side refuses the other's values"));
            }
        }
    }

    fn members(&mut self, old: &'a Map<String, Value>, new: &'a Map<String, Value>, path: &str) {
        let is_final = |object: &Map<String, Value>| object.get(FINAL) == Some(&Value::Bool(true));
        if is_final(old) && !is_final(new) {
            self.refuse(path, "is no longer final: it could grow, and old readers refuse what they do not know");
        }
        let (before, after) = (fields(old), fields(new));
        for (name, (schema, required)) in &before {
            let at = format!("{path}/{name}");
            match after.get(name) {
                Some((now, still_required)) => {
                    self.compare(schema, now, &at);
                    match (required, still_required) {
                        (true, false) => self.refuse(&at, "may be missing now: old readers require it"),
                        (false, true) => self.refuse(&at, "is required now: old events may not have it"),
                        _ => {}
                    }
                }
                None if *required => self.refuse(&at, "is gone: old readers require it"),
                None => self.refuse(&at, "is gone: its name would be free for another meaning"),
            }
        }
        for (name, (_, required)) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            let at = format!("{path}/{name}");
            if *required {
                self.refuse(&at, "is new and required: old events do not have it");
            } else if is_final(old) {
                self.refuse(&at, "is new in an object that is final: old readers refuse it");
            }
        }
    }

    /// Values under any name. Whether an object is closed says nothing to readers.
    fn maps(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        let values = |side: &'a Value| Some(&side["additionalProperties"]).filter(|values| values.is_object());
        match (values(old), values(new)) {
            (Some(before), Some(after)) => self.compare(before, after, &format!("{path}/{{}}")),
            (None, None) => {}
            _ => self.refuse(path, "takes any name on one side only"),
        }
    }

    /// Alternatives in any order: each has its like on the other side.
    fn choices(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        let list = |side: &'a Value| side.as_array().map_or(&[][..], Vec::as_slice);
        let (before, after) = (list(old), list(new));
        let alike = |this: &Self, one: &'a Value, other: &'a Value| {
            let (old, new) = (this.old, this.new);
            let mut inner = Comparison { old, new, seen: this.seen.clone(), found: Vec::new() };
            inner.compare(one, other, path);
            inner.found.is_empty()
        };
        if before.iter().any(|one| !after.iter().any(|other| alike(self, one, other))) {
            self.refuse(path, "an alternative is gone or differs: new readers cannot read old events");
        }
        if after.iter().any(|other| !before.iter().any(|one| alike(self, one, other))) {
            self.refuse(path, "an alternative is new or differs: old readers cannot read new events");
        }
    }
}

/// Most references from one to the next; only a chain that bites its tail is longer.
const MAX_CHAIN: usize = 32;

/// What a reference within `root` leads to; the schema itself where it is none.
fn followed<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut at = schema;
    for _ in 0..MAX_CHAIN {
        let target = at["$ref"].as_str().and_then(|pointer| root.pointer(pointer.strip_prefix('#')?));
        let Some(target) = target else { break };
        at = target;
    }
    at
}

/// One word or several, as texts.
fn words(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::Array(several)) => several.iter().map(Value::to_string).collect(),
        Some(one) => BTreeSet::from([one.to_string()]),
        None => BTreeSet::new(),
    }
}

/// The fields of an object, each with whether it must be there.
fn fields(object: &Map<String, Value>) -> BTreeMap<&String, (&Value, bool)> {
    let required = object.get("required").and_then(Value::as_array);
    let must = |name: &String| required.is_some_and(|names| names.iter().any(|it| it == name));
    let properties = object.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| (name, (schema, must(name)))).collect()
}

#[cfg(test)]
mod tests;
