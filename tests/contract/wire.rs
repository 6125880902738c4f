//! One call and one answer, byte by byte: what a client that means harm, or is broken, can put on the wire.
//!
//! Must never repair anything: no retries, no default headers, no look at what is sent.

use anyhow::{Context, Result};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use uuid::Uuid;

/// A request. Every part can be wrong on its own.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path, encoded as it goes out.
    pub path: String,
    /// The query with its `?`, or nothing.
    pub query: String,
    /// Headers beside those below, in order; a name may repeat.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The idempotency key.
    pub key: Key,
    /// What stands in `Authorization`.
    pub authorization: Option<String>,
    /// The body and its media type.
    pub body: Option<(String, Vec<u8>)>,
}

/// What stands in `Idempotency-Key`.
#[derive(Debug, Clone)]
pub enum Key {
    /// No such header.
    Absent,
    /// A key nobody used before, new each time the call is sent.
    Fresh,
    /// These values.
    Given(Vec<Vec<u8>>),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A call without anything.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            method,
            path,
            query: String::new(),
            headers: Vec::new(),
            key: Key::Absent,
            authorization: None,
            body: None,
        }
    }

    /// The same call with another header in the place of all of this name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The same call with this body, of the media type it has.
    #[must_use]
    pub fn with_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        let media = self.body.map_or_else(|| "application/json".to_owned(), |(media, _)| media);
        self.body = Some((media, bytes.into()));
        self
    }

    fn header_map(&self) -> Result<HeaderMap> {
        let mut map = HeaderMap::new();
        let mut add = |name: &str, value: &[u8]| -> Result<()> {
            map.append(HeaderName::try_from(name)?, HeaderValue::from_bytes(value)?);
            Ok(())
        };
        for (name, value) in &self.headers {
            add(name, value)?;
        }
        match &self.key {
            Key::Absent => {}
            Key::Fresh => add("idempotency-key", Uuid::now_v7().to_string().as_bytes())?,
            Key::Given(values) => values.iter().try_for_each(|value| add("idempotency-key", value))?,
        }
        if let Some(text) = &self.authorization {
            add("authorization", text.as_bytes())?;
        }
        if let Some((media, _)) = self.body.as_ref().filter(|(media, _)| !media.is_empty()) {
            add("content-type", media.as_bytes())?;
        }
        Ok(map)
    }
}

impl Reply {
    /// A header as text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters.
    pub fn media(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default().trim()
    }

    /// The body as JSON, `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the request was refused.
    pub const fn refused(&self) -> bool {
        self.status >= 400
    }

    /// The pointers of a problem.
    pub fn pointers(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().into_iter().flatten();
        errors.filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
    }
}

/// The line to the product.
#[derive(Debug, Clone)]
pub struct Wire {
    http: reqwest::Client,
    url: String,
}

impl Wire {
    /// A line to this address.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().build()?, url: url.to_owned() })
    }

    /// Sends, once.
    pub async fn send(&self, call: &Call) -> Result<Reply> {
        let url = format!("{}{}{}", self.url, call.path, call.query);
        let mut request = self.http.request(call.method.clone(), &url).headers(call.header_map()?);
        if let Some((_, bytes)) = &call.body {
            request = request.body(bytes.clone());
        }
        let response = request.send().await.with_context(|| format!("no answer to {} {url}", call.method))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.context("the answer broke off")?.to_vec();
        Ok(Reply { status, headers, body })
    }
}
