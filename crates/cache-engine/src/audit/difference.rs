//! Where two contents differ: the paths, and hashes in place of the values.
//!
//! Owns what may be said about a wrong value. Must never show one: a log line may be read by people who may not read the
//! value. The hashes are salted, so that nobody finds a price by trying all prices.

use serde::Serialize;
use serde_json::Value;

use kernel::ContentHash;

/// Most fields named of one entry.
const MAX_FIELDS: usize = 16;
/// Digits of a hash that are shown: enough to tell two values apart.
const SHOWN_DIGITS: usize = 12;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// Where it is: a JSON pointer.
    pub path: String,
    /// The hash of what is cached; `None` where nothing is.
    pub cached: Option<String>,
    /// The hash of what the authority has; `None` where nothing is.
    pub authority: Option<String>,
}

/// Hashes that mean nothing outside of this process.
#[derive(Debug, Clone)]
pub struct Salt([u8; 16]);

impl Salt {
    /// A salt nobody else has.
    pub fn unique() -> Self {
        Self(uuid::Uuid::now_v7().into_bytes())
    }

    fn hash(&self, value: &Value) -> String {
        let mut salted = self.0.to_vec();
        salted.extend_from_slice(value.to_string().as_bytes());
        let mut digits = ContentHash::of_bytes(&salted).to_string();
        digits.truncate(SHOWN_DIGITS);
        digits
    }
}

/// The fields in which two payloads differ, at most sixteen. A payload that is no JSON differs as a whole.
pub fn differences(salt: &Salt, cached: &[u8], authority: &[u8]) -> Vec<FieldDifference> {
    let parse = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let (cached, authority) = (parse(cached), parse(authority));
    let mut found = Vec::new();
    walk(salt, "", Some(&cached), Some(&authority), &mut found);
    found
}

fn walk(salt: &Salt, path: &str, cached: Option<&Value>, authority: Option<&Value>, found: &mut Vec<FieldDifference>) {
    if cached == authority || found.len() == MAX_FIELDS {
        return;
    }
    match (cached, authority) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let only_there = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(only_there) {
                // RFC 6901.
                let inner = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                walk(salt, &inner, one.get(name), other.get(name), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for at in 0..one.len().max(other.len()) {
                walk(salt, &format!("{path}/{at}"), one.get(at), other.get(at), found);
            }
        }
        _ => found.push(FieldDifference {
            path: path.to_owned(),
            cached: cached.map(|value| salt.hash(value)),
            authority: authority.map(|value| salt.hash(value)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_paths_and_never_values() {
        let cached = json!({ "a": { "secret": "12.50" }, "list": [1, 2, 3], "gone": true, "same": "x", "s/t": 1 });
        let known = json!({ "a": { "secret": "13.50" }, "list": [1, 5], "new": null, "same": "x", "s/t": 2 });
        let bytes = |value: &Value| serde_json::to_vec(value).unwrap();
        let found = differences(&Salt::unique(), &bytes(&cached), &bytes(&known));
        let mut paths: Vec<&str> = found.iter().map(|field| field.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["/a/secret", "/gone", "/list/1", "/list/2", "/new", "/s~1t"]);
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains("12.50") && !text.contains("13.50"), "{text}");
        assert!(found.iter().all(|field| field.cached != field.authority));
    }

    #[test]
    fn a_hash_means_nothing_outside_of_its_process() {
        let of = |salt: &Salt| differences(salt, b"\"12.50\"", b"1").remove(0).cached;
        let (one, other) = (Salt::unique(), Salt::unique());
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other));
    }

    #[test]
    fn a_wholly_other_value_names_a_bounded_number_of_fields() {
        let many: serde_json::Map<String, Value> = (0..1_000).map(|n| (n.to_string(), json!(n))).collect();
        let found = differences(&Salt::unique(), &serde_json::to_vec(&many).unwrap(), b"{}");
        assert_eq!(found.len(), MAX_FIELDS);
        assert_eq!(differences(&Salt::unique(), b"not json", b"{}").len(), 1);
    }
}
