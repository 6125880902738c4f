//! Pricing over HTTP on a real PostgreSQL: a database per test, the service's own role, row-level security on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics; clippy only knows functions marked as tests")]

mod audit;
mod bad_input;
mod evidence;
mod final_prices;
mod isolation;
mod previews;
mod price_books;
mod reaction;
mod world;
