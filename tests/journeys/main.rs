//! Journeys through the whole product: real processes, PostgreSQL, Redis and Kafka, spoken to over HTTP.
//!
//! Every test has a database, a tenant, topics and keys of its own, so they run side by side.

mod access;
mod alone;
mod audit;
mod eligibility;
mod events;
mod faults;
mod hub;
mod isolation;
mod messaging;
mod outage;
mod projections;
mod refusals;
mod retail;
mod sale;
mod signals;
mod trace;

/// The executable these tests were built with.
const PROGRAM: &str = env!("CARGO_BIN_EXE_quoin-under-test");
