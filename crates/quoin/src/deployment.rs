//! The product as processes of their own, started from here: one that answers, one that works. For the proof on real
//! input and for the system tests, which kill them.
//!
//! Owns child processes and their settings. Must never reach into them: what is to be known about them, they say over
//! HTTP.

use std::{
    collections::BTreeMap,
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

/// How long a process may take until it is ready.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// How long a process may take to end when it is asked to.
const ENDED_WITHIN: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(25);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `quoin serve all`.
    Serve,
    /// `quoin work all`.
    Work,
}

impl Role {
    const fn command(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Work => "work",
        }
    }
}

/// Where the servers are, and how this installation is told from others on them.
#[derive(Debug, Clone)]
pub struct Servers {
    /// The owner's URL.
    pub postgres_url: String,
    /// Redis, or `None` for an installation without.
    pub redis_url: Option<String>,
    /// Kafka.
    pub kafka_brokers: String,
    /// Before every topic and key.
    pub prefix: String,
}

/// Both processes. Dropping it kills them.
#[derive(Debug)]
pub struct Deployment {
    program: PathBuf,
    folder: PathBuf,
    settings: BTreeMap<String, String>,
    port: u16,
    children: BTreeMap<Role, (Child, String)>,
}

impl Deployment {
    /// Migrates, makes the topics, and starts both processes. `folder` keeps key and logs.
    pub async fn start(
        program: &Path,
        folder: &Path,
        servers: &Servers,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut deployment = Self::prepare(program, folder, servers, extra).await?;
        deployment.launch(Role::Serve).await?;
        deployment.launch(Role::Work).await?;
        Ok(deployment)
    }

    /// Migrates and makes the topics; starts nothing.
    pub async fn prepare(
        program: &Path,
        folder: &Path,
        servers: &Servers,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut deployment = Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            settings: settings(servers, folder, port),
            port,
            children: BTreeMap::new(),
        };
        deployment.settings.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        deployment.migrate().await?;
        Ok(deployment)
    }

    /// The base URL of all services.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address of a process's health and metrics.
    pub fn internal_url(&self, role: Role) -> Option<&str> {
        self.children.get(&role).map(|(_, url)| url.as_str())
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let output = self.command(&["migrate", "--json"]).output().await.context("cannot run quoin migrate")?;
        if !output.status.success() {
            bail!("quoin migrate failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Starts a process and waits until it is ready.
    pub async fn launch(&mut self, role: Role) -> anyhow::Result<()> {
        let (mut command, url) = self.process(role)?;
        let log = self.log(role);
        let file = File::options().create(true).append(true).open(&log).context("cannot write the log")?;
        let child = command.stderr(file).spawn();
        let mut child = child.with_context(|| format!("cannot start quoin {}", role.command()))?;
        let deadline = Instant::now() + READY_WITHIN;
        while !is_ready(&url).await {
            if let Some(status) = child.try_wait()? {
                bail!("quoin {} ended with {status}: {}", role.command(), tail(&log));
            }
            if Instant::now() > deadline {
                bail!("quoin {} did not become ready: {}", role.command(), tail(&log));
            }
            tokio::time::sleep(POLL).await;
        }
        self.children.insert(role, (child, url));
        Ok(())
    }

    /// Kills a process as the kernel would: no time for anything.
    pub async fn kill(&mut self, role: Role) -> anyhow::Result<()> {
        if let Some((mut child, _)) = self.children.remove(&role) {
            child.kill().await?;
        }
        Ok(())
    }

    /// Asks a process to end, and waits until it has. Says whether it ended well.
    pub async fn terminate(&mut self, role: Role) -> anyhow::Result<bool> {
        let Some((mut child, _)) = self.children.remove(&role) else { return Ok(true) };
        let pid = child.id().context("the process has ended already")?;
        Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        let status = tokio::time::timeout(ENDED_WITHIN, child.wait()).await;
        Ok(status.context("the process did not end in time")??.success())
    }

    /// Ends both processes in order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let served = self.terminate(Role::Serve).await?;
        let worked = self.terminate(Role::Work).await?;
        anyhow::ensure!(served && worked, "a process did not end well; logs are in {}", self.folder.display());
        Ok(())
    }

    /// Where a process's log is.
    pub fn log(&self, role: Role) -> PathBuf {
        self.folder.join(format!("{}.log", role.command()))
    }

    /// Runs another command of the program with the same settings, to its end.
    pub async fn tool(&self, arguments: &[&str]) -> anyhow::Result<std::process::Output> {
        let output = self.command(arguments).stdin(Stdio::null()).output().await;
        output.with_context(|| format!("cannot run quoin {}", arguments.join(" ")))
    }

    /// A process that is not started yet, for whoever wants to hold it himself, and the address of its health and metrics.
    pub fn process(&self, role: Role) -> anyhow::Result<(Command, String)> {
        let internal = format!("127.0.0.1:{}", free_port()?);
        // A worker has no business on the public port.
        let port = if role == Role::Serve { self.port } else { free_port()? };
        let listen = format!("127.0.0.1:{port}");
        let mut command = self.command(&[role.command(), "all", "--listen", &listen, "--internal-listen", &internal]);
        command.stdout(Stdio::null()).kill_on_drop(true);
        Ok((command, format!("http://{internal}")))
    }

    /// Another command of the program with the same settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).envs(&self.settings);
        command
    }
}

fn settings(servers: &Servers, folder: &Path, port: u16) -> BTreeMap<String, String> {
    let own_url = format!("http://127.0.0.1:{port}");
    let backend = if servers.redis_url.is_some() { "redis" } else { "none" };
    let mut settings = BTreeMap::from([
        ("QUOIN__OWNER__DATABASE_URL".to_owned(), servers.postgres_url.clone()),
        ("QUOIN__CACHE__BACKEND".to_owned(), backend.to_owned()),
        ("QUOIN__CACHE__REDIS_URL".to_owned(), servers.redis_url.clone().unwrap_or_default()),
        ("QUOIN__CACHE__KEY_PREFIX".to_owned(), format!("{}:", servers.prefix)),
        ("QUOIN__KAFKA__BROKERS".to_owned(), servers.kafka_brokers.clone()),
        ("QUOIN__KAFKA__TOPIC_PREFIX".to_owned(), format!("{}.", servers.prefix)),
        ("QUOIN__AUTH__ISSUER_KEY_FILE".to_owned(), folder.join("issuer.key").display().to_string()),
        ("QUOIN__DEVELOPMENT__ISSUER".to_owned(), "true".to_owned()),
        // Two processes with ten pools share an ordinary server's hundred connections with everybody else.
        ("QUOIN__DATABASE__MAX_CONNECTIONS".to_owned(), "6".to_owned()),
        ("QUOIN__DATABASE__WARM_CONNECTIONS".to_owned(), "0".to_owned()),
    ]);
    for service in crate::services::Service::ALL {
        settings.insert(format!("QUOIN__{}__URL", service.name().to_uppercase()), own_url.clone());
    }
    settings
}

/// Whether the process whose health is shown there is ready.
pub async fn is_ready(internal_url: &str) -> bool {
    reqwest::get(format!("{internal_url}/ready")).await.is_ok_and(|response| response.status().is_success())
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// A port nobody listens on at this moment.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
