//! The HTTP face of pricing: routes on one screen, and what each refusal is called on the wire.
//!
//! - `price_books`: PUT and GET of price books and their entries; `price_book_body`: their JSON
//! - `prices`: previews, final prices, sealed results and their verification; `price_views`: their JSON
//! - `request`: the bodies that ask for a price, parsed at the edge

pub mod price_book_body;
pub mod price_books;
pub mod price_views;
pub mod prices;
pub mod request;

use http::StatusCode;
use service_runtime::{FieldProblem, Problem, Role};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{State as PricingState, error::PricingError, model::Violation};

/// Who keeps price books.
const BOOK_KEEPERS: &[Role] = &[Role::CatalogAdmin];
/// Who may read the whole content of a price book, see how a price came about, and have it verified.
const INTERNAL: &[Role] = &[Role::SalesRep, Role::Approver, Role::DealDesk, Role::CatalogAdmin, Role::System];
/// Who may have a price sealed.
const SEALERS: &[Role] = &[Role::Buyer, Role::SalesRep, Role::DealDesk, Role::System];
/// Who may change a price by hand.
const PRICE_CHANGERS: &[Role] = &[Role::SalesRep, Role::DealDesk, Role::System];

/// Every route, relative to the service's base path.
pub fn routes() -> OpenApiRouter<PricingState> {
    OpenApiRouter::new()
        .routes(routes!(price_books::list_price_books))
        .routes(routes!(price_books::put_price_book, price_books::get_price_book))
        .routes(routes!(price_books::list_price_book_entries))
        .routes(routes!(prices::preview_price))
        .routes(routes!(prices::seal_final_price))
        .routes(routes!(prices::get_price_result))
        .routes(routes!(prices::verify_price_result))
        .merge(webhooks::routes())
}

impl From<PricingError> for Problem {
    fn from(error: PricingError) -> Self {
        match error {
            PricingError::PriceBookNotFound => Self::not_found("price book"),
            PricingError::PriceResultNotFound => Self::not_found("price result"),
            PricingError::UnknownPriceBook => Self::new(
                StatusCode::NOT_FOUND,
                "unknown-price-book",
                "There is no such price book",
            )
            .pointer("/priceBookId", "unknown-price-book", "no price book of this tenant has this id"),
            PricingError::Stale { current } => Self::precondition_failed(current),
            PricingError::Refused(violations) => refused(violations),
            PricingError::ManualChangeForbidden => Self::forbidden("The caller may not change prices by hand"),
            PricingError::Read(error) => error.into(),
            PricingError::Database(error) | PricingError::Outbox(events::OutboxError::Database(error)) => error.into(),
            error @ (PricingError::UnreadableEvidence(_)
            | PricingError::NotCanonical(_)
            | PricingError::Interrupted(_)
            | PricingError::Outbox(_)
            | PricingError::Payload(_)) => Self::internal(error),
        }
    }
}

/// One kind of violation gives the problem its code, so that a program need not look into the list.
fn refused(violations: Vec<Violation>) -> Problem {
    let code = violations.first().map_or("invalid-request", |first| first.code);
    let one_kind = violations.iter().all(|violation| violation.code == code);
    let domain = matches!(code, "unpriced" | "currency-mismatch" | "currency-fixed");
    let problem = if one_kind && domain {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The request breaks a rule")
    } else {
        Problem::invalid()
    };
    problem.fields(violations.into_iter().map(|it| FieldProblem::new(it.pointer, it.code, it.detail)))
}
