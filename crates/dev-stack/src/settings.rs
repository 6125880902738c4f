//! What the environment says about the stack, read in one place.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Which ways of getting a server are allowed (`QUOIN_STACK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A container where possible, else a local process.
    Auto,
    /// Only a container.
    Container,
    /// Only a local process.
    Process,
}

impl Source {
    /// Reads `QUOIN_STACK`; unset means [`Source::Auto`].
    pub fn from_environment() -> Result<Self> {
        match variable("QUOIN_STACK").as_deref() {
            None | Some("auto") => Ok(Self::Auto),
            Some("container") => Ok(Self::Container),
            Some("process") => Ok(Self::Process),
            Some(other) => bail!("QUOIN_STACK is `{other}`; it may be auto, container or process"),
        }
    }
}

/// Whether the servers keep their promises across a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Nothing is flushed to disk: right for tests, a lie in a demonstration or a benchmark.
    #[default]
    Throwaway,
    /// PostgreSQL and Kafka run with their production defaults.
    Full,
}

/// An environment variable, where empty counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The folder of the workspace as it was when this crate was compiled.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the shared servers are remembered: `stack/` in the target folder in use. Worktrees and clones with a target
/// folder of their own have servers of their own.
pub(crate) fn shared_folder() -> PathBuf {
    let target = variable("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let target = if target.is_absolute() { target } else { workspace().join(target) };
    target.join("stack")
}

/// Where downloads that outlive a clone are kept (`QUOIN_CACHE`, else `quoin` in the user's cache folder).
pub(crate) fn cache_folder() -> PathBuf {
    if let Some(folder) = variable("QUOIN_CACHE") {
        return PathBuf::from(folder);
    }
    let base = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("quoin")
}

/// The first executable called `name` on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}
