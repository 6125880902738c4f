//! What can go wrong in pricing, in domain words. HTTP is not mentioned here.

use cache_ports::ReadError;
use kernel::{NotCanonical, Version};

use crate::{model::Violation, rules::evidence::Difference, store::evidence::EvidenceError};

/// Why a command or a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum PricingError {
    /// No price book has this external id.
    #[error("there is no such price book")]
    PriceBookNotFound,
    /// The price book a request asks to price by does not exist for this tenant.
    #[error("the request names an unknown price book")]
    UnknownPriceBook,
    /// No sealed price has this id.
    #[error("there is no such price result")]
    PriceResultNotFound,
    /// The price book is in another version than the caller thinks, or exists where it should be created.
    #[error("the price book is at version {current}")]
    Stale {
        /// The version it has.
        current: Version,
    },
    /// The request or the price book breaks rules.
    #[error("{} rules are broken", .0.len())]
    Refused(Vec<Violation>),
    /// The caller may not change prices by hand.
    #[error("the caller may not change prices by hand")]
    ManualChangeForbidden,
    /// A stored value of a sealed price cannot be read back.
    #[error("stored evidence cannot be read: {}", .0.field)]
    UnreadableEvidence(Difference),
    /// A value has no canonical JSON form.
    #[error("a value cannot be hashed")]
    NotCanonical(#[from] NotCanonical),
    /// A computation was cut off: the process is stopping or a bug panicked.
    #[error("the computation did not finish")]
    Interrupted(#[from] tokio::task::JoinError),
    /// An event cannot be written.
    #[error("the outbox cannot be written")]
    Outbox(#[from] events::OutboxError),
    /// An event's payload is not JSON.
    #[error("an event cannot be built")]
    Payload(#[from] events::UnwritablePayload),
    /// A read through the cache failed.
    #[error("the price cannot be read")]
    Read(#[from] ReadError),
    /// PostgreSQL failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<Vec<Violation>> for PricingError {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Refused(violations)
    }
}

impl From<EvidenceError> for PricingError {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Database(error) => Self::Database(error),
            EvidenceError::Unreadable(difference) => Self::UnreadableEvidence(difference),
        }
    }
}
