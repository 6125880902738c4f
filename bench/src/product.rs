//! The product under measurement: processes of the release binary, each with its own cache configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dev_stack::{Durability, Need, Stack, StackRequest};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{floors::POOL_SIZE, process::ServerProcess, seed};

/// A rate limit that is checked on every request and never reached.
const UNREACHABLE_RATE: &str = "1000000";

/// Where everything lives.
pub struct Surroundings {
    /// The `quoin` executable.
    pub program: PathBuf,
    /// URL of a role that may create schemas.
    pub admin_url: String,
    /// Redis.
    pub redis_url: String,
    /// Kafka, where it was asked for.
    kafka_brokers: Option<String>,
    /// Folder of the development issuer's key, and for what else is needed meanwhile.
    pub scratch: TempDir,
}

/// Which caches a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// L1 and Redis.
    Full,
    /// Redis without L1.
    RedisOnly,
    /// None: every read goes to PostgreSQL.
    None,
}

impl Caching {
    const fn settings(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Full => [("QUOIN__CACHE__BACKEND", "redis"), ("QUOIN__CACHE__L1", "true")],
            Self::RedisOnly => [("QUOIN__CACHE__BACKEND", "redis"), ("QUOIN__CACHE__L1", "false")],
            Self::None => [("QUOIN__CACHE__BACKEND", "none"), ("QUOIN__CACHE__L1", "false")],
        }
    }
}

impl Surroundings {
    /// Starts durable servers and migrates. `quoin` is the executable under measurement.
    pub async fn start(quoin: &Path, kafka: Need) -> Result<(Stack, Self)> {
        if !quoin.exists() {
            bail!("{} is missing: cargo build --release -p quoin", quoin.display());
        }
        let request =
            StackRequest { postgres: Need::Required, redis: Need::Required, kafka, durability: Durability::Full };
        let stack = Stack::start(request).await?;
        for (component, how) in stack.describe() {
            eprintln!("{component:?}: {how}");
        }
        let surroundings = Self {
            program: quoin.to_owned(),
            admin_url: stack.postgres_url()?.to_owned(),
            redis_url: stack.redis_url().context("Redis is required")?.to_owned(),
            kafka_brokers: stack.kafka_brokers().map(str::to_owned),
            scratch: tempfile::tempdir()?,
        };
        surroundings.run(&["migrate"]).await?;
        Ok((stack, surroundings))
    }

    /// Gathers PostgreSQL's statistics, as it does by itself within a minute or two of the rows' arrival: until then a read may go
    /// by an index that takes it through a whole publication.
    pub async fn analyze(&self) -> Result<()> {
        PgConnection::connect(&self.admin_url).await?.execute("analyze").await.context("gathering statistics")?;
        Ok(())
    }

    /// A token for what the measurements do.
    pub async fn token(&self) -> Result<String> {
        Ok(self.run(&seed::token_arguments()).await?.trim().to_owned())
    }

    /// A command of the product with the settings every process shares. Rate limits are on, and set above what this machine can reach.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("QUOIN__OWNER__DATABASE_URL", &self.admin_url)
            .env("QUOIN__DATABASE__MAX_CONNECTIONS", POOL_SIZE.to_string())
            .env("QUOIN__CACHE__REDIS_URL", &self.redis_url)
            .env("QUOIN__AUTH__ISSUER_KEY_FILE", self.scratch.path().join("issuer.key"))
            .env("QUOIN__TELEMETRY__LOG", "warn");
        command.envs(self.kafka_brokers.iter().map(|brokers| ("QUOIN__KAFKA__BROKERS", brokers)));
        for limit in ["TENANT_READS", "TENANT_WRITES", "USER_READS", "USER_WRITES"] {
            command.env(format!("QUOIN__LIMITS__POLICIES__{limit}__LIMIT"), UNREACHABLE_RATE);
        }
        command
    }

    /// Runs a command to its end and returns what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().await.with_context(|| format!("running quoin {arguments:?}"))?;
        if !output.status.success() {
            bail!("quoin {arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts `quoin serve <services>` on `port` (the internal listener is on the port above).
    pub async fn serve(
        &self,
        services: &[&str],
        port: u16,
        caching: Caching,
        worker_threads: u16,
    ) -> Result<ServerProcess> {
        self.launch(&[&["serve"], services].concat(), port, caching, worker_threads).await
    }

    /// Starts `quoin work all`, with everything it may cache.
    pub async fn work(&self, port: u16, worker_threads: u16) -> Result<ServerProcess> {
        self.launch(&["work", "all"], port, Caching::Full, worker_threads).await
    }

    async fn launch(
        &self,
        arguments: &[&str],
        port: u16,
        caching: Caching,
        worker_threads: u16,
    ) -> Result<ServerProcess> {
        let mut command = self.command(arguments);
        command
            .envs(caching.settings())
            .env("QUOIN__HTTP__BIND", format!("127.0.0.1:{port}"))
            .env("QUOIN__HTTP__INTERNAL_BIND", format!("127.0.0.1:{}", port + 1))
            .env("TOKIO_WORKER_THREADS", worker_threads.to_string());
        for service in ["CATALOG", "PRICING", "QUOTE", "ORDER", "INVENTORY"] {
            command.env(format!("QUOIN__{service}__URL"), format!("http://127.0.0.1:{port}"));
        }
        ServerProcess::start(command, &format!("http://127.0.0.1:{}/ready", port + 1)).await
    }
}

/// Size of a file in MiB.
pub fn size_mib(path: &Path) -> Result<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a file size for display")]
    let bytes = std::fs::metadata(path)?.len() as f64;
    Ok(bytes / (1024.0 * 1024.0))
}
