//! Events are declared: a service makes them through their declarations, and lists each of these.

use crate::tree::{SERVICES, TextFile, files, report};

/// How an event is made that nobody declared.
const UNDECLARED: &str = "NewEvent::new(";

fn of_services() -> Vec<TextFile> {
    SERVICES.iter().flat_map(|service| files(&format!("crates/{service}/src"), &[".rs"])).collect()
}

#[test]
fn services_make_events_through_their_declarations() {
    let around = |file: &TextFile| file.product_text().contains(UNDECLARED);
    let broken: Vec<String> = of_services().into_iter().filter(around).map(|file| file.path).collect();
    report("an event is made with EventType::fact", &broken);
}

/// The names of a file's declarations: `const NAME: EventType<…`.
fn declared(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("const ")?.split_once(": EventType<"))
        .map(|(name, _)| name)
        .collect()
}

/// What a file lists, from `fn published_events` to the end of that function.
fn listed(text: &str) -> &str {
    let from = text.split_once("fn published_events()").map_or("", |(_, rest)| rest);
    from.split_once("\n}").map_or(from, |(body, _)| body)
}

#[test]
fn what_is_declared_is_listed() {
    let (mut broken, mut seen) = (Vec::new(), 0);
    for file in of_services() {
        let names = declared(&file.text);
        seen += names.len();
        let words: Vec<&str> = listed(&file.text).split(|it: char| !it.is_ascii_uppercase() && it != '_').collect();
        broken.extend(names.iter().filter(|name| !words.contains(name)).map(|name| format!("{}: {name}", file.path)));
    }
    assert!(seen > SERVICES.len(), "{seen} declarations were found");
    report("an event's declaration belongs into published_events()", &broken);
}

#[test]
fn a_declaration_that_is_not_listed_is_found() {
    let text = "const A: EventType<X> = n;\nconst B_C: EventType<Y> = n;\npub fn published_events() -> V {\n    [A.published()]\n}\n// B_C";
    assert_eq!(declared(text), ["A", "B_C"]);
    assert!(listed(text).contains('A') && !listed(text).contains("B_C"));
}
