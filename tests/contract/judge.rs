//! Whether an answer is one the document promises.
//!
//! Must never know an operation: what it holds answers against is the document and RFC 9457 alone.

use serde_json::Value;

use crate::{
    document::Operation,
    wire::{Call, Reply},
};

/// What the answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Any answer the document lists.
    Documented,
    /// The same, and nothing may be written.
    Harmless,
    /// Whatever the good call is answered: what was changed must not matter.
    LetIn,
    /// A refusal; with a body, one that points at this field or below it.
    Refused(Option<String>),
    /// This status.
    Status(u16),
}

/// Everything that is wrong with an answer.
pub fn faults(operation: &Operation, call: &Call, expect: &Expect, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    if reply.status >= 500 {
        found.push("the service failed".to_owned());
    }
    match operation.answers.get(&reply.status) {
        None => found.push("the document does not list this status".to_owned()),
        Some(shape) if !reply.refused() => {
            if !shape.media.is_empty() && reply.media() != shape.media {
                found.push(format!("answered {:?} where the document says {}", reply.media(), shape.media));
            }
            if let Some(validator) = &shape.validator {
                let body = reply.json();
                found.extend(validator.iter_errors(&body).map(|error| {
                    format!("not what the schema says: {} at {:?}", short(&error.to_string()), error.instance_path())
                }));
            }
        }
        Some(_) => {}
    }
    if reply.refused() {
        found.extend(problem_faults(call, reply));
    }
    found.extend(unexpected(expect, reply));
    found
}

/// A refusal is a problem as RFC 9457 wants it, with the members every problem of ours has.
fn problem_faults(call: &Call, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    if reply.media() != "application/problem+json" {
        found.push(format!("a refusal of type {:?}", reply.media()));
        return found;
    }
    let problem = reply.json();
    for member in ["type", "title", "code", "traceId", "instance"] {
        if problem[member].as_str().is_none_or(str::is_empty) {
            found.push(format!("the problem has no {member}"));
        }
    }
    if problem["status"] != reply.status {
        found.push(format!("the problem says {} itself", problem["status"]));
    }
    let code = problem["code"].as_str().unwrap_or_default();
    if !problem["type"].as_str().unwrap_or_default().ends_with(&format!("/{code}")) {
        found.push(format!("type {} does not end in the code", problem["type"]));
    }
    if reply.status == 401 && reply.header("www-authenticate").is_empty() {
        found.push("401 without a challenge".to_owned());
    }
    found.extend(pointer_faults(call, reply));
    found
}

/// A pointer leads to a field that was sent, or to one that is missing from an object that was sent.
fn pointer_faults(call: &Call, reply: &Reply) -> Vec<String> {
    let Some(sent) = call.body.as_ref().and_then(|(_, bytes)| serde_json::from_slice::<Value>(bytes).ok()) else {
        return Vec::new();
    };
    let leads_nowhere = |pointer: &String| {
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        sent.pointer(pointer).is_none() && !sent.pointer(parent).is_some_and(Value::is_object)
    };
    let astray = reply.pointers().into_iter().filter(leads_nowhere);
    astray.map(|pointer| format!("the pointer {pointer:?} leads nowhere")).collect()
}

fn unexpected(expect: &Expect, reply: &Reply) -> Option<String> {
    match expect {
        Expect::LetIn if reply.refused() => Some("it was refused".to_owned()),
        Expect::Documented | Expect::Harmless | Expect::LetIn => None,
        Expect::Status(status) if *status == reply.status => None,
        Expect::Status(status) => Some(format!("{status} was due")),
        Expect::Refused(_) if !reply.refused() => Some("it was let in".to_owned()),
        Expect::Refused(Some(field)) if !points_at(field, &reply.pointers()) => {
            Some(format!("no pointer to {field:?} but {:?}", reply.pointers()))
        }
        Expect::Refused(_) => None,
    }
}

fn points_at(field: &str, pointers: &[String]) -> bool {
    let below =
        |pointer: &String| pointer.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    pointers.iter().any(below)
}

/// As much of a text as helps.
pub fn short(text: &str) -> String {
    const ENOUGH: usize = 300;
    if text.chars().count() <= ENOUGH {
        text.to_owned()
    } else {
        text.chars().take(ENOUGH).chain("…".chars()).collect()
    }
}
