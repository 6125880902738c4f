//! Where PostgreSQL, Redis and Kafka come from on a developer's machine: for `quoin dev`, for the benches and for every test.
//!
//! Decided per component, in this order, and said aloud by [`Stack::describe`]:
//!
//! 1. a URL given in the environment (`QUOIN_POSTGRES_URL`, `QUOIN_REDIS_URL`, `QUOIN_KAFKA_BROKERS`; tests read the
//!    same names with `QUOIN_TEST_`, so that a production-like URL is never taken for a scratch server);
//! 2. a container, when a Docker engine answers and has or can pull the image (`QUOIN_IMAGE_POSTGRES`, …);
//! 3. a local process: the machine's own PostgreSQL or one fetched by `postgresql_embedded`, `redis-server` from `PATH`,
//!    Kafka in KRaft mode from its Maven jars under the machine's Java.
//!
//! `QUOIN_STACK=container` or `=process` forces one way; then a failure is an error, not a fallback.
//!
//! Owns: starting, stopping and finding those servers, databases made from a migrated template, and running migrations
//! from disk. Must never know: what the product keeps in them. Nothing here is used in production.
//!
//! Reading order: [`Stack`] (one stack for one program) → [`Server`] (one component, which can be stopped and started
//! again to show that nothing breaks) → [`mod@test`] (what a test asks for). [`RedisCluster`] stands beside them.

mod background;
mod cluster;
mod component;
mod container;
mod kafka;
mod keeper;
mod migrate;
mod postgres;
mod process;
mod ready;
mod redis;
mod server;
mod settings;
mod shared;
mod stack;
pub mod test;

pub use cluster::{ClusterShape, RedisCluster};
pub use component::Component;
pub use migrate::{migrate, migrations_folder};
pub use server::{Origin, Server};
pub use settings::{Durability, Source};
pub use shared::{SharedState, shared_state, stop_shared};
pub use stack::{Need, Stack, StackRequest};
