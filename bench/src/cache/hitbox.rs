//! hitbox, measured by a process of its own (`bench/hitbox`): it cannot be built into the workspace.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{io::AsyncWriteExt, process::Command};

use super::redis::document;

/// The program, and what it keeps.
pub struct Hitbox {
    program: PathBuf,
    document: Vec<u8>,
}

impl Hitbox {
    /// The program at that path.
    pub fn at(program: &Path) -> Result<Self> {
        Ok(Self { program: program.to_owned(), document: serde_json::to_vec(&document()?)? })
    }

    /// Nanoseconds of a hit in its memory, which keeps bytes and parses them on each hit.
    pub async fn memory(&self, time: Duration) -> Result<f64> {
        self.figure(time, &["memory"]).await
    }

    /// Hits a second in Redis.
    pub async fn redis(&self, time: Duration, url: &str, tasks: usize) -> Result<f64> {
        self.figure(time, &["redis", "--url", url, "--tasks", &tasks.to_string()]).await
    }

    async fn figure(&self, time: Duration, arguments: &[&str]) -> Result<f64> {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--millis", &time.as_millis().to_string()]).kill_on_drop(true);
        let missing = || format!("cannot start {}: scripts/bench cache builds it", self.program.display());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(missing)?;
        let mut input = child.stdin.take().context("it was asked for")?;
        input.write_all(&self.document).await?;
        drop(input);
        let ended = child.wait_with_output().await?;
        ensure!(ended.status.success(), "{} {arguments:?} ended with {}", self.program.display(), ended.status);
        String::from_utf8(ended.stdout)?.trim().parse().context("it prints one number")
    }
}
