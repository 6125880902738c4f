//! Inventory over HTTP on a real PostgreSQL: a database per test, the service's own roles, row-level security on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics; clippy only knows functions marked as tests")]

mod audit;
mod bad_input;
mod contention;
mod expiry;
mod installed;
mod isolation;
mod reads;
mod reservations;
mod stock;
mod world;
