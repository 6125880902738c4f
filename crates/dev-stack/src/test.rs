//! What a test asks for: the shared servers, a migrated database of its own, names nobody else uses, servers it may break.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let database = dev_stack::test::database(&["platform", "catalog"]).await?;
//! let serve = database.service_url("catalog_serve");
//! let redis = dev_stack::test::redis().await?;
//! let prefix = dev_stack::test::unique_name("t");
//! # Ok(()) }
//! ```
//!
//! Tests run in parallel on the same servers: each has its own database, Redis key prefix and Kafka topic prefix, and none
//! may flush, restart or reconfigure a shared server. A test that wants to see a server die takes [`own`].

mod database;
mod wire;

use std::hash::{BuildHasher, RandomState};

use anyhow::Result;
use tokio::sync::OnceCell;

pub use database::{TestDatabase, database, whole_database};
pub use wire::{Fault, Wire};

use crate::component::Component;
use crate::keeper::Lifetime;
use crate::server::Server;
use crate::settings::{Durability, Source};
use crate::shared;

static POSTGRES: OnceCell<Server> = OnceCell::const_new();
static REDIS: OnceCell<Server> = OnceCell::const_new();
static KAFKA: OnceCell<Server> = OnceCell::const_new();

/// URL of the shared PostgreSQL's superuser. Take [`database`] unless the test is about the server itself.
pub async fn postgres() -> Result<&'static str> {
    shared_url(Component::Postgres, &POSTGRES).await
}

/// URL of the shared Redis. Use keys that begin with a [`unique_name`].
pub async fn redis() -> Result<&'static str> {
    shared_url(Component::Redis, &REDIS).await
}

/// Bootstrap servers of the shared Kafka. Use topics that begin with a [`unique_name`], and create them: the broker will not.
pub async fn kafka() -> Result<&'static str> {
    shared_url(Component::Kafka, &KAFKA).await
}

async fn shared_url(component: Component, cell: &'static OnceCell<Server>) -> Result<&'static str> {
    Ok(cell.get_or_try_init(|| shared::attach(component)).await?.url())
}

/// A server for one test alone, which may be stopped, started and frozen. It ends with the returned value.
pub async fn own(component: Component) -> Result<Server> {
    own_with(component, Durability::Throwaway).await
}

/// The same, keeping its promises when it is killed: a throw-away PostgreSQL forgets what it has just confirmed.
pub async fn own_with(component: Component, durability: Durability) -> Result<Server> {
    Server::obtain(component, Source::from_environment()?, durability, &Lifetime::Owned).await
}

/// `<prefix>-<16 hex digits>`: fit for a tenant, a key prefix or a topic prefix, and used by nobody else.
pub fn unique_name(prefix: &str) -> String {
    // The standard library seeds every RandomState from the system's randomness and then counts.
    format!("{prefix}-{:016x}", RandomState::new().hash_one(std::process::id()))
}
