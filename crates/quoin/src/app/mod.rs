//! The parts of one process put together: stores, log, identities, databases, and the services over them.
//!
//! Owns which implementation stands behind each port, and the order of starting and stopping. Decides nothing about a
//! domain, and names no client library: those are behind `cache-redis` and `events-kafka`.

mod console;
mod identities;
mod limits;
mod measured;
mod parts;
mod routes;
mod work;

use std::{future::Future, path::Path, sync::Arc};

use anyhow::Context;
use cache_engine::{Engine, NoStore};
use service_runtime::{Health, internal_router, server, server::Lifecycle};
use tokio::net::TcpListener;

pub use self::{
    parts::{Log, Parts, Stores},
    work::answering,
};
use crate::{config::Config, services::Service};

/// What a process does.
#[derive(Debug, Clone, Default)]
pub struct Duties {
    /// Services it answers for.
    pub serve: Vec<Service>,
    /// Services it works for.
    pub work: Vec<Service>,
}

/// Listeners that are bound already, so that their addresses are known before anything starts.
#[derive(Debug)]
pub struct Doors {
    /// Services and console.
    pub public: TcpListener,
    /// Health and metrics.
    pub internal: TcpListener,
}

impl Doors {
    /// Binds both addresses of the configuration.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let http = &config.runtime.http;
        let bind = async |address: std::net::SocketAddr| {
            let bound = TcpListener::bind(address).await;
            bound.with_context(|| format!("cannot listen on {address}: is another quoin running?"))
        };
        Ok(Self { public: bind(http.bind).await?, internal: bind(http.internal_bind).await? })
    }

    /// `http://<address>` of the services.
    pub fn url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.public.local_addr()?))
    }

    /// `http://<address>` of health and metrics.
    pub fn internal_url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.internal.local_addr()?))
    }
}

/// Runs a process until it is told to stop. `meanwhile` runs beside it and may stop it through the lifecycle.
pub async fn run<M>(config: Config, log: Log, duties: Duties, doors: Doors, meanwhile: M) -> anyhow::Result<()>
where
    M: AsyncFnOnce(Lifecycle),
{
    let telemetry =
        service_runtime::telemetry::init(&config.runtime.telemetry, "quoin").context("cannot set up telemetry")?;
    let parts = Parts::new(config, log).await?;
    let lifecycle = Lifecycle::new(parts.health.clone());
    let public = routes::public(&parts, &duties.serve)?;
    let internal = internal_router(parts.health.clone(), telemetry.metrics());
    work::start(&parts, &duties, &lifecycle)?;
    let http = parts.config.runtime.http.clone();
    let serving = async {
        let public = server::serve(doors.public, public, &http, lifecycle.stop_http());
        let internal = server::serve(doors.internal, internal, &http, lifecycle.stop_http());
        let (public, internal) = tokio::join!(public, internal);
        public.and(internal)
    };
    let mut served = Ok(());
    let running = lifecycle.run(async { served = serving.await }, &http);
    tokio::join!(running, meanwhile(lifecycle.clone()));
    parts.caches.counters.flush().await;
    parts.engine.leave().await;
    telemetry.shutdown().await;
    served.context("a listener failed")
}

/// Serves and works over `engine` until `end`, without a console, a health page or telemetry of its own: several products
/// can run beside each other in one process, each with another store.
pub async fn run_over(
    config: Config,
    log: Log,
    engine: Engine,
    door: TcpListener,
    end: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let duties = Duties { serve: Service::ALL.to_vec(), work: Service::ALL.to_vec() };
    // Whoever made the engine looks after its store.
    let stores = Stores::of(Arc::new(NoStore));
    let parts = Parts::over(config, log, engine, stores, Health::new()).await?;
    let lifecycle = Lifecycle::new(parts.health.clone());
    let public = routes::public(&parts, &duties.serve)?;
    work::start(&parts, &duties, &lifecycle)?;
    let http = parts.config.runtime.http.clone();
    let mut served = Ok(());
    let serving = async { served = server::serve(door, public, &http, lifecycle.stop_http()).await };
    let ending = async {
        end.await;
        lifecycle.stop();
    };
    tokio::join!(lifecycle.run(serving, &http), ending);
    parts.caches.counters.flush().await;
    parts.engine.leave().await;
    served.context("the listener failed")
}

/// Writes the base URL where a script waits for it.
pub fn announce(file: Option<&Path>, url: &str) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    // Written aside and renamed, so that whoever waits never reads half a line.
    let aside = file.with_extension("partial");
    std::fs::write(&aside, format!("{url}\n"))
        .and_then(|()| std::fs::rename(&aside, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
