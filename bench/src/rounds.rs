//! The rows of the quality page that are measured here, and the order in which a round measures them.

use serde_json::json;

use crate::{
    load::Request,
    product::Caching,
    report::Line,
    seed::{LINES, Seeded},
};

/// What a measurement asks.
pub enum Work {
    /// A path of the floor server, cycled over all offerings.
    Floor(&'static str),
    /// The product with this caching.
    Product(Caching, Request),
    /// `pgbench` writing in this form.
    Pgbench(crate::pgbench::Form),
}

/// One measurement of a round.
pub struct Measurement {
    /// Row of the quality page.
    pub row: &'static str,
    /// Name in the table.
    pub name: &'static str,
    /// What is asked.
    pub work: Work,
}

/// The floor a line is compared with, in the same round.
pub fn floor_of(line: &Line) -> Option<&'static str> {
    match line.name {
        "quoin offering, L1" | "axum + moka" => Some("bare axum"),
        "quoin offering, Redis" | "quoin preview, hit" | "quoin preview, miss" => Some("axum + fred"),
        "quoin offering, PostgreSQL" => Some("axum + key select"),
        "pgbench, one statement" | "pgbench, a quote's rows" => Some("pgbench, four trips"),
        "quoin quote create" => Some("pgbench, a quote's rows"),
        _ => None,
    }
}

/// All measurements of one round. A floor stands directly before what is compared with it.
pub fn measurements(seeded: &Seeded) -> Vec<Measurement> {
    let read = || Request {
        method: "GET",
        paths: seeded
            .offerings
            .iter()
            .map(|offering| format!("/catalog/v1/publications/{}/offerings/{offering}", seeded.publication))
            .collect(),
        headers: authorized(seeded),
        body: None,
    };
    let floor = |row, name, path| Measurement { row, name, work: Work::Floor(path) };
    let product = |row, name, caching, request| Measurement { row, name, work: Work::Product(caching, request) };
    let pgbench = |name, form| Measurement { row: "S6", name, work: Work::Pgbench(form) };
    vec![
        floor("S1", "bare axum", "/bare"),
        floor("S1", "axum + moka", "/l1"),
        product("S1", "quoin offering, L1", Caching::Full, read()),
        floor("S2", "axum + fred", "/l2"),
        product("S2", "quoin offering, Redis", Caching::RedisOnly, read()),
        floor("S3", "axum + key select", "/pg"),
        product("S3", "quoin offering, PostgreSQL", Caching::None, read()),
        floor("S5", "axum + fred", "/l2"),
        product("S5", "quoin preview, hit", Caching::Full, preview(seeded, "3")),
        product("S5", "quoin preview, miss", Caching::Full, preview(seeded, "@UNIQUE@")),
        pgbench("pgbench, four trips", crate::pgbench::Form::FourTrips),
        pgbench("pgbench, one statement", crate::pgbench::Form::OneStatement),
        pgbench("pgbench, a quote's rows", crate::pgbench::Form::SameStatements),
        product("S6", "quoin quote create", Caching::Full, quote(seeded)),
    ]
}

fn authorized(seeded: &Seeded) -> Vec<(String, String)> {
    vec![
        ("authorization".into(), format!("Bearer {}", seeded.token)),
        ("content-type".into(), "application/json".into()),
    ]
}

/// A ten-line preview. `mark` stands in an item id, which the preview repeats and therefore keys: a mark that never repeats always misses.
fn preview(seeded: &Seeded, mark: &str) -> Request {
    let items: Vec<_> = seeded
        .offerings
        .iter()
        .take(LINES)
        .enumerate()
        .map(|(line, offering)| json!({ "itemId": format!("{line}-{mark}"), "offeringId": offering, "quantity": "12" }))
        .collect();
    let body = json!({ "priceBookId": seeded.price_book, "publicationId": seeded.publication, "currency": "EUR", "items": items });
    Request {
        method: "POST",
        paths: vec!["/pricing/v1/price-previews".into()],
        headers: authorized(seeded),
        body: Some(body.to_string()),
    }
}

fn quote(seeded: &Seeded) -> Request {
    let item = json!({ "offeringId": seeded.offerings.first(), "quantity": "3" });
    let body = json!({
        "priceBookId": seeded.price_book,
        "publicationId": seeded.publication,
        "currency": "EUR",
        "items": [item],
    });
    let mut headers = authorized(seeded);
    headers.push(("idempotency-key".into(), "bench-@UNIQUE@".into()));
    Request { method: "POST", paths: vec!["/quote/v1/quotes".into()], headers, body: Some(body.to_string()) }
}
