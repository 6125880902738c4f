//! What PostgreSQL holds after a run: every row of both tenants in every table of the services, the outbox included.
//!
//! Owns reading them and bringing two runs into one form. A name that no answer showed is known by where it stands: by all
//! the rows it is in, and by the rows those names are in. Must never leave a table out because it is new.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use anyhow::Result;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Row};

use crate::{
    names::{Name, Pairs, Piece, pieces},
    visitor::Tenants,
};

/// Columns that say when and by which transaction a row was carried, and nothing about the business. The order of an
/// aggregate's rows is its version's; the shard is a hash of the tenant's name; the ordinal of a price is its place among
/// those sorted by the id of what it prices.
const CARRIAGE: [&str; 4] = ["seq", "xid", "shard", "ordinal"];
/// When a runner came by a task: that it is set is compared, and not which other moment it coincides with.
const RUNNER: (&str, [&str; 2]) = ("\"order\".task", ["run_after", "updated_at"]);
/// Rounds in which names become known by their neighbours: as far apart as two names of one tenant are.
const ROUNDS: usize = 5;

/// A row: its table, and its fields as paths with texts.
#[derive(Debug, Clone)]
pub struct Fact {
    table: String,
    fields: Vec<(String, Vec<Piece>)>,
}

/// Every table with a tenant, in the services' schemas.
async fn tables(owner: &PgPool) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "select format('%I.%I', n.nspname, c.relname) as name
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and not c.relispartition
           and n.nspname in ('catalog', 'pricing', 'quote', 'order', 'inventory')
           and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
         order by 1",
    )
    .fetch_all(owner)
    .await?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}

/// All rows of both tenants.
pub async fn facts(owner: &PgPool, tenants: &Tenants) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for table in tables(owner).await? {
        let statement = format!("select to_jsonb(t) as fields from {table} t where t.tenant_id in ($1, $2)");
        let rows =
            sqlx::query(AssertSqlSafe(statement)).bind(&tenants.shop).bind(&tenants.other).fetch_all(owner).await?;
        for row in rows {
            let mut fields = Vec::new();
            let Value::Object(columns) = row.get::<Value, _>("fields") else { continue };
            for (column, value) in columns.into_iter().filter(|(column, _)| !CARRIAGE.contains(&column.as_str())) {
                if RUNNER.0 == table && RUNNER.1.contains(&&*column) && value.is_string() {
                    fields.push((column, vec![Piece::Text("a moment".to_owned())]));
                } else {
                    flatten(&column, &readable(value), tenants, &mut fields);
                }
            }
            facts.push(Fact { table: table.clone(), fields });
        }
    }
    Ok(facts)
}

/// Bytes that are JSON are compared as such: a hash inside must be paired, not the bytes around it.
fn readable(value: Value) -> Value {
    let Some(hex) = value.as_str().and_then(|text| text.strip_prefix("\\x")) else { return value };
    let bytes: Option<Vec<u8>> =
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).filter(Value::is_object).unwrap_or(value)
}

fn flatten(path: &str, value: &Value, tenants: &Tenants, into: &mut Vec<(String, Vec<Piece>)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(&format!("{path}/{name}"), value, tenants, into));
        }
        Value::Array(items) => {
            // Many lists are in the order of ids, which differ from run to run: they are compared as sets.
            let mut items: Vec<&Value> = items.iter().collect();
            items.sort_by_cached_key(|item| nameless(item, tenants));
            items.iter().enumerate().for_each(|(at, value)| flatten(&format!("{path}/{at}"), value, tenants, into));
        }
        Value::String(text) => into.push((path.to_owned(), pieces(&tenants.neutral(text)))),
        other => into.push((path.to_owned(), vec![Piece::Text(other.to_string())])),
    }
}

/// A value as a text that is the same in every run.
fn nameless(value: &Value, tenants: &Tenants) -> String {
    let mut fields = Vec::new();
    flatten("", value, tenants, &mut fields);
    let texts = fields.iter().flat_map(|(path, pieces)| {
        let pieces = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => format!("<{:?}>", name.kind),
        });
        std::iter::once(path.clone()).chain(pieces)
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// The rows in a form that is the same for two runs that are the same, sorted.
pub fn canonical(facts: &[Fact], known: impl Fn(&Name) -> Option<String>) -> Vec<String> {
    let mut called: HashMap<&Name, String> = HashMap::new();
    let mut unknown: BTreeSet<&Name> = BTreeSet::new();
    for name in facts.iter().flat_map(names) {
        if let Some(text) = known(name) {
            called.insert(name, text);
        } else {
            called.insert(name, format!("{:?}", name.kind));
            unknown.insert(name);
        }
    }
    for _ in 0..ROUNDS {
        let mut neighbours: BTreeMap<&Name, Vec<String>> = BTreeMap::new();
        for fact in facts {
            let line = line(fact, &called, None);
            for name in names(fact).filter(|name| unknown.contains(name)).collect::<BTreeSet<_>>() {
                let mine = self::line(fact, &called, Some(name));
                neighbours.entry(name).or_default().push(format!("{mine} {}", digest(&line)));
            }
        }
        for (name, mut lines) in neighbours {
            lines.sort_unstable();
            called.insert(name, format!("{:?} {}", name.kind, digest(&lines)));
        }
    }
    let mut lines: Vec<String> = facts.iter().map(|fact| line(fact, &called, None)).collect();
    lines.sort_unstable();
    lines
}

fn names(fact: &Fact) -> impl Iterator<Item = &Name> {
    fact.fields.iter().flat_map(|(_, pieces)| pieces).filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// A row as a text, with `this` in place of one name.
fn line(fact: &Fact, called: &HashMap<&Name, String>, this: Option<&Name>) -> String {
    let mut text = fact.table.clone();
    for (path, pieces) in &fact.fields {
        text.extend([" ", path.as_str(), "="]);
        for piece in pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Name(name) if Some(name) == this => text.push_str("<this>"),
                Piece::Name(name) => text.extend(["<", called.get(name).map_or("", String::as_str), ">"]),
            }
        }
    }
    text
}

fn digest(of: &impl Hash) -> u64 {
    // The standard hasher with its fixed keys: the same in both runs.
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Lines that only one of the runs has.
pub fn differing(without: &[Fact], lied_to: &[Fact], pairs: &Pairs) -> Vec<String> {
    let one = canonical(without, |name| pairs.knows(name).then(|| name.text.clone()));
    let other = canonical(lied_to, |name| pairs.first(name).map(|first| first.text.clone()));
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (lines, weight) in [(one, 1), (other, -1)] {
        for line in lines {
            *counts.entry(line).or_default() += weight;
        }
    }
    let told = |(line, count): (String, i64)| match count {
        0 => None,
        1.. => Some(format!("only without a cache: {line}")),
        _ => Some(format!("only with the lie: {line}")),
    };
    counts.into_iter().filter_map(told).collect()
}
