//! What each failure of the domain means over HTTP.

use axum::http::StatusCode;
use kernel::Version;
use rust_decimal::Decimal;
use service_runtime::{FieldProblem, Problem};

use crate::{
    error::{NotEligible, QuoteError},
    rules::transitions::Refused,
};

impl From<QuoteError> for Problem {
    fn from(error: QuoteError) -> Self {
        match error {
            QuoteError::NotFound(what) => Self::not_found(what),
            QuoteError::VersionChanged { current } => Self::precondition_failed(current),
            QuoteError::IllegalTransition(refused) => illegal_transition(refused),
            QuoteError::NotCurrentRevision { current } => {
                Self::conflict("not-current-revision", "Only the newest revision can be worked with")
                    .member("currentRevisionNo", current)
            }
            QuoteError::PriceStale => {
                Self::conflict("price-stale", "The revision has no price for its present lines").allowed(["price"])
            }
            QuoteError::ContentChanged => {
                Self::conflict("content-changed", "The content is not what was decided about")
            }
            QuoteError::OfferExpired { valid_until } => {
                Self::conflict("offer-expired", "The offer's time is over").member("validUntil", valid_until)
            }
            QuoteError::NotFirm(level) => {
                Self::conflict("not-firm", "Only a firm quote can be accepted").member("level", level)
            }
            QuoteError::SeparationOfDuties => {
                Self::new(StatusCode::FORBIDDEN, "separation-of-duties", "The requester and the editors cannot decide")
            }
            QuoteError::AccessRevoked { since } => {
                Self::new(StatusCode::FORBIDDEN, "access-revoked", "Whoever was revoked decides nothing")
                    .member("revokedAt", since)
            }
            QuoteError::ApprovalLimitExceeded { limit_percent, discount_percent, policy } => {
                limit_exceeded(limit_percent, discount_percent, policy)
            }
            QuoteError::OwnRevocation => {
                Self::new(StatusCode::FORBIDDEN, "own-revocation", "Nobody lifts his own revocation")
            }
            QuoteError::NotPermitted(why) => Self::forbidden(why),
            QuoteError::DuplicateExternalId { existing } => {
                Self::conflict("duplicate-external-id", "Another quote has this external id")
                    .pointer("/externalId", "duplicate", "must be unique in the tenant")
                    .member("existingId", existing)
            }
            QuoteError::NotEligible { policy, refused } => {
                Self::conflict("not-eligible", "The customer may not have every line of this quote")
                    .fields(refused.into_iter().flat_map(ineligible_line))
                    .member("policyVersion", policy)
            }
            QuoteError::Invalid(fields) => Self::invalid().fields(fields),
            QuoteError::Refused(problem) => *problem,
            QuoteError::BadPrice(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "upstream-failed", "Another service failed").caused_by(error)
            }
            QuoteError::Database(error) | QuoteError::Outbox(events::OutboxError::Database(error)) => error.into(),
            QuoteError::Outbox(events::OutboxError::PayloadTooLarge { .. }) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "quote-too-large", "The quote is too large to be published")
                    .caused_by(error)
            }
            QuoteError::ContentTampered
            | QuoteError::Unreadable(_)
            | QuoteError::NotCanonical(_)
            | QuoteError::Event(_) => Self::internal(error),
        }
    }
}

/// One entry for each rule that refuses the line.
fn ineligible_line(line: NotEligible) -> impl Iterator<Item = FieldProblem> {
    let pointer = format!("/items/{}/offeringId", line.position);
    line.reasons.into_iter().map(move |reason| FieldProblem::new(pointer.clone(), reason.code, reason.text))
}

fn limit_exceeded(limit: Decimal, discount: Decimal, policy: Version) -> Problem {
    let (limit, discount) = (limit.normalize().to_string(), discount.normalize().to_string());
    let title = "The discount is deeper than the caller may approve";
    Problem::new(StatusCode::FORBIDDEN, "approval-limit-exceeded", title)
        .detail(format!("The discount is {discount} %, the limit {limit} %"))
        .member("discountPercent", discount)
        .member("maxDiscountPercent", limit)
        .member("policyVersion", policy)
}

fn illegal_transition(refused: Refused) -> Problem {
    Problem::conflict("illegal-transition", "Not possible in this state")
        .detail(format!("The state is {}", refused.state))
        .member("state", refused.state)
        .allowed(refused.allowed)
}
