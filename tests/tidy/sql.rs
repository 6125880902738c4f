//! A service's SQL names only its own schema (and `platform`, whose functions belong to everybody).

use crate::tree::{SERVICES, TextFile, files, report};

/// Words after which a table is named.
const TABLE_WORDS: [&str; 5] = ["from", "join", "into", "update", "table"];

/// Schemas that belong to nobody.
const SHARED: [&str; 3] = ["platform", "pg_catalog", "information_schema"];

/// The schemas a text names after a table word, unquoted and lower case.
fn schemas_named(sql: &str) -> Vec<String> {
    let words: Vec<&str> =
        sql.split(|c: char| c.is_whitespace() || "(),;".contains(c)).filter(|w| !w.is_empty()).collect();
    words
        .windows(2)
        .filter(|pair| TABLE_WORDS.contains(&pair[0].to_lowercase().as_str()))
        .filter_map(|pair| pair[1].split_once('.'))
        .map(|(schema, _)| schema.trim_matches('"').to_lowercase())
        .filter(|schema| schema.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !schema.is_empty())
        .collect()
}

/// String literals of a Rust file that hold SQL. Comments and code are left out, because `order.version` is a field.
fn sql_literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('"') {
        let line_start = rest[..start].rfind('\n').map_or(0, |at| at + 1);
        if rest[line_start..start].trim_start().starts_with("//") {
            let end = rest[start..].find('\n').map_or(rest.len(), |at| start + at);
            rest = &rest[end..];
            continue;
        }
        let hashes = rest[..start].bytes().rev().take_while(|byte| *byte == b'#').count();
        let raw = rest[..start - hashes].ends_with('r');
        let body = &rest[start + 1..];
        let end = if raw { body.find(&format!("\"{}", "#".repeat(hashes))) } else { end_of_plain(body) };
        let Some(end) = end else { break };
        literals.push(body[..end].to_owned());
        rest = &body[end + 1..];
    }
    let verbs = ["select ", "insert into ", "update ", "delete from ", "with "];
    literals.retain(|literal| {
        let start = literal.trim_start_matches([' ', '\n', '\\']).to_lowercase();
        verbs.iter().any(|verb| start.starts_with(verb))
    });
    literals
}

fn end_of_plain(body: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn foreign_schemas(service: &str, file: &TextFile) -> Vec<String> {
    let is_sql = file.has_ending("sql");
    let texts = if is_sql { vec![without_comments(&file.text)] } else { sql_literals(file.product_text()) };
    let named = texts.iter().flat_map(|text| schemas_named(&text.replace("\\\"", "\"")));
    named
        .filter(|schema| schema != service && !SHARED.contains(&schema.as_str()))
        // An alias looks like a schema (`update … from x.y`); only names of other services are foreign.
        .filter(|schema| SERVICES.contains(&schema.as_str()))
        .map(|schema| format!("{}: {schema}", file.path))
        .collect()
}

fn without_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_services_sql_names_only_its_own_schema() {
    let mut broken = Vec::new();
    for service in SERVICES {
        let mut all = files(&format!("crates/{service}/src"), &[".rs", ".sql"]);
        all.extend(files(&format!("migrations/{service}"), &[".sql"]));
        broken.extend(all.iter().flat_map(|file| foreign_schemas(service, file)));
    }
    report("SQL of one service looks into another's schema: ask its API instead", &broken);
}

#[test]
fn a_foreign_schema_is_found_wherever_it_stands() {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    let found = |path: &str, text: &str| foreign_schemas("quote", &file(path, text)).len();
    assert_eq!(found("store.rs", "query!(\"select 1 from pricing.price_book\")"), 1);
    assert_eq!(found("store.rs", "query!(r#\"select 1 from quote.quote join \"order\".item i on true\"#)"), 1);
    assert_eq!(found("store.rs", "query!(\"update \\\"order\\\".item set x = 1\")"), 1);
    assert_eq!(found("0001.sql", "insert into catalog.offering values (1); -- from pricing.x"), 1);
    assert_eq!(
        found("store.rs", "// select from pricing.x\nlet v = order.version; query!(\"select 1 from quote.quote\")"),
        0
    );
}

#[test]
fn sql_keywords_are_lower_case() {
    let keywords = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE "];
    let broken: Vec<String> = files("migrations", &[".sql"])
        .into_iter()
        .filter(|file| keywords.iter().any(|keyword| without_comments(&file.text).contains(keyword)))
        .map(|file| file.path)
        .collect();
    report("SQL keywords are written in lower case", &broken);
}

/// The one place that may begin a transaction of sqlx's: elsewhere a future that is dropped would leave it open.
const BEGINS: &str = "crates/events/src/transaction.rs";

#[test]
fn no_transaction_is_begun_by_whoever_may_be_dropped() {
    let sources = files("crates", &[".rs"]).into_iter().filter(|file| file.path.contains("/src/"));
    let begin = sources.filter(|file| file.product_text().contains("pool.begin()")).map(|file| file.path);
    assert_eq!(begin.collect::<Vec<_>>(), [BEGINS]);
}
