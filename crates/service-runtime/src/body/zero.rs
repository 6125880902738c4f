//! The one character JSON can carry and PostgreSQL cannot store: found before it becomes a failed statement.

use serde_json::Value;

use super::pointer::push;
use crate::FieldProblem;

/// The only way to write it: JSON allows no raw control characters.
const ESCAPED: &[u8] = b"\\u0000";

/// The first text, or name of a member, that has a zero character. `bytes` are well-formed JSON.
pub(super) fn first_in(bytes: &[u8]) -> Option<FieldProblem> {
    // Hardly any body has a backslash at all.
    let suspicious = bytes.contains(&b'\\') && bytes.windows(ESCAPED.len()).any(|six| six == ESCAPED);
    if !suspicious {
        return None;
    }
    let value = serde_json::from_slice(bytes).ok()?;
    let pointer = pointer_in(&value, &mut String::new())?;
    Some(FieldProblem::new(pointer, "zero-character", "Text must not contain the zero character"))
}

fn pointer_in(value: &Value, at: &mut String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| at.clone()),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(position, item)| below(at, &position.to_string(), item))
        }
        // A name that has it is no name to point with: the object is.
        Value::Object(members) => members
            .iter()
            .find_map(|(name, member)| if name.contains('\0') { Some(at.clone()) } else { below(at, name, member) }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn below(at: &mut String, segment: &str, value: &Value) -> Option<String> {
    let length = at.len();
    push(at, segment);
    let found = pointer_in(value, at);
    at.truncate(length);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(json: &str) -> Option<String> {
        first_in(json.as_bytes()).map(|field| field.pointer)
    }

    #[test]
    fn it_is_found_wherever_it_is() {
        assert_eq!(pointer(r#"{"a":[{"b/c":"x\u0000y"}]}"#).as_deref(), Some("/a/0/b~1c"));
        assert_eq!(pointer(r#"{"a":{"b\u0000":1}}"#).as_deref(), Some("/a"));
    }

    #[test]
    fn a_backslash_before_the_letters_is_no_zero_character() {
        assert_eq!(pointer(r#"{"a":"\\u0000"}"#), None);
        assert_eq!(pointer(r#"{"a":"\n\u0001"}"#), None);
        assert!(pointer(r#"{"a":"\\\u0000"}"#).is_some());
    }
}
