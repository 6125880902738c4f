//! A server under measurement: started, watched from outside, stopped.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// Longest a server may take to answer after its start.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Unit of the CPU times in `/proc`, on every Linux since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server process; killed when dropped.
pub struct ServerProcess {
    child: Child,
    pid: u32,
    /// From the start of the process to its first 2xx answer.
    pub ready_after: Duration,
}

impl ServerProcess {
    /// Starts `command` and waits until `probe` answers with success.
    pub async fn start(mut command: Command, probe: &str) -> Result<Self> {
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let pid = child.id().context("the process ended at once")?;
        let mut server = Self { child, pid, ready_after: Duration::ZERO };
        let client = reqwest::Client::new();
        while begun.elapsed() < START_LIMIT {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended with {status}");
            }
            if client.get(probe).send().await.is_ok_and(|answer| answer.status().is_success()) {
                server.ready_after = begun.elapsed();
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("{probe} did not answer within {START_LIMIT:?}")
    }

    /// CPU the process has used since its start, user and system, seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).context("the server has ended")?;
        // The command name may contain blanks: fields are counted from its closing parenthesis.
        let fields: Vec<&str> = stat.rsplit_once(')').context("odd stat line")?.1.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("short stat line")?.parse()?) };
        Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }

    /// Resident memory, MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the server has ended")?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Stops the process and waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("stopping the server")
    }
}
