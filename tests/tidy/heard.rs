//! Whatever a service publishes, integrators may ask for: the words of its `hub.rs` are all there are.

use crate::tree::{SERVICES, TextFile, files, report};

/// Names of past facts in a text: `"QuoteAccepted"`.
fn facts(text: &str) -> Vec<&str> {
    let capital = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase());
    let fact = |word: &&str| capital(word) && word.ends_with("ed") && word.chars().all(|c| c.is_ascii_alphanumeric());
    text.split('"').skip(1).step_by(2).filter(fact).collect()
}

fn about_events(service: &str, file: &TextFile) -> bool {
    file.path.starts_with(&format!("crates/{service}/src/events"))
}

#[test]
fn every_event_can_be_asked_for_by_name() {
    let code = files("crates", &[".rs"]);
    let known: Vec<&str> =
        code.iter().filter(|file| file.path.ends_with("/src/hub.rs")).flat_map(|file| facts(&file.text)).collect();
    let mut named = 0;
    let mut broken = Vec::new();
    for service in SERVICES {
        for file in code.iter().filter(|file| about_events(service, file)) {
            let found = facts(file.product_text());
            named += found.len();
            let unknown = found.into_iter().filter(|fact| !known.contains(fact));
            broken.extend(unknown.map(|fact| format!("{}: {fact}", file.path)));
        }
    }
    assert!(named > 25, "only {named} names were found: the search is broken");
    report("an event type is not in any service's hub.rs: nobody can ask for it", &broken);
}

#[test]
fn a_fact_is_told_from_other_words() {
    assert_eq!(facts(r#"x("QuoteAccepted", "quote", "Unwanted words ended", "Quote")"#), ["QuoteAccepted"]);
}
