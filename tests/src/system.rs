//! One deployment for one test.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use dev_stack::{Component, Server, test};
use quoin::{
    api::{Api, Credential, Endpoints, Person},
    deployment::{Deployment, Servers},
};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// How long a call is repeated while something is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the test means to do to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Nothing: the shared one serves.
    Calm,
    /// It will be killed, flushed, frozen: one of its own.
    OwnRedis,
    /// There is none.
    NoRedis,
}

/// A deployment with everything around it. Dropping it ends the processes and drops the database.
pub struct System {
    /// The processes.
    pub deployment: Deployment,
    /// Its Redis, when it has one of its own.
    pub redis: Option<Server>,
    /// The servers, to start a second deployment beside.
    pub servers: Servers,
    /// A tenant nobody else uses.
    pub tenant: String,
    folder: TempDir,
    _database: test::TestDatabase,
}

impl System {
    /// Starts `program` on a database of its own.
    pub async fn start(program: &str, weather: Weather) -> Result<Self> {
        Self::start_with(program, weather, &[]).await
    }

    /// The same with more settings.
    pub async fn start_with(program: &str, weather: Weather, settings: &[(&str, &str)]) -> Result<Self> {
        let database = test::whole_database().await?;
        let redis = if weather == Weather::OwnRedis { Some(test::own(Component::Redis).await?) } else { None };
        let redis_url = match (&redis, weather) {
            (Some(server), _) => Some(server.url().to_owned()),
            (None, Weather::NoRedis) => None,
            (None, _) => Some(test::redis().await?.to_owned()),
        };
        let servers = Servers {
            postgres_url: database.admin_url(),
            redis_url,
            kafka_brokers: test::kafka().await?.to_owned(),
            prefix: test::unique_name("sys"),
        };
        let folder = tempfile::tempdir()?;
        let deployment = Deployment::start(Path::new(program), folder.path(), &servers, settings).await?;
        let tenant = test::unique_name("t");
        Ok(Self { deployment, redis, servers, tenant, folder, _database: database })
    }

    /// A second deployment on the same servers and with the same key, for example without Redis.
    pub async fn beside(&self, program: &str, servers: &Servers, settings: &[(&str, &str)]) -> Result<Deployment> {
        Deployment::start(Path::new(program), self.folder.path(), servers, settings).await
    }

    /// The API, spoken by somebody of the test's tenant.
    pub fn api(&self, subject: &str, roles: &[&str]) -> Result<Api> {
        api(&self.deployment.url(), &self.tenant, subject, roles)
    }

    /// A connection that sees everything.
    pub async fn owner(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.servers.postgres_url).await.context("cannot connect as the owner")
    }
}

/// The API at an address, spoken by somebody of a tenant.
pub fn api(url: &str, tenant: &str, subject: &str, roles: &[&str]) -> Result<Api> {
    let person = Credential::issued(Person::new(tenant, subject, roles));
    Ok(Api::new(Arc::new(Endpoints::single(url)), person, PATIENCE)?)
}

/// Waits until `condition` gives a value.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    /// Far beyond what anything here takes, also several leases one after the other on a machine that does other work; only
    /// a broken product reaches it.
    const LIMIT: Duration = Duration::from_mins(3);
    const PAUSE: Duration = Duration::from_millis(50);
    let waiting = async {
        loop {
            if let Some(value) = condition().await? {
                return Ok(value);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.with_context(|| format!("{what}: not within {} s", LIMIT.as_secs()))?
}

/// Waits until a number is nought. That may take as long as it likes, but the number must go on changing.
pub async fn come_down(what: &str, mut number: impl AsyncFnMut() -> Result<i64>) -> Result<()> {
    loop {
        let left = number().await?;
        if left == 0 {
            return Ok(());
        }
        let moved = eventually(what, async || Ok((number().await? != left).then_some(()))).await;
        moved.with_context(|| format!("it stands still at {left}"))?;
    }
}
