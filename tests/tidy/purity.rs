//! Files that decide do not act: no async, no database, no HTTP in `model` and `rules`, none at all in `kernel`.

use crate::tree::{SERVICES, TextFile, files, report};

/// Words a deciding file must not contain.
const EFFECTS: [&str; 8] = ["async ", ".await", "sqlx", "axum", "tokio::", "reqwest", "std::fs", "Utc::now"];

fn decides(path: &str) -> bool {
    let of_a_service = SERVICES.iter().any(|service| path.starts_with(&format!("crates/{service}/src/")));
    of_a_service && ["/model.rs", "/rules.rs", "/model/", "/rules/"].iter().any(|part| path.contains(part))
        || path.starts_with("crates/kernel/src")
        || path.starts_with("crates/quoin/src/retail/")
}

fn effects(file: &TextFile) -> Vec<String> {
    let lines = file.product_text().lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    EFFECTS.iter().filter(|effect| code.contains(*effect)).map(|effect| format!("{}: {effect}", file.path)).collect()
}

#[test]
fn deciding_files_have_no_effects() {
    let files = files("crates", &[".rs"]);
    // The clock is the one place of the kernel that reads the machine.
    let deciding = files.iter().filter(|file| decides(&file.path) && file.path != "crates/kernel/src/clock.rs");
    let broken: Vec<String> = deciding.flat_map(effects).collect();
    report("model and rules are pure: effects belong to commands, queries and stores", &broken);
}

#[test]
fn every_service_has_rules_to_look_at() {
    // Guards the check above against a renamed folder that would leave it nothing to read.
    let files = files("crates", &[".rs"]);
    for service in SERVICES {
        let prefix = format!("crates/{service}/src/");
        assert!(
            files.iter().any(|f| f.path.starts_with(&prefix) && f.path.contains("rules") && decides(&f.path)),
            "{service}"
        );
    }
}

#[test]
fn an_effect_is_found_in_code_and_not_in_comments_or_tests() {
    let file = |text: &str| TextFile { path: "crates/x/src/rules.rs".to_owned(), text: text.to_owned() };
    assert_eq!(effects(&file("pub async fn decide() {}")).len(), 1);
    assert!(effects(&file("// async \n#[cfg(test)]\nmod tests { async fn x() {} }")).is_empty());
}
