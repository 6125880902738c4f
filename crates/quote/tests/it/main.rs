//! The quote service over HTTP on a real PostgreSQL: a database per test, the service's own roles, row-level security on.
//! Catalog and pricing are stand-ins at the HTTP boundary; the real ones meet in the journeys under `tests/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics; clippy only knows functions marked as tests")]

mod access;
mod access_cached;
mod approvals;
mod audit;
mod bad_input;
mod customers;
mod drafts;
mod eligibility;
mod events;
mod isolation;
mod machines;
mod negotiation;
mod neighbours;
mod notifications;
mod offers;
mod pricing;
mod quote_list;
mod unsaved;
mod visibility;
mod world;
