//! Sizes, names and first lines.

use crate::tree::{SERVICES, TextFile, files, report, root};

/// Lines of a file beyond which it must be split.
const FILE_LINES: usize = 500;
/// Lines of a function, and of a handler, beyond which it does too much.
const FUNCTION_LINES: usize = 70;
const HANDLER_LINES: usize = 25;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "misc"];

fn sources() -> Vec<TextFile> {
    ["crates", "tests", "bench"].into_iter().flat_map(|folder| files(folder, &[".rs"])).collect()
}

#[test]
fn files_stay_short() {
    let mut all = sources();
    all.extend(files("migrations", &[".sql"]));
    // `.d.ts` files are generated from the API's documents.
    all.extend(files("web/src", &[".ts", ".tsx", ".css"]).into_iter().filter(|file| !file.path.ends_with(".d.ts")));
    let long = all.iter().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > FILE_LINES);
    let broken: Vec<String> = long.map(|(file, lines)| format!("{}: {lines} lines", file.path)).collect();
    report("a file has at most 500 lines: make it a folder of the same name", &broken);
}

/// Functions of a formatted file with their lengths: from `fn` to the brace that closes at the same depth.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let depth = line.len() - code.len();
        let is_function = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub const fn ",
            "const fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
            "pub(crate) async fn ",
            "pub(super) async fn ",
        ]
        .iter()
        .any(|start| code.starts_with(start));
        // A signature without a body ends on its own line.
        if !is_function || code.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(depth));
        if let Some(length) = lines[at..].iter().position(|line| *line == closing) {
            found.push((code.trim_end_matches('{').trim().to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn functions_stay_short() {
    let mut broken = Vec::new();
    for file in sources() {
        let handler_file = SERVICES.iter().any(|service| file.path.starts_with(&format!("crates/{service}/src/http")));
        for (name, lines) in functions(file.product_text()) {
            let is_handler = handler_file && name.contains("State(");
            let limit = if is_handler { HANDLER_LINES } else { FUNCTION_LINES };
            if lines > limit {
                broken.push(format!("{}: {lines} lines: {name}", file.path));
            }
        }
    }
    report("a function has at most 70 lines, a handler 25", &broken);
}

#[test]
fn names_say_what_is_inside() {
    let named = |path: &str| path.split(['/', '.', '-', '_']).any(|part| EMPTY_NAMES.contains(&part));
    let broken: Vec<String> = sources().into_iter().map(|file| file.path).filter(|path| named(path)).collect();
    report("utils, common, helpers and misc say nothing: name the idea", &broken);
}

#[test]
fn every_file_opens_with_its_purpose() {
    let silent = |file: &TextFile| !file.text.trim_start().starts_with("//!");
    let broken: Vec<String> = sources().into_iter().filter(silent).map(|file| file.path).collect();
    report("a file opens with //!: purpose, what it owns, what it must never know", &broken);
}

#[test]
fn every_service_has_the_same_files() {
    let mut broken = Vec::new();
    for service in SERVICES {
        for file in ["lib", "model", "rules", "commands", "queries", "store", "http", "events", "error", "config"] {
            let source = root().join("crates").join(service).join("src");
            if !source.join(format!("{file}.rs")).exists() && !source.join(file).join("mod.rs").exists() {
                broken.push(format!("{service} has no {file}"));
            }
        }
    }
    report("services have the same file set, so that one who knows one knows all", &broken);
}

#[test]
fn lengths_are_counted_from_signature_to_brace() {
    let text =
        "fn a() {\n    one();\n}\n\nimpl X {\n    pub async fn b(\n        x: u8,\n    ) {\n        two();\n    }\n}\n";
    assert_eq!(functions(text), [("fn a()".to_owned(), 3), ("pub async fn b(".to_owned(), 5)]);
}
