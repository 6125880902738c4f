//! Every cache port, implemented once over a store of bytes.
//!
//! Owns the frame a value is kept in, the protocol of leases, versions and tombstones, single flight, the in-process tier, and
//! the stores that live in this process. Reading order of the code: `store` (what is needed of a store), `frame`, `protocol`,
//! `read_through`, then `ports`. Must never know a client library or a service.

mod engine;
mod flight;
mod fresh;
mod guards;
mod memory;
mod memory_tier;
mod meters;
mod none;
mod ports;
mod read_many;
mod read_through;

#[cfg(feature = "contract-suite")]
pub mod contract;
pub mod counters;
pub mod counting;
pub mod frame;
pub mod hints;
pub mod protocol;
pub mod store;
pub mod streams;

pub use counters::CounterStore;
pub use engine::{Engine, EngineConfig};
pub use guards::{Guard, Guards};
pub use memory::MemoryStore;
pub use none::NoStore;
pub use store::{ByteStore, Place, StoreError, Stored};
pub use streams::StreamStore;

/// The examples in the README, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
