//! Everybody of one run: sends the requests of the journeys and writes down every answer.
//!
//! In the run without a cache it also looks, after every command, at whatever may later be shown old: what a cache may
//! show late is what was true then. Must never know what the answers should be.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cache_ports::keyspace::{Coherence, Keyspace};
use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use kernel::{Clock, SystemClock};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::stage::Stage;

/// Who there is, with their roles. The last one belongs to the other tenant.
pub const PEOPLE: [(&str, &[&str]); 5] = [
    ("admin", &["tenantAdmin"]),
    ("seller", &["salesRep", "buyer", "orderAgent"]),
    ("approver", &["approver"]),
    ("buyer", &["buyer"]),
    ("stranger", &["tenantAdmin", "salesRep", "buyer", "orderAgent"]),
];
pub const ADMIN: &str = "admin";
pub const SELLER: &str = "seller";
pub const APPROVER: &str = "approver";
pub const BUYER: &str = "buyer";
pub const STRANGER: &str = "stranger";

/// Header fields that are part of an answer's meaning.
const HEADERS: [&str; 6] = ["etag", "location", "content-type", "cache-control", "idempotency-replayed", "allow"];
/// A service that asks to come back later is asked again so often.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// The two tenants of a run.
#[derive(Debug, Clone)]
pub struct Tenants {
    /// Whose journeys they are.
    pub shop: String,
    /// Who must see nothing of them.
    pub other: String,
}

/// How an answer may differ from the one without a cache.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Not at all.
    Exact,
    /// It may be an earlier answer, no older than these keyspaces allow.
    MayBeOld(Duration),
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Of which journey.
    pub journey: &'static str,
    /// What was asked, for people.
    pub asked: String,
    /// How it is compared.
    pub rule: Rule,
    /// Which repeated look it is, for what may be old.
    pub look: Option<usize>,
    /// Commands that were done before.
    pub moment: usize,
    /// When it was sent and answered.
    pub sent: DateTime<Utc>,
    pub answered: DateTime<Utc>,
    pub status: u16,
    pub headers: BTreeMap<&'static str, String>,
    pub body: Value,
}

/// All of a run.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Every answer, in order.
    pub exchanges: Vec<Exchange>,
    /// For each look its answers after each command: without a cache only.
    pub looks: Vec<Vec<Exchange>>,
    /// When each command was done.
    pub moments: Vec<DateTime<Utc>>,
}

/// See the module.
pub struct Visitor<'a> {
    pub stage: &'a Stage,
    pub tenants: Tenants,
    http: Client,
    tokens: HashMap<&'static str, String>,
    /// The run without a cache.
    looks_around: bool,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    transcript: Transcript,
    looks: Vec<Request>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    who: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    rule: Rule,
    /// The field by which the list in the answer is brought into one order, where ids decide its own.
    sorted_by: Option<&'static str>,
    changes: bool,
}

impl Request {
    /// A read whose answer is the same with any cache.
    pub fn get(who: &'static str, path: impl Into<String>) -> Self {
        Self::of(who, Method::GET, path.into(), None, false)
    }

    /// A question that needs a body.
    pub fn ask(who: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self::of(who, Method::POST, path.into(), Some(body), false)
    }

    /// A command.
    pub fn post(who: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self::of(who, Method::POST, path.into(), Some(body), true)
    }

    /// A command.
    pub fn put(who: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self::of(who, Method::PUT, path.into(), Some(body), true)
    }

    /// A command.
    pub fn delete(who: &'static str, path: impl Into<String>) -> Self {
        Self::of(who, Method::DELETE, path.into(), None, true)
    }

    fn of(who: &'static str, method: Method, path: String, body: Option<Value>, changes: bool) -> Self {
        Self { who, method, path, headers: Vec::new(), body, rule: Rule::Exact, sorted_by: None, changes }
    }

    /// With a header field; the last one of a name counts.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// Under an idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    /// Only if it still has this version.
    pub fn if_match(self, version: &Value) -> Self {
        self.with("if-match", format!("\"{version}\""))
    }

    /// Nothing older than this version.
    pub fn at_least(self, version: &Value) -> Self {
        self.with("min-version", version.to_string())
    }

    /// The items of the answer come in the order of their ids, which differ from run to run.
    pub const fn sorted_by(mut self, field: &'static str) -> Self {
        self.sorted_by = Some(field);
        self
    }

    /// The registry lets these keyspaces be shown late.
    pub fn may_be_old(mut self, by: &[&'static Keyspace]) -> Self {
        let bound = |keyspace: &&'static Keyspace| {
            assert!(!matches!(keyspace.coherence, Coherence::Versioned), "{} never changes", keyspace.name);
            let jitter = f64::from(keyspace.ttl.jitter_percent) / 100.0;
            let load = keyspace.loading.map_or(Duration::ZERO, |limits| limits.timeout);
            keyspace.ttl.hard.mul_f64(1.0 + jitter) + load
        };
        self.rule = Rule::MayBeOld(by.iter().map(bound).sum());
        self
    }
}

