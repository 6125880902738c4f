//! Golden samples: payloads as each service's own functions write them, kept for ever.
//!
//! A sample is written once, when there is none of its name: `QUOIN_WRITE_PAGES=1 cargo test -p system-tests --test events`. Its
//! hash goes into `samples.lock`, which only grows, so whoever changes a sample has to change a line there, in plain sight of
//! the review. When a payload has grown, what is written today differs from the sample of before: it gets a name of its own.

mod catalog;
mod inventory;
mod order;
mod pricing;
mod quote;

use std::{collections::BTreeMap, fs};

use chrono::{DateTime, Utc};
use events::NewEvent;
use kernel::{ContentHash, Currency, Money, TenantId};
use quoin::{generate::event_schemas::FOLDER, services::Service};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use crate::files::{self, SAMPLE, root};

/// The lock, from the root of the repository: a hash and a path a line.
const LOCK: &str = "docs/api/events/samples.lock";

/// What a payload of today looks like.
pub struct Sample {
    /// Who publishes it.
    pub service: Service,
    /// Tells samples of one type apart; empty for the one that has everything.
    pub variant: &'static str,
    /// The event.
    pub event: NewEvent,
}

impl Sample {
    /// With everything that may be there.
    fn full(service: Service, event: NewEvent) -> Self {
        Self { service, variant: "", event }
    }

    /// With nothing that may be missing.
    fn least(service: Service, event: NewEvent) -> Self {
        Self { service, variant: ".least", event }
    }

    fn path(&self) -> String {
        let NewEvent { event_type, schema_version, .. } = self.event;
        format!("{FOLDER}/{}/{event_type}.v{schema_version}{}{SAMPLE}", self.service, self.variant)
    }

    fn payload(&self) -> Value {
        serde_json::from_slice(&self.event.payload).expect("a payload is JSON")
    }
}

/// Samples of everything that is published today.
pub fn today() -> Vec<Sample> {
    [catalog::samples(), pricing::samples(), quote::samples(), order::samples(), inventory::samples()]
        .into_iter()
        .flatten()
        .collect()
}

/// The tenant of all samples.
fn tenant() -> TenantId {
    "acme".parse().expect("a tenant")
}

/// An id that is the same in every run.
fn id<T: From<Uuid>>(name: &str) -> T {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
}

/// A time that is the same in every run, `minute` minutes after ten.
fn at(minute: u32) -> DateTime<Utc> {
    format!("2026-01-31T10:{minute:02}:12.123456Z").parse().expect("a time")
}

fn hash(name: &str) -> ContentHash {
    ContentHash::of_bytes(name.as_bytes())
}

fn eur() -> Currency {
    "EUR".parse().expect("a currency")
}

fn euros(cents: i64) -> Money {
    Money::new(Decimal::new(cents, 2), eur()).expect("an amount")
}

/// Path to hash.
fn locked() -> BTreeMap<String, String> {
    let lock = fs::read_to_string(root().join(LOCK)).unwrap_or_default();
    let pair = |line: &str| line.split_once("  ").map(|(hash, path)| (path.to_owned(), hash.to_owned()));
    lock.lines().filter_map(pair).collect()
}

fn hash_of(text: &str) -> String {
    ContentHash::of_bytes(text.as_bytes()).to_string()
}

/// Writes what has no file yet, and locks it.
fn write_missing() {
    let mut lock = locked();
    for sample in today().iter().filter(|sample| !root().join(sample.path()).exists()) {
        let path = root().join(sample.path());
        let text = serde_json::to_string_pretty(&sample.payload()).expect("it is JSON") + "\n";
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
        fs::write(&path, &text).expect("it can be written");
        lock.insert(sample.path(), hash_of(&text));
    }
    let lines: Vec<String> = lock.iter().map(|(path, hash)| format!("{hash}  {path}")).collect();
    fs::write(root().join(LOCK), lines.join("\n") + "\n").expect("it can be written");
}

#[test]
fn what_is_written_today_is_what_its_sample_says() {
    if std::env::var_os("QUOIN_WRITE_PAGES").is_some() {
        write_missing();
    }
    let mut wrong = Vec::new();
    for sample in today() {
        match fs::read_to_string(root().join(sample.path())).map(|text| serde_json::from_str::<Value>(&text)) {
            Ok(Ok(kept)) if kept == sample.payload() => {}
            Ok(Ok(_)) => wrong.push(format!("{} says something else than is written today", sample.path())),
            Ok(Err(error)) => wrong.push(format!("{}: {error}", sample.path())),
            Err(_) => wrong.push(format!("{} is missing", sample.path())),
        }
    }
    assert!(
        wrong.is_empty(),
        "a sample is never edited. Where a field was added give today's a name of its own, where the meaning changed raise the \
         schema version; then QUOIN_WRITE_PAGES=1 writes what is missing\n  {}",
        wrong.join("\n  ")
    );
}

#[test]
fn samples_stay_as_they_were_written() {
    let (mut lock, mut wrong) = (locked(), Vec::new());
    for sample in files::samples() {
        match lock.remove(&sample.path) {
            Some(hash) if hash == hash_of(&sample.text) => {}
            Some(_) => wrong.push(format!("{} was edited", sample.path)),
            None => wrong.push(format!("{} is not locked", sample.path)),
        }
    }
    wrong.extend(lock.into_keys().map(|path| format!("{path} was taken away")));
    assert!(wrong.is_empty(), "samples of what was published are kept for ever\n  {}", wrong.join("\n  "));
}
