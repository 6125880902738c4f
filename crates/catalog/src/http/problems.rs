//! What the catalog's errors mean to a client.

use std::time::Duration;

use axum::http::StatusCode;
use events::OutboxError;
use service_runtime::{FieldProblem, Problem};

use crate::{error::CatalogError, model::Finding, words::Word};

/// How long somebody whose write met another's is told to wait: the other is done in milliseconds.
const RETRY_CONTENDED: Duration = Duration::from_secs(1);

impl From<Finding> for FieldProblem {
    fn from(finding: Finding) -> Self {
        Self::new(finding.pointer, finding.code, finding.detail)
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound(what) => Self::not_found(what),
            CatalogError::Invalid(findings) => Self::invalid().fields(findings.into_iter().map(Into::into)),
            CatalogError::Stale { current } => Self::precondition_failed(current),
            CatalogError::IllegalTransition { from, to, allowed } => {
                Self::conflict("illegal-transition", "The life cycle has no such step")
                    .detail(format!("{} cannot become {}", from.word(), to.word()))
                    .allowed(allowed.into_iter().map(Word::word))
            }
            CatalogError::ExternalIdTaken => Self::conflict("external-id-taken", "The external id is taken").pointer(
                "/externalId",
                "taken",
                "another one has this external id",
            ),
            CatalogError::Contended => Self::conflict("changed-meanwhile", "The catalog was changed in the meantime")
                .retry_after(RETRY_CONTENDED),
            CatalogError::NothingActive => {
                Self::new(StatusCode::NOT_FOUND, "no-active-publication", "No publication is active")
            }
            CatalogError::Database(error) | CatalogError::Outbox(OutboxError::Database(error)) => error.into(),
            CatalogError::Read(error) => error.into(),
            error @ (CatalogError::NotCanonical(_) | CatalogError::Outbox(_) | CatalogError::Payload(_)) => {
                Self::internal(error)
            }
        }
    }
}

/// 400: the query string is not understood.
pub(super) fn invalid_query(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-query", "The query string is not understood").detail(detail)
}
