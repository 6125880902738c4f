//! The quote service over HTTP: every route on one screen.
//!
//! Handlers parse, ask for a role, run one command or query, and answer. Mutations of an existing quote need If-Match;
//! accept, approve, reject and cancel need an Idempotency-Key instead. Must never decide anything about a quote.

mod access;
mod access_bodies;
mod bodies;
mod customers;
mod decisions;
mod draft_bodies;
mod drafts;
mod eligibility;
mod eligibility_bodies;
mod items;
mod lists;
mod notifications;
mod offers;
mod problem;
mod quote_list;
mod quotes;
mod respond;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::State;

pub use notifications::Waiting;

/// Every route, relative to the service's base path.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(customers::import_customers))
        .routes(routes!(customers::list_customers))
        .routes(routes!(customers::customer_by_id))
        .routes(routes!(notifications::notifications_of_caller))
        .routes(routes!(eligibility::check_eligibility))
        .routes(routes!(eligibility::active_policy, eligibility::put_policy))
        .routes(routes!(eligibility::policy_by_version))
        .routes(routes!(access::own_profile))
        .routes(routes!(access::active_access_policy, access::put_access_policy))
        .routes(routes!(access::revoke_access, access::restore_access))
        .routes(routes!(quotes::create_quote, lists::list_quotes))
        .routes(routes!(quote_list::quote_list))
        .routes(routes!(quotes::quote_by_id))
        .routes(routes!(quotes::history_of_quote))
        .routes(routes!(quotes::revision_by_no))
        .routes(routes!(quotes::acceptance_of_revision))
        .routes(routes!(drafts::unsaved_edits, drafts::keep_edits, drafts::discard_edits))
        .routes(routes!(drafts::save_edits))
        .routes(routes!(items::add_item))
        .routes(routes!(items::change_item, items::remove_item))
        .routes(routes!(decisions::price_revision))
        .routes(routes!(decisions::submit_revision))
        .routes(routes!(decisions::approve_revision))
        .routes(routes!(decisions::reject_revision))
        .routes(routes!(decisions::recall_revision))
        .routes(routes!(offers::present_revision))
        .routes(routes!(offers::accept_revision))
        .routes(routes!(offers::decline_revision))
        .routes(routes!(offers::request_changes))
        .routes(routes!(offers::unable_to_provide))
        .routes(routes!(offers::open_revision))
        .routes(routes!(offers::cancel_quote))
        .routes(routes!(offers::lose_quote))
        .merge(webhooks::routes())
}
