//! Every SQL statement of the catalog: free functions over a connection, schema-qualified, tenant first.
//!
//! Owns the mapping of rows to nouns. Must never decide anything: rules decide, commands order.

pub mod active;
pub mod candidates;
pub mod history;
pub mod offerings;
pub mod prices;
pub mod publications;
pub mod specifications;
pub mod warming;

use serde::{Serialize, de::DeserializeOwned};

use crate::words::Word;

/// A row says something the program does not know: the database is ahead of this build or was edited by hand.
fn unreadable(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("unreadable {what}").into())
}

fn word<T: Word>(text: &str, what: &'static str) -> Result<T, sqlx::Error> {
    T::from_word(text).ok_or_else(|| unreadable(what))
}

fn from_json<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, sqlx::Error> {
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<serde_json::Value, sqlx::Error> {
    serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Every change must land on the version it was planned from; a smaller count means that somebody else was faster.
fn all_written(affected: u64, wanted: usize) -> bool {
    usize::try_from(affected).is_ok_and(|affected| affected == wanted)
}
