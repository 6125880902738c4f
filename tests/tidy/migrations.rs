//! Every table of a tenant is isolated, and says so in its migration.

use crate::tree::{SERVICES, TextFile, files, report};

/// Tables that hold the rules of a state machine: the same for everybody, written by migrations only.
const RULES: &str = "_transition";

/// Tables a service's migrations create: schema-qualified name and body. Partitions belong to their parents.
fn tables(sql: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in sql.match_indices("create table ") {
        let statement = sql[at..].split(';').next().unwrap_or_default();
        let after = statement.trim_start_matches("create table ").trim_start_matches("if not exists ");
        let name = after.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
        if !statement.contains("partition of") {
            found.push((name.to_owned(), statement.to_owned()));
        }
    }
    found
}

fn without_comments(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    // Columns may be set out in a table of their own: one space is enough here.
    code.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

fn problems(service: &str, migrations: &[TextFile]) -> Vec<String> {
    let sql = migrations.iter().map(|file| without_comments(&file.text)).collect::<Vec<_>>().join("\n");
    let mut broken = Vec::new();
    for (name, body) in tables(&sql).into_iter().filter(|(name, _)| !name.ends_with(RULES)) {
        let plain = name.replace('"', "");
        let isolated = [format!("isolate_tenant('{name}')"), format!("isolate_tenant('{plain}')")];
        if !plain.starts_with(&format!("{service}.")) {
            broken.push(format!("{name}: not in the service's own schema"));
        }
        if !body.contains("tenant_id text not null") {
            broken.push(format!("{name}: no `tenant_id text not null`"));
        }
        if !isolated.iter().any(|call| sql.contains(call)) {
            broken.push(format!("{name}: never isolated"));
        }
        let keyed = body.contains("primary key (tenant_id") || body.contains("tenant_id text not null primary key");
        if !keyed {
            broken.push(format!("{name}: its primary key does not begin with the tenant"));
        }
    }
    broken
}

#[test]
fn every_table_of_a_service_is_isolated_by_tenant() {
    let mut broken = Vec::new();
    for service in SERVICES {
        let migrations = files(&format!("migrations/{service}"), &[".sql"]);
        assert!(migrations.iter().any(|file| !tables(&file.text).is_empty()), "{service} has no tables to look at");
        broken.extend(problems(service, &migrations));
    }
    report("a tenant's rows are kept apart by PostgreSQL (platform.isolate_tenant)", &broken);
}

#[test]
fn a_table_that_is_not_isolated_is_found() {
    let file = |text: &str| vec![TextFile { path: "0001.sql".to_owned(), text: text.to_owned() }];
    let body = "create table quote.x (tenant_id text not null, id uuid, primary key (tenant_id, id));";
    assert_eq!(problems("quote", &file(body)).len(), 1);
    assert!(problems("quote", &file(&format!("{body} select platform.isolate_tenant('quote.x');"))).is_empty());
    assert_eq!(problems("quote", &file("create table pricing.x (id uuid);")).len(), 4);
}
