//! Everything in one process, over servers found or started on this machine: `quoin dev`, `quoin demo`.
//!
//! Owns what is different from a deployment: one address for all services, an issuer anybody may ask, and what stands in
//! for Redis and Kafka where neither can be had. The services are the same code.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use dev_stack::{Component, Durability, Stack, StackRequest};
use service_runtime::server::Lifecycle;

use crate::{
    app::{self, Doors, Duties, Log},
    config::{CacheBackend, Config},
    migrate::migrate,
    services::Service,
};

/// Connections of one pool: ten pools must fit into an ordinary server's hundred connections.
const POOL_CONNECTIONS: u32 = 8;
/// How long the services may take to say that they are ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(20);

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct DevOptions {
    /// Address of services and console, instead of the configured one.
    pub listen: Option<SocketAddr>,
    /// Where to write the base URL once everything answers.
    pub ready_file: Option<PathBuf>,
}

/// A whole product on this machine.
pub struct Development {
    stack: Stack,
    config: Config,
    log: Log,
    doors: Doors,
    ready_file: Option<PathBuf>,
}

/// What runs beside the product gets: its address, and the servers under it.
pub struct Surroundings<'a> {
    /// Base URL of services and console.
    pub url: String,
    /// The servers, to stop one and start it again.
    pub stack: &'a Stack,
    /// To end the product.
    pub lifecycle: Lifecycle,
}

impl Development {
    /// Finds or starts the servers, migrates, and opens the doors.
    pub async fn prepare(mut config: Config, options: DevOptions) -> anyhow::Result<Self> {
        let request = StackRequest { durability: Durability::Full, ..StackRequest::for_development() };
        let stack = Stack::start(request).await.context("cannot start PostgreSQL")?;
        config.owner.database_url = stack.postgres_url()?.into();
        match stack.redis_url() {
            Some(url) => (config.cache.backend, config.cache.redis_url) = (CacheBackend::Redis, url.into()),
            None => config.cache.backend = CacheBackend::Memory,
        }
        config.kafka.brokers = stack.kafka_brokers().unwrap_or_default().to_owned();
        config.development.issuer = true;
        let http = &mut config.runtime.http;
        http.bind = options.listen.unwrap_or(http.bind);
        if http.bind.port() == 0 {
            http.internal_bind.set_port(0);
        }
        let database = &mut config.runtime.database;
        database.max_connections = database.max_connections.min(POOL_CONNECTIONS);
        // The server is everybody's on this machine.
        database.warm_connections = 0;
        migrate(&config).await?;
        let doors = Doors::open(&config).await?;
        config.all_behind(&doors.url()?);
        let log = Log::of(&config);
        Ok(Self { stack, config, log, doors, ready_file: options.ready_file })
    }

    /// What stands where, for the banner.
    pub fn banner(&self) -> anyhow::Result<Banner> {
        let mut servers: Vec<(String, String)> =
            self.stack.describe().into_iter().map(|(component, how)| (component.to_string(), how)).collect();
        let stands_in = |component: Component| match component {
            Component::Redis if self.stack.redis_url().is_none() => Some("the memory store stands in for Redis"),
            Component::Kafka if self.stack.kafka_brokers().is_none() => Some("the in-process bus stands in for Kafka"),
            _ => None,
        };
        servers.extend(Component::ALL.into_iter().filter_map(stands_in).map(|words| (String::new(), words.to_owned())));
        let console = self.config.web.folder.join("index.html").is_file();
        Ok(Banner { url: self.doors.url()?, internal_url: self.doors.internal_url()?, servers, console })
    }

    /// Runs until Ctrl-C, with `beside` beside it once everything answers; then ends the servers it started.
    pub async fn run<B>(self, beside: B) -> anyhow::Result<()>
    where
        B: AsyncFnOnce(Surroundings<'_>) -> anyhow::Result<()>,
    {
        let Self { stack, config, log, doors, ready_file } = self;
        let (url, internal_url) = (doors.url()?, doors.internal_url()?);
        let all = Service::ALL.to_vec();
        let duties = Duties { serve: all.clone(), work: all };
        let mut failed = Ok(());
        let meanwhile = async |lifecycle: Lifecycle| {
            let done = async {
                ready(&internal_url, &lifecycle).await?;
                beside(Surroundings { url: url.clone(), stack: &stack, lifecycle: lifecycle.clone() }).await?;
                app::announce(ready_file.as_deref(), &url)
            };
            failed = done.await;
            if failed.is_err() {
                lifecycle.stop();
            }
        };
        let ran = app::run(config, log, duties, doors, meanwhile).await;
        stack.stop().await.context("cannot end the servers")?;
        ran.and(failed)
    }
}

/// Waits until the product says it is ready.
async fn ready(internal_url: &str, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let stopped = lifecycle.stop_http();
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    while tokio::time::Instant::now() < deadline && !stopped.is_cancelled() {
        let answer = reqwest::get(format!("{internal_url}/ready")).await;
        if answer.is_ok_and(|response| response.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(READY_POLL).await;
    }
    bail!("the services did not become ready within {} s", READY_WITHIN.as_secs())
}

/// What stands where.
#[derive(Debug)]
pub struct Banner {
    url: String,
    internal_url: String,
    servers: Vec<(String, String)>,
    console: bool,
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "quoin {}", env!("CARGO_PKG_VERSION"))?;
        for (component, how) in &self.servers {
            writeln!(f, "  {component:<11} {how}")?;
        }
        writeln!(f, "  {:<11} {}", "services", self.url)?;
        let console = if self.console { self.url.as_str() } else { "not built: make demo builds it where Node.js is" };
        writeln!(f, "  {:<11} {console}", "console")?;
        writeln!(f, "  {:<11} {}/ready, {}/metrics", "health", self.internal_url, self.internal_url)
    }
}
