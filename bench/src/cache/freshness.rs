//! S12: for how long readers of another process may still see what was before a command.
//!
//! Counted from the moment the command is sent to the first new answer, so that the write and one read are in every figure:
//! it is more than the time from commit to an empty key. The writer either drops the key itself after its commit (the fast
//! path) or has no cache at all, so that outbox, relay, Kafka and consumer are the only way.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use dev_stack::Need;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Options,
    timing::{micros, note},
};
use crate::{
    process::ServerProcess,
    product::{Caching, Surroundings},
    seed::{self, Api},
};

const WRITER_PORT: u16 = 18_300;
const CACHELESS_WRITER_PORT: u16 = 18_310;
const READER_PORT: u16 = 18_320;
const WORKER_PORT: u16 = 18_330;
const WORKER_THREADS: u16 = 2;
const WAYS: [(&str, u16); 2] = [("with the fast path", WRITER_PORT), ("by Kafka alone", CACHELESS_WRITER_PORT)];
/// What everybody asks for first.
const ACTIVE: &str = "/catalog/v1/publications/active";
/// A reader that sees the old answer for longer is lost.
const LIMIT: Duration = Duration::from_secs(30);

/// Starts writers, reader and worker, changes things, and returns the table.
pub async fn run(options: &Options) -> Result<String> {
    let (stack, surroundings) = Surroundings::start(&options.quoin, Need::Required).await?;
    let token = surroundings.token().await?;
    let mut processes = Vec::<ServerProcess>::new();
    for (port, caching) in
        [(WRITER_PORT, Caching::RedisOnly), (CACHELESS_WRITER_PORT, Caching::None), (READER_PORT, Caching::Full)]
    {
        processes.push(surroundings.serve(&["all"], port, caching, WORKER_THREADS).await?);
    }
    processes.push(surroundings.work(WORKER_PORT, WORKER_THREADS).await?);
    let seeded = seed::fill(&base(WRITER_PORT), token).await?;
    let api = |port| Api::new(&base(port), &seeded.token);
    let reader = api(READER_PORT);
    let mut text = format!(
        "{} changes each, one after the other; from sending the command to the first new answer of another process.\n\n\
         | S12 | p50 ms | p99 ms | longest ms |\n|---|---|---|---|\n",
        options.changes
    );
    for (way, port) in WAYS {
        let quotes = Quote::create(&api(WRITER_PORT), &seeded).await?;
        line(
            &mut text,
            "quote summary in Redis",
            way,
            &quote_changes(&api(port), &reader, quotes, options.changes).await?,
        );
    }
    let publications = publications(&api(WRITER_PORT)).await?;
    for (way, port) in WAYS {
        let took = activations(&api(port), &reader, &publications, options.changes).await?;
        line(&mut text, "active publication in a process's memory", way, &took);
    }
    for process in processes {
        process.stop().await?;
    }
    stack.stop().await?;
    Ok(text + "\n")
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn line(text: &mut String, what: &str, way: &str, took: &Histogram<u64>) {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a few seconds")]
    let millis = |micros: u64| micros as f64 / 1_000.0;
    let (p50, p99) = (millis(took.value_at_quantile(0.5)), millis(took.value_at_quantile(0.99)));
    let _ = writeln!(text, "| {what}, {way} | {p50:.1} | {p99:.1} | {:.1} |", millis(took.max()));
}

/// A draft with one line, as it was last answered.
struct Quote {
    path: String,
    line: String,
    version: Value,
}

impl Quote {
    async fn create(api: &Api, seeded: &seed::Seeded) -> Result<Self> {
        let body = json!({
            "priceBookId": seeded.price_book,
            "publicationId": seeded.publication,
            "currency": "EUR",
            "items": [{ "offeringId": seeded.offerings.first(), "quantity": "1" }],
        });
        let key = Uuid::now_v7().to_string();
        let quote = api.send("POST", "/quote/v1/quotes", &[("Idempotency-Key", &key)], Some(body)).await?;
        let id = quote["id"].as_str().context("a quote has an id")?;
        let line = quote.pointer("/currentRevision/items/0/id").and_then(Value::as_str);
        let line = line.with_context(|| format!("a line has an id: {quote}"))?;
        let path = format!("/quote/v1/quotes/{id}");
        Ok(Self { line: format!("{path}/revisions/1/items/{line}"), path, version: quote["version"].clone() })
    }
}

/// Another quantity, again and again; the reader fills the cache before each change.
async fn quote_changes(writer: &Api, reader: &Api, mut quote: Quote, changes: u64) -> Result<Histogram<u64>> {
    let mut took = micros()?;
    for number in 0..changes {
        seen(reader, &quote.path, "version", &quote.version).await?;
        let etag = format!("\"{}\"", quote.version);
        let change = json!({ "quantity": (2 + number % 7).to_string() });
        let sent = Instant::now();
        let headers = [("If-Match", etag.as_str()), ("Content-Type", "application/merge-patch+json")];
        quote.version = writer.send("PATCH", &quote.line, &headers, Some(change)).await?["version"].clone();
        seen(reader, &quote.path, "version", &quote.version).await?;
        note(&mut took, sent.elapsed());
    }
    Ok(took)
}

/// Two publications. The same content would be the same publication, so the second has one offering more.
async fn publications(api: &Api) -> Result<[String; 2]> {
    let mut made = [String::new(), String::new()];
    for (number, id) in (seed::OFFERINGS..).zip(&mut made) {
        let items = json!({ "items": [seed::offering(number)] });
        api.send("POST", "/catalog/v1/imports", &[], Some(items)).await?;
        let body = json!({ "name": number.to_string(), "activate": true });
        let publication = api.send("POST", "/catalog/v1/publications", &[], Some(body)).await?;
        publication["id"].as_str().context("a publication has an id")?.clone_into(id);
    }
    ensure!(made[0] != made[1], "both publications are one");
    Ok(made)
}

/// The publications take turns, beginning with the one that is not in force.
async fn activations(writer: &Api, reader: &Api, publications: &[String; 2], changes: u64) -> Result<Histogram<u64>> {
    let mut took = micros()?;
    let active = reader.send("GET", ACTIVE, &[], None).await?["publicationId"].clone();
    let others = publications.iter().filter(|id| active != **id).chain(publications.iter().filter(|id| active == **id));
    for id in others.cycle().take(usize::try_from(changes)?) {
        let sent = Instant::now();
        writer.send("POST", &format!("/catalog/v1/publications/{id}/activate"), &[], None).await?;
        seen(reader, ACTIVE, "publicationId", &json!(id)).await?;
        note(&mut took, sent.elapsed());
    }
    Ok(took)
}

/// Reads until `field` is `wanted`; from then on it is cached.
async fn seen(reader: &Api, path: &str, field: &str, wanted: &Value) -> Result<()> {
    let since = Instant::now();
    loop {
        let answer = reader.send("GET", path, &[], None).await?;
        ensure!(!answer[field].is_null(), "{path} has no {field}");
        if answer[field] == *wanted {
            return Ok(());
        }
        if since.elapsed() > LIMIT {
            bail!("{path} shows {} instead of {wanted} after {LIMIT:?}", answer[field]);
        }
    }
}
