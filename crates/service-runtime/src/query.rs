//! Query strings: unknown or malformed parameters are refused, never guessed.

use axum::extract::{FromRequestParts, Query};
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
