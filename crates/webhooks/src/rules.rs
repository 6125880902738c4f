//! What is decided about callbacks: pure functions, with their tests beside them.

pub mod address;
pub mod backoff;
pub mod callback;
pub mod filter;
pub mod letter;
pub mod secret;
