//! A server as a local process: started in a process group of its own, under another account where it refuses root,
//! logging to a file, watched by a keeper.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::keeper::{self, Kept, Lifetime};

/// How many lines of a dead server's log are quoted in the error.
const LOG_TAIL_LINES: usize = 15;

/// How often a process is told to end before it is killed: for ten seconds.
const SIGNALS: u32 = 50;
/// Looks between two signals, and the time between two looks.
const LOOKS: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Everything needed to start a server, and to start it again after it was stopped.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) account: Option<Account>,
    pub(crate) log: PathBuf,
    /// Removed when the server is no longer needed.
    pub(crate) data: PathBuf,
    /// The signal that ends the server at once and cleanly enough for throw-away data.
    pub(crate) signal: &'static str,
}

impl Launch {
    /// Starts the process and its keeper.
    pub(crate) fn spawn(&self, lifetime: &Lifetime) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(&self.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        keeper::watch(lifetime, &Kept::Process { pid: child.id(), signal: self.signal }, Some(&self.data))?;
        Ok(child)
    }

    /// The last lines of the server's log, for an error message.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

/// A user and group other than root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// Who runs a server that refuses root: nobody special for an ordinary user, `postgres` or else `nobody` under root.
    pub(crate) fn unprivileged(owned_by_me: &Path) -> Result<Option<Self>> {
        if fs::metadata(owned_by_me)?.uid() != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("cannot read the list of accounts")?;
        let found = ["postgres", "nobody"].into_iter().find_map(|name| Self::named(&accounts, name));
        match found {
            Some(account) => Ok(Some(account)),
            None => bail!("running as root, and there is no account `postgres` or `nobody` to start the server under"),
        }
    }

    /// Parses one line of the form `name:x:uid:gid:…`.
    fn named(accounts: &str, name: &str) -> Option<Self> {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Self { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    }
}

/// A fresh data folder in the system's temporary folder: a short path, which another account can reach as well.
pub(crate) fn data_folder(component: &str) -> Result<PathBuf> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("quoin-{component}-"))
        .tempdir()
        .context("cannot make a data folder")?;
    Ok(folder.keep())
}

/// Gives a data folder to the account that will use it.
pub(crate) fn hand_over(folder: &Path, account: Account) -> Result<()> {
    chown(folder, Some(account.uid), Some(account.gid))
        .with_context(|| format!("cannot hand over {}", folder.display()))
}

/// Sends a signal by the shell's own `kill`, which exists everywhere a shell does.
pub(crate) fn signal(pid: u32, signal: &str) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", r#"kill "-$1" "$2""#, "kill", signal, &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("process {pid} took no signal {signal}: it is gone already");
    }
    Ok(())
}

/// Ends a child by `signal` and waits until it is gone. A process that has just begun has no handler yet and may ignore the
/// signal, so it is given again, and in the end the child is killed.
pub(crate) fn end(mut child: Child, with: &str) {
    for _ in 0..SIGNALS {
        signal(child.id(), with).ok();
        for _ in 0..LOOKS {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
    child.kill().ok();
    child.wait().ok();
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt,
        process::{Child, Command},
        thread,
        time::Duration,
    };

    use super::{Account, end};

    /// A process that ignores SIGQUIT for half a second, and has begun to.
    fn deaf(folder: &std::path::Path) -> Child {
        let script = r#"trap "" QUIT; touch began; sleep 0.5; trap - QUIT; touch listens; exec sleep 60"#;
        let child = Command::new("sh").args(["-c", script]).current_dir(folder).spawn().expect("a shell starts");
        while !folder.join("began").exists() {
            thread::sleep(Duration::from_millis(5));
        }
        child
    }

    #[test]
    fn a_process_that_is_deaf_at_first_is_told_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let child = deaf(folder.path());
        let pid = child.id();
        end(child, "QUIT");
        assert!(folder.path().join("listens").exists(), "it was not killed");
        let alive = Command::new("kill").args(["-0", &pid.to_string()]).status().expect("kill runs");
        assert!(!alive.success() && alive.signal().is_none(), "it is gone");
    }

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7::/:/bin/sh\npostgres:x:106:114:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        let found = Account::named(accounts, "postgres").expect("the line is there");
        assert_eq!((found.uid, found.gid), (106, 114));
        assert!(Account::named(accounts, "nobody").is_none());
    }
}
