//! What is done to a good body. Kept apart from the body: the same change is made to every new good one.

use serde_json::Value;

/// One change. Places are JSON pointers.
#[derive(Debug, Clone)]
pub enum Change {
    /// Another body altogether.
    Whole(Vec<u8>),
    /// The body with bytes before and behind it.
    Around(&'static [u8], &'static [u8]),
    /// Another value at a place.
    Replace(String, Value),
    /// JSON text at a place that no value stands for.
    ReplaceRaw(String, String),
    /// A member less.
    Remove(String),
    /// A member more.
    Insert(String, Value),
    /// A member twice.
    Repeat(String),
}

impl Change {
    /// The changed body's text.
    pub fn applied_to(&self, good: &Value) -> Vec<u8> {
        let mut body = good.clone();
        match self {
            Self::Whole(bytes) => return bytes.clone(),
            Self::Around(before, after) => return [before, body.to_string().as_bytes(), after].concat(),
            Self::Replace(at, value) => {
                if let Some(place) = body.pointer_mut(at) {
                    place.clone_from(value);
                }
            }
            Self::ReplaceRaw(at, text) => {
                const STANDS_FOR_IT: &str = "\u{e000}";
                if let Some(place) = body.pointer_mut(at) {
                    *place = STANDS_FOR_IT.into();
                }
                return body.to_string().replace(&format!("\"{STANDS_FOR_IT}\""), text).into_bytes();
            }
            Self::Remove(at) => {
                on_member(&mut body, at, |members, name| {
                    members.remove(name);
                });
            }
            Self::Insert(at, value) => {
                on_member(&mut body, at, |members, name| {
                    members.insert(name.to_owned(), value.clone());
                });
            }
            Self::Repeat(at) => return repeated(body, at).into_bytes(),
        }
        body.to_string().into_bytes()
    }
}

fn repeated(mut body: Value, at: &str) -> String {
    const AGAIN: &str = "\u{e001}";
    on_member(&mut body, at, |members, name| {
        let value = members.get(name).cloned().unwrap_or_default();
        members.insert(AGAIN.to_owned(), value);
    });
    let name = Value::from(last(at));
    body.to_string().replace(&format!("\"{AGAIN}\""), &name.to_string())
}

fn on_member(body: &mut Value, at: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>, &str)) {
    let parent = at.rsplit_once('/').map_or("", |(parent, _)| parent);
    if let Some(members) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
        change(members, &last(at));
    }
}

/// The name a pointer ends in.
fn last(at: &str) -> String {
    at.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(change: &Change) -> String {
        String::from_utf8(change.applied_to(&json!({ "a": { "b/c": 1 } }))).unwrap()
    }

    #[test]
    fn a_change_is_made_at_its_place_and_nowhere_else() {
        let at = "/a/b~1c".to_owned();
        assert_eq!(changed(&Change::Replace(at.clone(), json!(null))), r#"{"a":{"b/c":null}}"#);
        assert_eq!(changed(&Change::ReplaceRaw(at.clone(), "1e400".to_owned())), r#"{"a":{"b/c":1e400}}"#);
        assert_eq!(changed(&Change::Remove(at.clone())), r#"{"a":{}}"#);
        assert_eq!(changed(&Change::Repeat(at)), r#"{"a":{"b/c":1,"b/c":1}}"#);
        assert_eq!(changed(&Change::Insert("/a/x".to_owned(), json!(2))), r#"{"a":{"b/c":1,"x":2}}"#);
        assert_eq!(changed(&Change::Around(b"[", b"]")), r#"[{"a":{"b/c":1}}]"#);
    }
}
