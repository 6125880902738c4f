//! Nothing of one machine is in the repository: no paths of a checkout, no hosts of a private package mirror.

use std::process::Command;

use crate::tree::{report, root};

/// Where packages may come from, as lock files write it.
const PUBLIC_SOURCES: [&str; 3] = [
    "https://registry.npmjs.org/",
    "registry+https://github.com/rust-lang/crates.io-index",
    "https://repo1.maven.org/",
];

/// Lock-file fields that name the place a package came from.
const SOURCE_FIELDS: [&str; 2] = ["\"resolved\": \"", "source = \""];

fn tracked() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let bytes = listed.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// Beginnings of paths that exist on the machine of whoever runs this, and nowhere else.
fn machine_paths() -> Vec<String> {
    let checkout = root().to_string_lossy().into_owned();
    let home = std::env::var("HOME").unwrap_or_default();
    // "/root" and "/" are also ordinary words in container files; a checkout there is told by its own path.
    let mut paths = vec![format!("{checkout}/")];
    if home.len() > "/home/".len() {
        paths.push(format!("{home}/"));
    }
    paths
}

#[test]
fn no_file_names_a_path_of_this_machine() {
    let paths = machine_paths();
    let mut broken = Vec::new();
    for file in tracked() {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        broken.extend(paths.iter().filter(|path| text.contains(*path)).map(|path| format!("{file}: {path}")));
    }
    report("a tracked file names a path of this machine", &broken);
}

#[test]
fn lock_files_name_public_sources_only() {
    let mut broken = Vec::new();
    for file in tracked().into_iter().filter(|file| file.ends_with("Cargo.lock") || file.ends_with("package-lock.json"))
    {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        for field in SOURCE_FIELDS {
            let sources = text.split(field).skip(1).filter_map(|rest| rest.split('"').next());
            let foreign = sources.filter(|source| !PUBLIC_SOURCES.iter().any(|public| source.starts_with(public)));
            broken.extend(foreign.map(|source| format!("{file}: {source}")));
        }
    }
    report("a lock file names a private source: others cannot build from it", &broken);
}
