//! The contract of events: what is written, what is read, and what may change.
//!
//! Every published event has a schema (`docs/api/events`), generated from its payload's type, and samples, written once by its
//! service's own functions and never edited. Held to: samples fit their schemas and show every field of them; every consumer
//! of the product reads every sample of every version, with fields in it that nobody knows, and survives what is no payload at
//! all; and a schema that was published only grows by optional fields. What a running product publishes is checked by the
//! journey in `tests/journeys/events.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics; clippy only knows functions marked as tests")]

mod consumers;
mod files;
mod mutation;
mod samples;
mod schemas;
