//! One running server: where it is, how it came to be, and how to make it fail on purpose.

use std::fmt;
use std::fs;
use std::net::TcpListener;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::background;
use crate::component::Component;
use crate::container;
use crate::keeper::{self, Kept, Lifetime};
use crate::process::{self, Launch};
use crate::ready;
use crate::settings::{Durability, Source};
use crate::{kafka, postgres, redis};

/// How often another free port is tried when somebody else took the first one between choosing and binding it.
const PORT_ATTEMPTS: u32 = 3;

/// How a server came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Somebody else runs it; named by an environment variable.
    External {
        /// The variable.
        variable: String,
    },
    /// A container we started.
    Container {
        /// Image name with its tag.
        image: String,
    },
    /// A local process we started.
    Process {
        /// Path of the program.
        program: String,
    },
}

impl Origin {
    /// Whether a server of this origin is what `source` asks for.
    pub(crate) fn satisfies(&self, source: Source) -> bool {
        match source {
            Source::Auto => true,
            Source::Container => matches!(self, Self::Container { .. }),
            Source::Process => matches!(self, Self::Process { .. }),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External { variable } => write!(f, "external, from {variable}"),
            Self::Container { image } => write!(f, "container {image}"),
            Self::Process { program } => write!(f, "local process {program}"),
        }
    }
}

/// A server that answered at least once. Dropping it ends it, unless it is shared or somebody else's.
#[derive(Debug)]
pub struct Server {
    component: Component,
    host: String,
    port: u16,
    url: String,
    origin: Origin,
    control: Control,
}

/// What we may do to the server.
#[derive(Debug)]
enum Control {
    /// Only talk to it.
    None,
    Process(Box<LocalProcess>),
    Container {
        id: String,
    },
}

#[derive(Debug)]
struct LocalProcess {
    launch: Launch,
    child: Mutex<Option<Child>>,
}

impl LocalProcess {
    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process at once and waits until it is gone. Not an error when it was gone already.
    fn end(&self) {
        if let Some(child) = self.child().take() {
            process::end(child, self.launch.signal);
        }
    }

    /// Why the process ended, when it did.
    fn obituary(&self) -> Option<String> {
        let status = self.child().as_mut()?.try_wait().ok()??;
        Some(format!("{status}; its log ends:\n{}", self.launch.log_tail()))
    }
}

impl Server {
    /// A server named by `variable`, which nobody here may stop.
    pub(crate) fn external(component: Component, variable: &str, url: String) -> Self {
        let origin = Origin::External { variable: variable.to_owned() };
        Self { component, host: String::new(), port: 0, url, origin, control: Control::None }
    }

    /// A shared server that another process started.
    pub(crate) fn attached(component: Component, host: String, port: u16, origin: Origin) -> Self {
        let url = component.url(&host, port);
        Self { component, host, port, url, origin, control: Control::None }
    }

    /// Starts a server by the first way that works, for as long as `lifetime` says.
    pub(crate) async fn obtain(
        component: Component,
        source: Source,
        durability: Durability,
        lifetime: &Lifetime,
    ) -> Result<Self> {
        let mut refusals = Vec::new();
        if source != Source::Process {
            match Box::pin(Self::in_container(component, durability, lifetime)).await {
                Ok(server) => return Ok(server),
                Err(error) => refusals.push(format!("container: {error:#}")),
            }
        }
        if source != Source::Container {
            match Box::pin(Self::as_process(component, durability, lifetime)).await {
                Ok(server) => return Ok(server),
                Err(error) => refusals.push(format!("local process: {error:#}")),
            }
        }
        let (variable, for_tests) = (component.url_variable(), component.test_url_variable());
        Err(anyhow!(
            "{component} cannot be had here\n  {}\n  or name a running one in {variable} (for tests: {for_tests})",
            refusals.join("\n  ")
        ))
    }

    async fn in_container(component: Component, durability: Durability, lifetime: &Lifetime) -> Result<Self> {
        container::available(component).await?;
        let (host, port) = (container::host(), free_port()?);
        let id = container::run(component, port, durability).await?;
        keeper::watch(lifetime, &Kept::Container { id: &id }, None)?;
        let origin = Origin::Container { image: component.image() };
        let url = component.url(&host, port);
        let server = Self { component, host, port, url, origin, control: Control::Container { id } };
        server.ready().await?;
        Ok(server)
    }

