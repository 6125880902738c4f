//! The keeper: a short shell loop beside every server, which ends the server when nobody needs it any more.
//!
//! A test process can be killed at any moment and a detached server would outlive it for ever. The keeper is the only one
//! that kills shared servers, and as it watches its server all the time it can never hit a recycled process id. A server
//! is needed as long as its owner process lives, or, where test binaries share it, as long as its `.used` file exists and
//! was touched within [`IDLE_MINUTES`].

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// How long a shared server lives after its last use, in minutes.
const IDLE_MINUTES: u32 = 45;

/// `$1` owner pid or empty, `$2` used file, `$3` idle minutes, `$4` data folder, `$5` is `process` or `container`, `$6` its id,
/// `$7` the signal that ends it at once.
const SCRIPT: &str = r#"
needed() {
  if [ -n "$1" ]; then kill -0 "$1" 2>/dev/null; return; fi
  [ -e "$2" ] && [ -z "$(find "$2" -mmin "+$3" 2>/dev/null)" ]
}
gone=no
while needed "$1" "$2" "$3"; do
  if [ "$5" = process ] && [ "$gone" = no ] && ! kill -0 "$6" 2>/dev/null; then gone=yes; fi
  # An owner may start its server again over the same data; a shared server nobody starts again.
  if [ "$gone" = yes ] && { [ -z "$1" ] || [ ! -d "$4" ]; }; then break; fi
  sleep 1
done
if [ "$5" = container ]; then
  docker rm --force --volumes "$6" >/dev/null 2>&1
elif [ "$gone" = no ]; then
  kill "-$7" "$6" 2>/dev/null
  tries=0
  while kill -0 "$6" 2>/dev/null && [ "$tries" -lt 10 ]; do tries=$((tries + 1)); sleep 0.5; done
  kill -KILL "$6" 2>/dev/null
fi
[ -z "$4" ] || rm -rf "$4"
exit 0
"#;

/// Until when a server is needed.
#[derive(Debug, Clone)]
pub(crate) enum Lifetime {
    /// Until this very process ends.
    Owned,
    /// Until the file disappears or grows old.
    Shared {
        /// Touched at every use.
        used: PathBuf,
    },
}

/// What the keeper ends.
pub(crate) enum Kept<'a> {
    /// A process group leader and the signal that makes it stop without ceremony.
    Process { pid: u32, signal: &'a str },
    /// A container by id.
    Container { id: &'a str },
}

/// Starts a keeper that outlives this process. `data` is removed with the server.
pub(crate) fn watch(lifetime: &Lifetime, kept: &Kept<'_>, data: Option<&Path>) -> Result<()> {
    let (owner, used) = match lifetime {
        Lifetime::Owned => (std::process::id().to_string(), String::new()),
        Lifetime::Shared { used } => (String::new(), used.display().to_string()),
    };
    let (kind, id, signal) = match kept {
        Kept::Process { pid, signal } => ("process", pid.to_string(), *signal),
        Kept::Container { id } => ("container", (*id).to_owned(), ""),
    };
    Command::new("sh")
        .args(["-c", SCRIPT, "quoin-keeper", &owner, &used, &IDLE_MINUTES.to_string()])
        .arg(data.unwrap_or(Path::new("")))
        .args([kind, &id, signal])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0) // Ctrl-C in the terminal must not end the keeper before its work
        .spawn()
        .context("cannot start the shell that watches over a server of the stack")?;
    Ok(())
}

/// Marks a shared server as in use now.
pub(crate) fn touch(used: &Path) -> Result<()> {
    fs::write(used, b"in use; remove me and the server stops\n")
        .with_context(|| format!("cannot write {}", used.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant, SystemTime};

    use super::{IDLE_MINUTES, Kept, Lifetime, touch, watch};

    /// A process that would live for ten minutes, with a keeper that looks at `used`.
    fn kept(used: &std::path::Path) -> Child {
        let child = Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
        let lifetime = Lifetime::Shared { used: used.to_path_buf() };
        watch(&lifetime, &Kept::Process { pid: child.id(), signal: "TERM" }, None).expect("the keeper starts");
        child
    }

    fn assert_ends(mut child: Child) {
        let started = Instant::now();
        while child.try_wait().expect("it is our child").is_none() {
            assert!(started.elapsed() < Duration::from_secs(20), "the keeper did not end its server");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[test]
    fn a_shared_server_ends_when_its_used_file_goes_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let used = folder.path().join("server.used");
        touch(&used).expect("the file is written");
        let mut child = kept(&used);
        std::thread::sleep(Duration::from_millis(1500)); // longer than the keeper's own pause: it looked at least once
        assert!(child.try_wait().expect("it is our child").is_none(), "a used server must go on");
        std::fs::remove_file(&used).expect("the file was there");
        assert_ends(child);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "file times are the machine's own")]
    fn a_shared_server_nobody_used_for_long_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let used = folder.path().join("server.used");
        touch(&used).expect("the file is written");
        let long_ago = SystemTime::now() - Duration::from_secs(u64::from(IDLE_MINUTES + 5) * 60);
        std::fs::File::options()
            .write(true)
            .open(&used)
            .expect("it is there")
            .set_modified(long_ago)
            .expect("it is ours");
        assert_ends(kept(&used));
    }
}
