//! The runtime over a real PostgreSQL and real sockets, with a service of counters standing in for the real ones.
#![expect(clippy::unwrap_used, reason = "a test whose set-up fails cannot go on")]

mod counters;
mod forged_tokens;
mod health;
mod http;
mod idempotency;
mod key_types;
mod limits;
mod paging;
mod pools;
mod service_calls;
mod stopping;
mod tenants;
mod verifying;
