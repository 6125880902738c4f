//! A relay's process as it is seen from outside.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use sqlx::PgPool;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{
    Kind,
    ground::{Database, Ground},
    worker::{CONNECTION, Say},
};
use crate::process;

/// Longest a relay may take to connect.
const CONNECTED_WITHIN: Duration = Duration::from_secs(30);

/// A running relay; killed when dropped.
pub struct Watched {
    child: Child,
    pid: u32,
    /// Closed, it ends the relay.
    stdin: ChildStdin,
}

/// What a relay says on its standard output.
pub struct Said(Lines<BufReader<ChildStdout>>);

/// One acknowledged batch.
pub struct Acknowledged {
    /// Microseconds since 1970.
    pub at: i64,
    /// The events' numbers, or how many there were.
    pub numbers: Vec<u64>,
}

impl Watched {
    /// Starts a relay of this kind from the database to an empty topic.
    pub async fn start(kind: Kind, ground: &Ground, database: &Database, batch: u16, say: Say) -> Result<(Self, Said)> {
        let prefix = ground.topic().await?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("relay-worker")
            .args(["--kind", kind.word(), "--database-url", database.url(kind)])
            .args(["--brokers", ground.brokers()?, "--prefix", &prefix])
            .args(["--batch", &batch.to_string(), "--say", say.word()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting a relay")?;
        let pid = child.id().context("the relay ended at once")?;
        let stdin = child.stdin.take().context("the relay has no standard input")?;
        let stdout = child.stdout.take().context("the relay has no standard output")?;
        Ok((Self { child, pid, stdin }, Said(BufReader::new(stdout).lines())))
    }

    /// CPU it has used, seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        process::cpu_seconds(self.pid)
    }

    /// The most memory it ever held, MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        process::memory_mib(self.pid, "VmHWM:")
    }

    /// Ends it as a deployment would.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.stdin);
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the relay ended with {status}");
        }
        Ok(())
    }
}

impl Said {
    /// The next batch.
    pub async fn next(&mut self) -> Result<Acknowledged> {
        let line = self.0.next_line().await?.context("the relay ended")?;
        let mut words = line.split(' ');
        let at = words.next().context("an empty line")?.parse()?;
        let numbers = words.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Acknowledged { at, numbers })
    }
}

/// The relay's backend in PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct Backend(u32);

impl Backend {
    /// Waits until the relay has connected.
    pub async fn found(database: &PgPool) -> Result<Self> {
        let sql = "select pid from pg_stat_activity where application_name = $1 and datname = current_database()";
        let since = Instant::now();
        while since.elapsed() < CONNECTED_WITHIN {
            let found: Option<(i32,)> = sqlx::query_as(sql).bind(CONNECTION).fetch_optional(database).await?;
            if let Some((pid,)) = found {
                return Ok(Self(u32::try_from(pid)?));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("the relay did not connect within {CONNECTED_WITHIN:?}")
    }

    /// CPU it has used, seconds.
    pub fn cpu_seconds(self) -> Result<f64> {
        process::cpu_seconds(self.0)
    }
}
