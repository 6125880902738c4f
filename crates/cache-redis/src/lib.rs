//! The shared store over Redis. The only crate that names the client library.
//!
//! Owns pools per workload, time budgets, the breaker, and the scripts. Redis may be absent, slow, flushed or wrong at any
//! time; nothing here waits for it longer than a command's budget. Must never know a keyspace's meaning or a value's type.

mod breaker;
mod config;
mod pool;
mod scripts;
mod store;

pub use config::{InvalidRedisUrl, PoolName, RedisConfig};
pub use store::{PoolState, RedisStore};
