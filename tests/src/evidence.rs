//! The folder of a long proof: it goes when the proof has passed, and stays, with the logs of all processes, when it has not.

use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;

/// A folder that stays unless it is given up.
pub struct Evidence(TempDir);

impl Evidence {
    /// A new folder with the proof's name in its own.
    pub fn of(proof: &str) -> Result<Self> {
        let mut folder = tempfile::Builder::new().prefix(&format!("quoin-{proof}-")).tempdir()?;
        folder.disable_cleanup(true);
        println!("the logs of this run are in {} unless it passes", folder.path().display());
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The proof has passed.
    pub fn give_up(self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.0.path())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_until_it_is_given_up() {
        let folder = Evidence::of("self-test").unwrap();
        let path = folder.path().to_owned();
        drop(folder);
        assert!(path.is_dir());
        std::fs::remove_dir(&path).unwrap();
        let folder = Evidence::of("self-test").unwrap();
        let path = folder.path().to_owned();
        folder.give_up().unwrap();
        assert!(!path.exists());
    }
}
