//! The harness of the system tests: the product as processes of its own, on shared servers but with names nobody else
//! uses, spoken to over HTTP like any client would.
//!
//! Owns starting and stopping, a small shop to trade in, hands in Redis, asking the auditor, and a collector for traces. Must never call into a
//! service's crate: whatever a test knows, a client could know.

pub mod audit;
pub mod collector;
pub mod doom;
pub mod evidence;
pub mod proofs;
pub mod redis;
pub mod shop;
pub mod system;
pub mod topics;

pub use shop::Shop;
pub use system::{System, Weather};
