//! The files of the repository, as the checks see them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The services, each with a crate, a migrations folder and a schema of the same name.
pub const SERVICES: [&str; 5] = ["catalog", "pricing", "quote", "order", "inventory"];

/// Folders that hold no source of ours.
const SKIPPED: [&str; 7] = ["target", "node_modules", "dist", ".git", ".sqlx", "fixtures", "snapshots"];

/// One text file.
pub struct TextFile {
    /// Path from the root of the repository, with forward slashes.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl TextFile {
    /// Whether the file's name ends so.
    pub fn has_ending(&self, ending: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
    }

    /// The text without the tests at its end: from the line that opens the test module on, other rules hold.
    pub fn product_text(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default()
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// All text files under `folder` (relative to the root) whose names end in one of `endings`, sorted by path.
pub fn files(folder: &str, endings: &[&str]) -> Vec<TextFile> {
    let mut found = Vec::new();
    collect(&root().join(folder), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<TextFile>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending))
            && let Ok(text) = fs::read_to_string(&path)
        {
            let relative = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            found.push(TextFile { path: relative, text });
        }
    }
}

/// Fails with every broken rule at once.
pub fn report(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}
