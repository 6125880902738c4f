//! The product under measurement: processes of the release binary, each with its own cache configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{floors::POOL_SIZE, process::ServerProcess};

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
    /// Folder of the development issuer's key.
    pub scratch: PathBuf,
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
    /// A command of the product with the settings every process shares. Rate limits are on, and set above what this machine can reach.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("QUOIN__OWNER__DATABASE_URL", &self.admin_url)
            .env("QUOIN__DATABASE__MAX_CONNECTIONS", POOL_SIZE.to_string())
            .env("QUOIN__CACHE__REDIS_URL", &self.redis_url)
            .env("QUOIN__AUTH__ISSUER_KEY_FILE", self.scratch.join("issuer.key"))
            .env("QUOIN__TELEMETRY__LOG", "warn");
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
        let mut arguments = vec!["serve"];
        arguments.extend_from_slice(services);
        let mut command = self.command(&arguments);
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
