//! What a failed statement or cache read means to the client. Driver text goes to the log only.

use std::{error::Error as StdError, iter, time::Duration};

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
        // An answer that breaks off, as of a server that is killed, is a fault of the protocol.
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => true,
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
        // Loaders speak their domain's words; what the database said lies under them.
        let mut causes = iter::successors(Some(&*error.0 as &(dyn StdError + 'static)), |&cause| cause.source());
        let passing = causes.find_map(|cause| cause.downcast_ref::<Error>()).is_some_and(is_transient);
        if passing { Self::unavailable(RETRY_SOON).caused_by(error.0) } else { Self::internal(error.0) }
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
    fn what_a_loader_fails_of_is_found_under_its_own_words() {
        #[derive(Debug, thiserror::Error)]
        #[error("the order cannot be read")]
        struct Domain(#[source] Error);
        for (cause, status) in [
            (Error::PoolClosed, StatusCode::SERVICE_UNAVAILABLE),
            (Error::Protocol("it broke off".to_owned()), StatusCode::SERVICE_UNAVAILABLE),
            (Error::RowNotFound, StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            assert_eq!(Problem::from(LoadError::from(Domain(cause))).status(), status);
        }
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
