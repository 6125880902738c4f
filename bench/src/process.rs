//! A server under measurement: started, watched from outside, stopped.

use std::{
    collections::BTreeMap,
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
        cpu_seconds(self.pid)
    }

    /// Resident memory, MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        memory_mib(self.pid, "VmRSS:")
    }

    /// Stops the process and waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("stopping the server")
    }
}

/// CPU a process has used since its start, user and system, seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    Ok(Times::read(&stat)?.own)
}

/// CPU that everything this process started has used, and what those started in turn, seconds. Who ended meanwhile is
/// counted with who waited for him.
pub fn offspring_cpu_seconds() -> Result<f64> {
    let mut times = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end between being listed and being read.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        times.insert(pid, Times::read(&stat)?);
    }
    let me = std::process::id();
    let ours = |pid: &u32| {
        let mut ancestors = std::iter::successors(times.get(pid).map(|times| times.parent), |parent| {
            times.get(parent).map(|times| times.parent)
        });
        ancestors.any(|ancestor| ancestor == me)
    };
    Ok(times.iter().filter(|(pid, _)| ours(pid)).map(|(_, times)| times.own + times.waited_for).sum())
}

/// A line of `/proc/<pid>/status`, MiB.
pub fn memory_mib(pid: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let line = status.lines().find(|line| line.starts_with(field)).with_context(|| format!("no {field}"))?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib / 1024.0)
}

/// What `/proc/<pid>/stat` says of CPU, seconds.
struct Times {
    parent: u32,
    own: f64,
    waited_for: f64,
}

impl Times {
    fn read(stat: &str) -> Result<Self> {
        // The command name may contain blanks: fields are counted from its closing parenthesis.
        let fields: Vec<&str> = stat.rsplit_once(')').context("odd stat line")?.1.split_whitespace().collect();
        let seconds = |index: usize| -> Result<f64> {
            let ticks: f64 = fields.get(index).context("short stat line")?.parse()?;
            Ok(ticks / TICKS_PER_SECOND)
        };
        let parent = fields.get(1).context("short stat line")?.parse()?;
        Ok(Self { parent, own: seconds(11)? + seconds(12)?, waited_for: seconds(13)? + seconds(14)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_blanks() {
        let line = "7 (a b) c) S 5 7 7 0 -1 4194304 1 0 0 0 250 150 30 70 20 0 1 0 1 1 1";
        let times = Times::read(line).unwrap();
        assert_eq!((times.parent, times.own, times.waited_for), (5, 4.0, 1.0));
        assert!(Times::read("7 (a) S 5").is_err());
    }
}