    async fn as_process(component: Component, durability: Durability, lifetime: &Lifetime) -> Result<Self> {
        let mut last = anyhow!("no port was free");
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let launch = launch(component, port, durability).await?;
            match Self::launched(component, port, launch, lifetime).await {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Starts a local process that will listen on `port`, and waits until it answers.
    pub(crate) async fn launched(component: Component, port: u16, launch: Launch, lifetime: &Lifetime) -> Result<Self> {
        let child = launch.spawn(lifetime)?;
        let origin = Origin::Process { program: launch.program.display().to_string() };
        let (host, url) = ("127.0.0.1".to_owned(), component.url("127.0.0.1", port));
        let control = Control::Process(Box::new(LocalProcess { launch, child: Mutex::new(Some(child)) }));
        let server = Self { component, host, port, url, origin, control };
        server.ready().await?;
        Ok(server)
    }

    /// Waits until the server answers, or learns that it never will.
    async fn ready(&self) -> Result<()> {
        match &self.control {
            Control::None => bail!("{} is not ours to start", self.component),
            Control::Process(local) => ready::wait(self.component, &self.host, self.port, || local.obituary()).await,
            Control::Container { id } => {
                let waiting = ready::wait(self.component, &self.host, self.port, || None);
                tokio::select! {
                    answered = waiting => answered,
                    () = container::ended(id) => bail!("the container ended instead of starting: {}", container::log_tail(id).await),
                }
            }
        }
    }

    /// The component.
    pub fn component(&self) -> Component {
        self.component
    }

    /// `postgres://…` (an account that may create databases), `redis://…`, or Kafka's `host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How the server came to be.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Host and port, for the shared state.
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The container's id, for the shared state.
    pub(crate) fn container_id(&self) -> Option<&str> {
        match &self.control {
            Control::Container { id } => Some(id),
            _ => None,
        }
    }

    /// Lets the server outlive this value; only its keeper ends it now.
    pub(crate) fn release(mut self) -> Self {
        self.control = Control::None;
        self
    }

    /// Ends the server as a crash would. Its address stays reserved for [`Self::start`], its data stay where they are.
    pub async fn stop(&self) -> Result<()> {
        match &self.control {
            Control::None => Err(self.not_ours()),
            Control::Process(local) => {
                local.end();
                Ok(())
            }
            Control::Container { id } => container::kill(id).await,
        }
    }

    /// Starts a stopped server again on the same address and returns when it answers.
    pub async fn start(&self) -> Result<()> {
        match &self.control {
            Control::None => return Err(self.not_ours()),
            Control::Process(local) => {
                let child = local.launch.spawn(&Lifetime::Owned)?;
                *local.child() = Some(child);
            }
            Control::Container { id } => container::restart(id).await?,
        }
        self.ready().await
    }

    /// Makes the server stand still: connections stay open and nothing is answered. The meanest of outages. (A PostgreSQL
    /// process only stops taking new connections; as a container it stands still altogether.)
    pub async fn freeze(&self) -> Result<()> {
        self.suspend("STOP").await
    }

    /// The opposite of [`Self::freeze`].
    pub async fn thaw(&self) -> Result<()> {
        self.suspend("CONT").await
    }

    async fn suspend(&self, signal: &str) -> Result<()> {
        match &self.control {
            Control::None => Err(self.not_ours()),
            Control::Process(local) => {
                let pid = local.child().as_ref().context("the server is stopped")?.id();
                process::signal(pid, signal)
            }
            Control::Container { id } if signal == "STOP" => container::pause(id).await,
            Control::Container { id } => container::unpause(id).await,
        }
    }

    fn not_ours(&self) -> anyhow::Error {
        anyhow!("{} ({}) is not ours to stop or start", self.component, self.origin)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.control, Control::None) {
            Control::None => {}
            Control::Process(local) => {
                local.end();
                fs::remove_dir_all(&local.launch.data).ok();
            }
            Control::Container { id } => {
                background::finish(async move { container::remove(&id).await });
            }
        }
    }
}

/// How to start `component` as a local process on `port`.
async fn launch(component: Component, port: u16, durability: Durability) -> Result<Launch> {
    match component {
        Component::Postgres => postgres::launch(port, durability).await,
        Component::Redis => redis::launch(port),
        Component::Kafka => {
            let controller_port = free_port()?;
            tokio::task::spawn_blocking(move || kafka::launch(port, controller_port, durability)).await?
        }
    }
}

/// A port nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
