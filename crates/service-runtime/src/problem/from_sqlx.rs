//! What a failed statement or cache read means to the client. Driver text goes to the log only.

use std::time::Duration;

use cache_ports::{LoadError, ReadError};
use http::StatusCode;
use sqlx::Error;

use super::Problem;

/// What we tell a client to wait when PostgreSQL is away or busy: long enough to reconnect, short enough to be used.
const RETRY_SOON: Duration = Duration::from_secs(1);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if is_transient(&error) { Self::unavailable(RETRY_SOON).caused_by(error) } else { Self::internal(error) }
    }
}

/// Whether the same statement may succeed when it is tried again.
pub fn is_transient(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => true,
        Error::Database(refused) => refused.code().is_some_and(|code| is_transient_code(&code)),
        _ => false,
    }
}

/// SQLSTATE classes: 08 connection, 40 rollback (deadlock, serialization), 53 resources, 55P03 lock timeout,
/// 57 operator intervention (shutdown, statement timeout).
fn is_transient_code(code: &str) -> bool {
    code == "55P03" || ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error.downcast_ref::<Error>() {
            Some(refused) if is_transient(refused) => Self::unavailable(RETRY_SOON).caused_by(error.0.to_string()),
            _ => Self::internal(error.0.to_string()),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Authority(error) => error.into(),
            ReadError::Overloaded { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests wait for the database")
                    .retry_after(retry_after)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_database_is_retryable_and_a_broken_statement_is_not() {
        assert_eq!(Problem::from(Error::PoolTimedOut).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(Problem::from(Error::RowNotFound).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn deadlocks_timeouts_and_shutdowns_are_transient() {
        for code in ["40001", "40P01", "55P03", "57014", "57P01", "53300", "08006"] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["23505", "42P01", "22003", "P0001"] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
