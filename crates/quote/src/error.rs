//! Why a quote command or query fails, in words of the domain. HTTP statuses are given in `http/problem.rs`.

use cache_ports::eligibility::EligibilityReason;
use chrono::{DateTime, Utc};
use kernel::{QuoteId, Version};
use rust_decimal::Decimal;
use service_runtime::{FieldProblem, Problem};

use crate::{
    model::Level,
    rules::{content::PriceMismatch, transitions::Refused},
};

/// Why a command or query of this service fails.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// No such object, or not in this tenant.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody else changed the quote since the caller read it.
    #[error("the quote is in version {current}")]
    VersionChanged {
        /// The version it is in.
        current: Version,
    },
    /// The state does not allow the command.
    #[error("not possible in state {}", .0.state)]
    IllegalTransition(Refused),
    /// The revision is not the newest one.
    #[error("revision {current} is the current one")]
    NotCurrentRevision {
        /// The newest revision.
        current: u32,
    },
    /// The lines changed since they were priced, or were never priced.
    #[error("the revision has no price for its present lines")]
    PriceStale,
    /// The caller decided about other content than the revision has.
    #[error("the content is not what the caller decided about")]
    ContentChanged,
    /// The rows are not what was frozen: somebody wrote past this service.
    #[error("the stored content does not match its hash")]
    ContentTampered,
    /// The offer's time is over, by the database's clock.
    #[error("the offer ended at {valid_until}")]
    OfferExpired {
        /// When it ended.
        valid_until: DateTime<Utc>,
    },
    /// Only a firm quote can be accepted.
    #[error("a {} quote cannot be accepted", .0.as_str())]
    NotFirm(Level),
    /// Whoever asked for an approval or edited the content cannot decide about it.
    #[error("the requester and the editors cannot decide")]
    SeparationOfDuties,
    /// Whoever was revoked decides nothing.
    #[error("the caller was revoked at {since}")]
    AccessRevoked {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The discount is deeper than the caller may approve.
    #[error("a discount of {discount_percent} % is above the limit of {limit_percent} %")]
    ApprovalLimitExceeded {
        /// What the caller may approve.
        limit_percent: Decimal,
        /// What approval is asked for.
        discount_percent: Decimal,
        /// The policy that says so.
        policy: Version,
    },
    /// Somebody else has to lift a revocation.
    #[error("nobody lifts his own revocation")]
    OwnRevocation,
    /// The caller's role may not do this.
    #[error("{0}")]
    NotPermitted(&'static str),
    /// Another quote has this external id.
    #[error("another quote has this external id")]
    DuplicateExternalId {
        /// That quote.
        existing: QuoteId,
    },
    /// The policy in force does not give the customer every line.
    #[error("policy {policy} refuses {} line(s)", .refused.len())]
    NotEligible {
        /// The policy.
        policy: Version,
        /// The lines.
        refused: Vec<NotEligible>,
    },
    /// Fields of the request break rules.
    #[error("the request breaks {} rule(s)", .0.len())]
    Invalid(Vec<FieldProblem>),
    /// Another service refused, and its answer concerns the client.
    #[error("another service refused")]
    Refused(#[source] Box<Problem>),
    /// The pricing service answered nonsense.
    #[error("the price cannot be used")]
    BadPrice(#[from] PriceMismatch),
    /// A stored value is not one this version knows.
    #[error("the stored {0} cannot be read")]
    Unreadable(&'static str),
    /// A value has no canonical form.
    #[error("the content cannot be hashed")]
    NotCanonical(#[from] kernel::NotCanonical),
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

/// A line the customer may not have.
#[derive(Debug, Clone)]
pub struct NotEligible {
    /// Its position in the revision.
    pub position: usize,
    /// Why.
    pub reasons: Vec<EligibilityReason>,
}

impl QuoteError {
    /// One field at fault.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(pointer, code, detail)])
    }
}

/// What commands and queries answer.
pub type QuoteResult<T> = Result<T, QuoteError>;
