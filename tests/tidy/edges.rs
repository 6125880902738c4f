//! Which crate may depend on which (docs/architecture.md, "Edges").

use std::{collections::BTreeMap, process::Command};

use serde::Deserialize;

use crate::tree::{files, report, root};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
    /// The registries it may go to; absent for all of them.
    publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    #[serde(default)]
    features: Vec<String>,
    /// The versions it is content with.
    req: String,
}

/// The package of `crates/kernel`: the registry's `kernel` is another's.
const KERNEL: &str = "quoin-kernel";

/// What a service may name.
const SERVICE: &[&str] = &[KERNEL, "cache-ports", "events", "service-runtime", "fail-points", "webhooks"];

/// Crates that may name any other: they only put things together, or measure them.
const ROOTS: [&str; 3] = ["quoin", "system-tests", "bench"];

/// Crate → the workspace crates it may name in its code.
const EDGES: [(&str, &[&str]); 15] = [
    (KERNEL, &[]),
    ("fail-points", &[]),
    ("cache-ports", &[KERNEL]),
    ("cache-engine", &["cache-ports", KERNEL]),
    ("cache-redis", &["cache-engine", "cache-ports", KERNEL]),
    ("events", &["fail-points", KERNEL]),
    ("events-kafka", &["events", "fail-points", KERNEL]),
    ("service-runtime", &["cache-ports", "fail-points", KERNEL]),
    ("webhooks", &["events", KERNEL, "service-runtime"]),
    ("dev-stack", &[]),
    ("catalog", SERVICE),
    ("pricing", SERVICE),
    ("quote", SERVICE),
    ("order", SERVICE),
    ("inventory", SERVICE),
];

/// Crates that others may take out of the workspace (docs/adr/0019).
const PACKAGED: [&str; 4] = [KERNEL, "cache-ports", "cache-engine", "cache-redis"];

/// A client library and the one crate that may name it; `bench` measures the bare libraries as floors.
const WRAPPED: [(&str, &str); 2] = [("fred", "cache-redis"), ("rdkafka", "events-kafka")];

/// The one program that may arm fail-points.
const UNDER_TEST: &str = "tests/src/quoin_under_test.rs";

/// Crates a test may name although the code may not: real servers, and the real implementations of the ports.
const FOR_TESTS: [&str; 6] = ["dev-stack", "cache-engine", "cache-ports", KERNEL, "events", "service-runtime"];

fn packages() -> Vec<Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).expect("cargo metadata is JSON").packages
}

#[test]
fn crates_depend_only_along_the_edges() {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let edges: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let mut broken = Vec::new();
    for package in packages.iter().filter(|package| !ROOTS.contains(&package.name.as_str())) {
        let Some(allowed) = edges.get(package.name.as_str()) else {
            broken.push(format!("{} is not in the table: decide its edges first", package.name));
            continue;
        };
        let named = package.dependencies.iter().filter(|dependency| ours.contains(&dependency.name.as_str()));
        broken.extend(
            named
                .filter(|dependency| !may_name(&package.name, allowed, dependency))
                .map(|dependency| format!("{} → {}", package.name, dependency.name)),
        );
    }
    report("a crate names another it must not know (tests/tidy/edges.rs)", &broken);
}

fn may_name(package: &str, allowed: &[&str], dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    // A crate names itself in its tests to switch its own features on.
    let for_test = dependency.kind.as_deref() == Some("dev") && (FOR_TESTS.contains(&name) || name == package);
    allowed.contains(&name) || for_test
}

#[test]
fn what_is_packaged_names_only_what_is_packaged_by_version() {
    let packages = packages();
    let mut broken: Vec<String> = packages
        .iter()
        .filter(|package| is_packaged(package) != PACKAGED.contains(&package.name.as_str()))
        .map(|package| format!("{} is packaged: {}", package.name, is_packaged(package)))
        .collect();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in packages.iter().filter(|package| is_packaged(package)) {
        let named = package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        let cut_off = named
            .filter(|dependency| ours.contains(&dependency.name.as_str()))
            .filter(|dependency| !PACKAGED.contains(&dependency.name.as_str()) || dependency.req == "*");
        broken.extend(cut_off.map(|dependency| format!("{} → {} {}", package.name, dependency.name, dependency.req)));
    }
    report("`make package` would fail: an archive needs a crate that has no archive, or no version", &broken);
}

/// Whether it may go anywhere; what may not is left out where crates are packaged together.
fn is_packaged(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
}

#[test]
fn each_client_library_is_named_by_one_crate() {
    let mut broken = Vec::new();
    for package in packages() {
        for dependency in &package.dependencies {
            let owner = WRAPPED.iter().find(|(library, _)| *library == dependency.name).map(|(_, owner)| *owner);
            if owner.is_some_and(|owner| owner != package.name && package.name != "bench") {
                broken.push(format!("{} → {}", package.name, dependency.name));
            }
        }
    }
    report("fred belongs to cache-redis, rdkafka to events-kafka", &broken);
}

#[test]
fn fail_points_are_armed_by_the_executable_under_test_alone() {
    let mut broken = Vec::new();
    for package in packages().iter().filter(|package| package.name != "system-tests") {
        let watched = package.dependencies.iter().any(|d| d.name == "fail-points" && !d.features.is_empty());
        broken.extend(watched.then(|| format!("{} switches a feature of fail-points on", package.name)));
    }
    let call = ["fail_points", "watch("].join("::");
    let sources = ["crates", "tests", "bench"].into_iter().flat_map(|folder| files(folder, &[".rs"]));
    let callers: Vec<String> = sources.filter(|file| file.text.contains(&call)).map(|file| file.path).collect();
    broken.extend(callers.iter().filter(|path| *path != UNDER_TEST).map(|path| format!("{path} arms fail-points")));
    assert!(callers.iter().any(|path| path == UNDER_TEST), "the check looks for something nobody says");
    report("only the executable under test may be told to die", &broken);
}

#[test]
fn the_table_knows_a_crate_that_was_not_declared() {
    // The rule itself: an unlisted edge is refused, a listed one and a test's own servers are not.
    let edge = |name: &str, kind: Option<&str>| Dependency {
        name: name.to_owned(),
        kind: kind.map(str::to_owned),
        features: Vec::new(),
        req: "*".to_owned(),
    };
    assert!(!may_name("quote", SERVICE, &edge("order", None)));
    assert!(!may_name("quote", SERVICE, &edge("order", Some("dev"))));
    assert!(!may_name("quote", SERVICE, &edge("dev-stack", None)));
    assert!(may_name("quote", SERVICE, &edge(KERNEL, None)));
    assert!(may_name("quote", SERVICE, &edge("dev-stack", Some("dev"))));
}
