//! The order service over HTTP on a real PostgreSQL: a database per test, the service's own roles, row-level security on.
//! Quote and inventory are stand-ins at the HTTP boundary; the real ones meet in the journeys under `tests/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics; clippy only knows functions marked as tests")]

mod audit;
mod bad_input;
mod cancellations;
mod creation;
mod fencing;
mod fulfilment;
mod isolation;
mod listing;
mod machines;
mod neighbours;
mod order_list;
mod rebuilding;
mod results;
mod workflow;
mod world;
