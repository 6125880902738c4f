//! What ordering decides, as pure functions: no I/O, no clock, no storage.
//!
//! Reading order: [`transitions`] (what may follow what), [`rollup`] (an order is the sum of its items), [`intake`] (an
//! acceptance becomes an order), [`plan`] (an order becomes tasks), [`progress`] (how far they have come), [`cancellation`]
//! (what is given back), [`backoff`].

pub mod backoff;
pub mod cancellation;
pub mod intake;
pub mod plan;
pub mod progress;
pub mod rollup;
pub mod transitions;
