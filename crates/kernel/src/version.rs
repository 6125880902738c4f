//! The version of an aggregate: counts its changes, gap-free, under its row lock.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many times an aggregate was changed; 1 is the version it was created with, 0 means "never existed".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// Before the first change.
    pub const ZERO: Self = Self(0);
    /// The version a new aggregate has.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As PostgreSQL's `bigint`.
    pub fn to_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From PostgreSQL's `bigint`; a negative number reads as zero.
    pub fn from_i64(number: i64) -> Self {
        Self(u64::try_from(number).unwrap_or(0))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