/// One journey of a run.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub visitor: &'a Visitor<'a>,
    journey: &'static str,
}

impl Scene<'_> {
    /// Sends and gives the body.
    pub async fn send(&self, request: Request) -> Result<Value> {
        self.visitor.send(self.journey, request).await
    }

    /// Sends all at once; the answers come in the order of the requests.
    pub async fn send_all(&self, requests: Vec<Request>) -> Result<Vec<Value>> {
        let sent = requests.iter().map(|request| self.visitor.exchange(self.journey, request));
        let exchanges = try_join_all(sent).await?;
        let mut bodies = Vec::new();
        for (request, exchange) in requests.iter().zip(exchanges) {
            bodies.push(exchange.body.clone());
            self.visitor.write_down(request, exchange).await?;
        }
        Ok(bodies)
    }
}

impl<'a> Visitor<'a> {
    /// Everybody of `tenants`.
    pub async fn enter(stage: &'a Stage, tenants: Tenants, looks_around: bool) -> Result<Self> {
        let http = Client::new();
        let mut tokens = HashMap::new();
        for (name, roles) in PEOPLE {
            let tenant = if name == STRANGER { &tenants.other } else { &tenants.shop };
            tokens.insert(name, stage.token(&http, tenant, name, roles).await?);
        }
        Ok(Self { stage, tenants, http, tokens, looks_around, notes: Mutex::default() })
    }

    pub const fn scene(&'a self, journey: &'static str) -> Scene<'a> {
        Scene { visitor: self, journey }
    }

    /// What was written down.
    pub fn leave(self) -> Transcript {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner).transcript
    }

    /// Something has happened by itself.
    pub async fn moment(&self) -> Result<()> {
        self.notes().transcript.moments.push(SystemClock.now());
        if self.looks_around {
            let looks = self.notes().looks.clone();
            for (at, look) in looks.iter().enumerate() {
                let exchange = self.exchange("look", look).await?;
                self.notes().transcript.looks[at].push(exchange);
            }
        }
        Ok(())
    }

    async fn send(&self, journey: &'static str, request: Request) -> Result<Value> {
        let exchange = self.exchange(journey, &request).await?;
        let body = exchange.body.clone();
        self.write_down(&request, exchange).await?;
        Ok(body)
    }

    async fn write_down(&self, request: &Request, mut exchange: Exchange) -> Result<()> {
        if let Rule::MayBeOld(_) = request.rule {
            exchange.look = Some(self.look(request, &exchange));
        }
        let changed = request.changes && exchange.status < 300;
        self.notes().transcript.exchanges.push(exchange);
        if changed { self.moment().await } else { Ok(()) }
    }

    /// The number of this look; a new one is kept to be repeated.
    fn look(&self, request: &Request, first: &Exchange) -> usize {
        let mut notes = self.notes();
        let same = |known: &Request| {
            known.who == request.who
                && known.path == request.path
                && known.method == request.method
                && known.body == request.body
        };
        if let Some(known) = notes.looks.iter().position(same) {
            return known;
        }
        notes.looks.push(request.clone());
        notes.transcript.looks.push(vec![first.clone()]);
        notes.looks.len() - 1
    }

    async fn exchange(&self, journey: &'static str, request: &Request) -> Result<Exchange> {
        let asked = format!("{} {} {}", request.who, request.method, request.path);
        let token = self.tokens.get(request.who).context("nobody by that name")?;
        let moment = self.notes().transcript.moments.len();
        for _ in 0..TRIES {
            let sent = SystemClock.now();
            let mut call = self
                .http
                .request(request.method.clone(), format!("{}{}", self.stage.url, request.path))
                .bearer_auth(token);
            for (name, value) in &request.headers {
                call = call.header(*name, value);
            }
            if let Some(body) = &request.body {
                call = call.json(body);
            }
            let answer = call.send().await.with_context(|| asked.clone())?;
            let status = answer.status().as_u16();
            if matches!(status, 429 | 503) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            ensure!(status < 500, "{asked}: {status} {}", answer.text().await?);
            let field =
                |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let headers = HEADERS.into_iter().filter_map(|name| Some((name, field(name)?))).collect();
            let bytes = answer.bytes().await?;
            let mut body: Value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
            if let (Some(field), Some(items)) = (request.sorted_by, body.get_mut("items").and_then(Value::as_array_mut))
            {
                items.sort_by_key(|item| item[field].to_string());
            }
            let (rule, answered) = (request.rule, SystemClock.now());
            return Ok(Exchange { journey, asked, rule, look: None, moment, sent, answered, status, headers, body });
        }
        anyhow::bail!("{asked}: still told to come back after {TRIES} tries")
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
