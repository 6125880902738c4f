//! Why something about a callback fails, and what each failure means over HTTP.

use kernel::Version;
use service_runtime::Problem;

use crate::{
    model::MAX_SUBSCRIPTIONS,
    rules::{callback::CallbackFault, filter::FilterFault},
};

/// Why a command or query about callbacks fails.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No such subscription, or not in this tenant.
    #[error("there is no such subscription")]
    NotFound,
    /// The subscription changed since the caller read it.
    #[error("the subscription is in version {current}")]
    VersionChanged {
        /// The version it is in.
        current: Version,
    },
    /// The tenant has as many subscriptions as it may have.
    #[error("there are {MAX_SUBSCRIPTIONS} subscriptions already")]
    TooMany,
    /// The callback cannot be used.
    #[error("the callback {0}")]
    Callback(CallbackFault),
    /// The filter cannot be read.
    #[error("the filter {0}")]
    Filter(FilterFault),
    /// A replay cannot begin at this number.
    #[error("a replay can begin at {oldest} to {next}")]
    NotKept {
        /// The oldest event that is kept.
        oldest: i64,
        /// The number the next event will have.
        next: i64,
    },
    /// The system gives no randomness.
    #[error("no secret can be made")]
    NoRandomness(#[from] aws_lc_rs::error::Unspecified),
    /// PostgreSQL refused or was lost.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
}

/// What commands and queries answer.
pub type HubResult<T> = Result<T, HubError>;

impl From<HubError> for Problem {
    fn from(error: HubError) -> Self {
        match error {
            HubError::NotFound => Self::not_found("subscription"),
            HubError::VersionChanged { current } => Self::precondition_failed(current),
            HubError::TooMany => {
                Self::conflict("too-many-subscriptions", "The tenant has as many subscriptions as it may")
                    .member("limit", MAX_SUBSCRIPTIONS)
            }
            HubError::Callback(fault) => Self::invalid().pointer("/callback", fault.code(), fault.to_string()),
            HubError::Filter(fault) => Self::invalid().pointer("/query", fault.code(), fault.to_string()),
            HubError::NotKept { oldest, next } => Self::invalid()
                .pointer(
                    "/fromSequence",
                    "not-kept",
                    format!("must be from {oldest}, the oldest event kept, to {next}"),
                )
                .member("oldestSequence", oldest)
                .member("nextSequence", next),
            HubError::NoRandomness(error) => Self::internal(error),
            HubError::Database(error) => error.into(),
        }
    }
}
