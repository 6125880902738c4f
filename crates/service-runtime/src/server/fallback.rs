//! Requests nobody answers: unknown paths and methods get problems like everything else.

use axum::Router;
use http::{Method, StatusCode};

use crate::Problem;

/// Adds the answers for unknown paths and methods. Call it last, on the whole router.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.fallback(unknown_path).method_not_allowed_fallback(unknown_method)
}

async fn unknown_path() -> Problem {
    Problem::not_found("path")
}

async fn unknown_method(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not know this method")
        .detail(format!("{method} is not among the methods in Allow"))
}
