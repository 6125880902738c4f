//! What each failure of the domain means over HTTP.

use axum::http::StatusCode;
use service_runtime::Problem;

use crate::error::OrderError;

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::NotFound(what) => Self::not_found(what),
            OrderError::VersionChanged { current } => Self::precondition_failed(current),
            OrderError::IllegalTransition { state, allowed } => {
                Self::conflict("illegal-transition", "Not possible in this state")
                    .detail(format!("The state is {state}"))
                    .member("state", state)
                    .allowed(allowed)
            }
            OrderError::NotAccepted => {
                Self::invalid().pointer("/quoteId", "not-accepted", "this revision of this quote was not accepted")
            }
            OrderError::AlreadyCancelling { existing } => {
                Self::conflict("already-cancelling", "The whole order is being cancelled already")
                    .member("existingId", existing)
            }
            OrderError::NothingLeft(state) => {
                Self::conflict("nothing-left", "Everything was cancelled before").member("state", state)
            }
            OrderError::Invalid(fields) => Self::invalid().fields(fields),
            OrderError::Refused(problem) => *problem,
            OrderError::BadAcceptance(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "upstream-failed", "Another service failed").caused_by(error)
            }
            OrderError::Database(error) | OrderError::Outbox(events::OutboxError::Database(error)) => error.into(),
            OrderError::Outbox(_) | OrderError::Unreadable(_) | OrderError::Money(_) | OrderError::Event(_) => {
                Self::internal(error)
            }
        }
    }
}
