//! Every cache port, implemented once over a store of bytes.
//!
//! Owns the frame a value is kept in, the protocol of leases, versions and tombstones, single flight, the in-process tier, and
//! the stores that live in this process, the auditor and the sweeper. Reading order of the code: `store` (what is needed of a
//! store), `frame`, `protocol`, `read_through`, then `ports`; for the auditor `scan`, then `audit`. Must never know a client
//! library or a service.

pub mod audit;
mod engine;
mod flight;
mod fresh;
mod guards;
mod hot_keys;
mod memory;
mod memory_tier;
mod meters;
mod none;
mod patience;
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
pub mod scan;
pub mod store;
pub mod streams;
pub mod sweep;

pub use counters::CounterStore;
pub use engine::{Engine, EngineConfig};
pub use guards::{Guard, Guards};
pub use hot_keys::HotKey;
pub use memory::MemoryStore;
pub use none::NoStore;
pub use scan::KeyScan;
pub use store::{ByteStore, Place, StoreError, Stored};
pub use streams::StreamStore;

/// The examples in the README, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
