//! What can go wrong in the catalog, in domain words. HTTP is not mentioned here.

use cache_ports::{ReadError, catalog::LifecycleStatus};
use kernel::{NotCanonical, Version};

use crate::model::Finding;

/// Why a command or query has no result.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such thing, or it belongs to another tenant.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The input, or the working copy, breaks rules.
    #[error("{} rules are broken", .0.len())]
    Invalid(Vec<Finding>),
    /// The aggregate is in another version than the caller thinks.
    #[error("the version is {current}")]
    Stale {
        /// The version it has.
        current: Version,
    },
    /// The state machine has no such step.
    #[error("{from:?} cannot become {to:?}")]
    IllegalTransition {
        /// Where it stands.
        from: LifecycleStatus,
        /// Where it should go.
        to: LifecycleStatus,
        /// Where it may go.
        allowed: Vec<LifecycleStatus>,
    },
    /// Another aggregate of the tenant has this external id.
    #[error("the external id is taken")]
    ExternalIdTaken,
    /// Somebody else changed the same aggregates in between; trying again will work.
    #[error("the catalog was changed in the meantime")]
    Contended,
    /// Nothing was ever activated.
    #[error("no publication is active")]
    NothingActive,
    /// A value has no canonical JSON form.
    #[error("a value cannot be hashed")]
    NotCanonical(#[from] NotCanonical),
    /// An event cannot be written.
    #[error("the outbox cannot be written")]
    Outbox(#[from] events::OutboxError),
    /// An event's payload is not JSON.
    #[error("an event cannot be built")]
    Payload(#[from] events::UnwritablePayload),
    /// A read through the cache failed.
    #[error("the catalog cannot be read")]
    Read(#[from] ReadError),
    /// PostgreSQL failed.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|database| database.constraint());
        match constraint {
            Some("specification_external_id" | "offering_external_id") => Self::ExternalIdTaken,
            _ => Self::Database(error),
        }
    }
}

impl From<Vec<Finding>> for CatalogError {
    fn from(findings: Vec<Finding>) -> Self {
        Self::Invalid(findings)
    }
}

/// Nothing if there are no findings.
pub fn none_or_invalid(findings: Vec<Finding>) -> Result<(), CatalogError> {
    if findings.is_empty() { Ok(()) } else { Err(findings.into()) }
}
