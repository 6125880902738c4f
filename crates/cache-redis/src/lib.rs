//! The shared store over Redis. The only crate that names the client library.
//!
//! Owns pools of connections, time budgets, the breaker, the scripts, and the channel of hints. Redis may be absent, slow, flushed or wrong at any
//! time; nothing here waits for it longer than a command's budget. Must never know a keyspace's meaning or a value's type.

mod breaker;
mod cluster;
mod config;
mod connections;
#[cfg(feature = "contract-suite")]
pub mod contract;
mod counters;
mod hints;
mod lives;
mod meters;
mod reading;
mod scan;
mod scripts;
mod silence;
mod store;
mod streams;
mod survey;
mod tls;

pub use cache_engine::store::Pool;
pub use config::{InvalidRedisConfig, RedisConfig};
pub use hints::RedisHints;
pub use store::{PoolState, RedisStore};
pub use survey::{EvictionHazard, ServerFacts, Survey, eviction_hazards};

/// The examples in the README, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
