//! Why an order command or query fails, in words of the domain. HTTP statuses are given in `http/problem.rs`.

use kernel::{CancellationId, Version};
use service_runtime::{FieldProblem, Problem};

use crate::{model::OrderState, rules::intake::BadAcceptance};

/// Why a command or query of this service fails.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such object, or not in this tenant.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody else changed the order since the caller read it.
    #[error("the order is in version {current}")]
    VersionChanged {
        /// The version it is in.
        current: Version,
    },
    /// The state does not allow the command.
    #[error("not possible in state {state}")]
    IllegalTransition {
        /// The state that refuses.
        state: &'static str,
        /// What a client may do instead.
        allowed: Vec<&'static str>,
    },
    /// The quote's revision was not accepted, or is not this tenant's.
    #[error("this revision was not accepted")]
    NotAccepted,
    /// The whole order is being cancelled already.
    #[error("the whole order is being cancelled already")]
    AlreadyCancelling {
        /// By this request.
        existing: CancellationId,
    },
    /// Everything was cancelled before.
    #[error("nothing is left to cancel in state {}", .0.as_str())]
    NothingLeft(OrderState),
    /// Fields of the request break rules.
    #[error("the request breaks {} rule(s)", .0.len())]
    Invalid(Vec<FieldProblem>),
    /// Another service refused, and its answer concerns the client.
    #[error("another service refused")]
    Refused(#[source] Box<Problem>),
    /// What the quote service says was accepted contradicts itself.
    #[error("the acceptance cannot be used")]
    BadAcceptance(#[from] BadAcceptance),
    /// A stored value is not one this version knows.
    #[error("the stored {0} cannot be read")]
    Unreadable(&'static str),
    /// An amount cannot be computed.
    #[error("an amount cannot be computed")]
    Money(#[from] kernel::MoneyError),
    /// The event cannot be written as JSON.
    #[error("the event cannot be written")]
    Event(#[from] events::UnwritablePayload),
    /// The event cannot be appended.
    #[error("the event cannot be appended")]
    Outbox(#[from] events::OutboxError),
    /// PostgreSQL refused or was lost.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
}

/// What commands and queries answer.
pub type OrderResult<T> = Result<T, OrderError>;
