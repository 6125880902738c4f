//! What live counts need of a store: shares that are added to and taken from, and a list of the greatest.
//!
//! Owns the trait and its words. Every operation is atomic on one key and may be lost; none is ever sent twice, so that a
//! count is rather too small than too big. Must never know what is counted.

use std::time::Duration;

use async_trait::async_trait;

use crate::store::StoreError;

/// What several shares gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Units that nobody had taken before: whoever got them is the only one who did.
    pub pending: u64,
    /// All units of these shares, taken or not.
    pub total: u64,
    /// Whether every share answered. Where one did not, its units stay for the next time.
    pub complete: bool,
}

/// Counts on shares.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// Adds to one share. Its life begins with its first unit, and is not lengthened by later ones.
    async fn add(&self, share: &str, units: u64, life: Duration) -> Result<(), StoreError>;

    /// The units of several shares together, taken or not, in one round trip.
    async fn sum(&self, shares: &[String]) -> Result<u64, StoreError>;

    /// Takes from each share what nobody has taken yet. An error when no share answered.
    async fn take(&self, shares: &[String]) -> Result<Taken, StoreError>;

    /// Notes the count of a member on a list that keeps the `keep` greatest. The life of the list is that of a share.
    async fn rank(&self, list: &str, member: &str, total: u64, keep: u16, life: Duration) -> Result<(), StoreError>;

    /// The greatest, greatest first.
    async fn top(&self, list: &str, limit: u16) -> Result<Vec<(String, u64)>, StoreError>;
}
