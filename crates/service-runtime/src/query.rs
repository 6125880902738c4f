//! Query strings: unknown or malformed parameters are refused, never guessed.

use axum::extract::{FromRequestParts, Query};
use chrono::{DateTime, Datelike, Utc};
use http::{StatusCode, request::Parts};
use serde::{Deserialize, Deserializer, Serialize, de, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::Problem;

/// The parameters of a request; give the struct `deny_unknown_fields`.
#[derive(Debug, Clone, Copy)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refused = || Problem::new(StatusCode::BAD_REQUEST, "invalid-query", "The query string is not understood");
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(refused().detail("The zero character cannot be stored, so nothing has it"));
        }
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejected) => Err(refused().detail(rejected.body_text())),
        }
    }
}

/// How many items a page may have: 1 to 100, 20 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(minimum = 1, maximum = 100, default = 20)]
pub struct Limit(u32);

impl Limit {
    /// Most items on a page.
    pub const MAX: u32 = 100;

    /// The number of items.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// One more than the page holds: how a query learns that there is a next page.
    pub fn plus_one(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            items @ 1..=Self::MAX => Ok(Self(items)),
            _ => Err(de::Error::custom("limit must be from 1 to 100")),
        }
    }
}

/// The beginning of a name somebody looks for: 1 to 100 characters, in whatever case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 100)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// Most characters.
    const MAX_CHARS: usize = 100;

    /// The same as a pattern of SQL's `like`, in which nothing the caller wrote is special.
    pub fn pattern(&self) -> String {
        let escaped = self.0.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        format!("{escaped}%")
    }
}

impl<'de> Deserialize<'de> for NamePrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.chars().count() {
            1..=Self::MAX_CHARS => Ok(Self(text)),
            _ => Err(de::Error::custom("the beginning of a name has from 1 to 100 characters")),
        }
    }
}

/// A moment somebody names, RFC 3339. Its year has four digits, as the standard wants it and every database takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Moment(pub DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = DateTime::<Utc>::deserialize(deserializer)?;
        if (0..=9999).contains(&at.year()) {
            Ok(Self(at))
        } else {
            Err(de::Error::custom("the year of a moment has four digits"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
        serde_json::from_value(serde_json::Value::from(text))
    }

    #[test]
    fn nothing_in_a_prefix_is_special_and_it_has_its_length() {
        assert_eq!(read::<NamePrefix>(r"5%_\ off").unwrap().pattern(), r"5\%\_\\ off%");
        assert!(read::<NamePrefix>("").is_err() && read::<NamePrefix>(&"x".repeat(101)).is_err());
        assert!(read::<NamePrefix>(&"ü".repeat(100)).is_ok());
    }

    #[test]
    fn a_moment_has_a_year_that_can_be_stored() {
        assert!(read::<Moment>("2026-01-31T00:00:00Z").is_ok());
        for refused in ["+10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "yesterday"] {
            assert!(read::<Moment>(refused).is_err(), "{refused}");
        }
    }
}
