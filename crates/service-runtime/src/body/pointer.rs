//! From serde's and validator's errors to JSON pointers (RFC 6901) in the client's own words.

use std::borrow::Cow;

use serde_path_to_error::Segment;
use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::FieldProblem;

/// The one field serde stopped at.
pub(super) fn of_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldProblem {
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    let text = error.inner().to_string();
    // serde_json appends the position; the pointer says it better.
    let detail = text.rsplit_once(" at line ").map_or(text.as_str(), |(detail, _)| detail);
    if let Some(field) = quoted_after(detail, "missing field ") {
        push(&mut pointer, field);
        return FieldProblem::new(pointer, "required", "This field is required");
    }
    if let Some(field) = quoted_after(detail, "unknown field ") {
        if !pointer.ends_with(&format!("/{}", escaped(field))) {
            push(&mut pointer, field);
        }
        return FieldProblem::new(pointer, "unknown-field", detail.to_owned());
    }
    if let Some(field) = quoted_after(detail, "duplicate field ") {
        push(&mut pointer, field);
        return FieldProblem::new(pointer, "duplicate-field", "This field is there more than once");
    }
    FieldProblem::new(pointer, "invalid-value", detail.to_owned())
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_prefix('`')?.split('`').next()
}

/// Every broken rule, in the order of the pointers.
pub(super) fn of_validation(errors: &ValidationErrors) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    collect(errors, "", &mut found);
    found.sort_by(|one, other| one.pointer.cmp(&other.pointer));
    found
}

fn collect(errors: &ValidationErrors, parent: &str, found: &mut Vec<FieldProblem>) {
    for (field, kind) in errors.errors() {
        let mut pointer = parent.to_owned();
        // Rules over a whole struct are filed under this name by validator.
        if field != "__all__" {
            push(&mut pointer, &camel_case(field));
        }
        match kind {
            ValidationErrorsKind::Struct(nested) => collect(nested, &pointer, found),
            ValidationErrorsKind::List(items) => {
                for (index, nested) in items {
                    collect(nested, &format!("{pointer}/{index}"), found);
                }
            }
            ValidationErrorsKind::Field(rules) => {
                found.extend(rules.iter().map(|rule| FieldProblem::new(pointer.clone(), rule.code.clone(), say(rule))));
            }
        }
    }
}

/// The rule in words; the value itself is not repeated, it may be long or private.
fn say(rule: &ValidationError) -> String {
    if let Some(message) = &rule.message {
        return message.clone().into_owned();
    }
    let mut bounds: Vec<_> = rule
        .params
        .iter()
        .filter(|(name, _)| *name != "value")
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    bounds.sort();
    if bounds.is_empty() { format!("breaks the rule {}", rule.code) } else { bounds.join(", ") }
}

pub(super) fn push(pointer: &mut String, segment: &str) {
    pointer.push('/');
    pointer.push_str(&escaped(segment));
}

fn escaped(segment: &str) -> Cow<'_, str> {
    if segment.contains(['~', '/']) {
        Cow::Owned(segment.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(segment)
    }
}

/// Our bodies are camelCase throughout; validator only knows the Rust names.
fn camel_case(name: &str) -> String {
    let mut words = name.trim_start_matches("r#").split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_names_become_json_names() {
        for (rust, json) in [("name", "name"), ("customer_id", "customerId"), ("r#type", "type"), ("up_to_2", "upTo2")]
        {
            assert_eq!(camel_case(rust), json);
        }
    }

    #[test]
    fn pointers_are_escaped() {
        let mut pointer = String::new();
        push(&mut pointer, "a/b~c");
        assert_eq!(pointer, "/a~1b~0c");
    }
}
