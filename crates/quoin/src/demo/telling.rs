//! How the tour speaks: numbered steps, indented facts.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// Prints the tour.
#[derive(Debug, Default)]
pub struct Teller {
    steps: AtomicUsize,
}

impl Teller {
    /// Begins a step.
    pub fn step(&self, title: &str) {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        println!("\n{number:>2}. {title}");
    }

    /// A fact within a step.
    pub fn fact(text: impl AsRef<str>) {
        println!("    {}", text.as_ref());
    }
}

/// The text at a JSON pointer; what is there instead, when it is no text.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "—".to_owned(),
    }
}

/// An amount with its currency at a JSON pointer.
pub fn money(value: &Value, pointer: &str) -> String {
    format!("{} {}", text(value, &format!("{pointer}/amount")), text(value, &format!("{pointer}/currency")))
}

/// The first characters of a hash: enough to compare by eye.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
