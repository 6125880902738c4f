//! What can go wrong in inventory, in domain words. HTTP is not mentioned here.

use cache_ports::ReadError;
use kernel::{NotCanonical, Version};

use crate::model::{Finding, ReservationState, Shortage};

/// Why a command or query has no result.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// There is no such thing, or it belongs to another tenant.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The request breaks rules.
    #[error("{} rules are broken", .0.len())]
    Invalid(Vec<Finding>),
    /// Not everything that is wanted can be promised.
    #[error("{} lines cannot be promised", .0.len())]
    InsufficientStock(Vec<Shortage>),
    /// The stock of a reservation that ran out has gone to others, or an adjustment takes more than is free.
    #[error("the stock is not there any more")]
    StockGone,
    /// The reference holds another reservation.
    #[error("the reference already reserves something else")]
    ReferenceTaken,
    /// The reference moved the same shelf by another quantity.
    #[error("the reference already moved another quantity")]
    ReferenceReused(Vec<Finding>),
    /// The state machine has no such step.
    #[error("{from:?} cannot become {to:?}")]
    IllegalTransition {
        /// Where it stands.
        from: ReservationState,
        /// Where it should go.
        to: ReservationState,
        /// Where it may go.
        allowed: Vec<ReservationState>,
    },
    /// The aggregate is in another version than the caller thinks.
    #[error("the version is {current}")]
    Stale {
        /// The version it has.
        current: Version,
    },
    /// Somebody did the same at the same time; trying again will tell.
    #[error("somebody did the same at the same time")]
    Contended,
    /// The external id belongs to another product.
    #[error("the external id is taken")]
    ExternalIdTaken,
    /// A row holds a word this program does not know.
    #[error("the database holds an unknown {0}")]
    UnknownWord(&'static str),
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
    #[error("the stock cannot be read")]
    Read(#[from] ReadError),
    /// PostgreSQL failed.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for InventoryError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|database| database.constraint());
        match constraint {
            Some("reserved_within_on_hand") => Self::StockGone,
            Some("product_stock_external_id") => Self::ExternalIdTaken,
            Some("reservation_reference" | "movement_tenant_id_kind_reference_product_id_location_key") => {
                Self::Contended
            }
            _ => Self::Database(error),
        }
    }
}

/// Nothing if there are no findings.
pub fn none_or_invalid(findings: Vec<Finding>) -> Result<(), InventoryError> {
    if findings.is_empty() { Ok(()) } else { Err(InventoryError::Invalid(findings)) }
}
