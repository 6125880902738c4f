//! An HTTP client for tests: short to call, and it shows the body when an expectation fails.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Calls one service as one subject.
#[derive(Debug, Clone)]
pub struct TestClient {
    http: reqwest::Client,
    base_url: String,
    token: Option<String>,
}

/// A request being put together.
#[must_use = "a request does nothing until it is sent"]
pub struct TestRequest(reqwest::RequestBuilder);

/// What was answered.
#[derive(Debug)]
pub struct TestReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl TestClient {
    pub(super) fn new(http: reqwest::Client, base_url: String, token: Option<String>) -> Self {
        Self { http, base_url, token }
    }

    /// GET.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: &impl Serialize) -> TestRequest {
        self.request(Method::POST, path).json(body)
    }

    /// PUT with a JSON body.
    pub fn put(&self, path: &str, body: &impl Serialize) -> TestRequest {
        self.request(Method::PUT, path).json(body)
    }

    /// PATCH with a JSON body.
    pub fn patch(&self, path: &str, body: &impl Serialize) -> TestRequest {
        self.request(Method::PATCH, path).json(body)
    }

    /// Any method, no body yet.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        let request = self.http.request(method, format!("{}{path}", self.base_url));
        TestRequest(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }
}

impl TestRequest {
    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Adds an Idempotency-Key.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds If-Match with the ETag of `version`.
    pub fn if_match(self, version: u64) -> Self {
        self.header("if-match", &format!("\"{version}\""))
    }

    /// Sets a JSON body.
    pub fn json(self, body: &impl Serialize) -> Self {
        Self(self.0.json(body))
    }

    /// Sets any body.
    pub fn body(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", content_type).body(body))
    }

    /// Sends it.
    pub async fn send(self) -> TestReply {
        let response = self.0.send().await.expect("the service under test answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("the body can be read");
        TestReply { status, headers, body }
    }
}

impl TestReply {
    /// The body as a type.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The body as JSON.
    pub fn value(&self) -> Value {
        self.json()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's text; empty when missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The version in the ETag.
    pub fn version(&self) -> u64 {
        self.header("etag").trim_matches('"').parse().unwrap_or_else(|_| panic!("no version in {:?}", self.headers))
    }

    /// Panics with the body unless the status is `status`.
    #[expect(clippy::return_self_not_must_use, reason = "the expectation is the use")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// Panics unless this is a well-formed problem with `status` and `code`.
    pub fn expect_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.value();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["traceId"].is_string(), "{problem}");
        problem
    }

    /// The pointers of a problem's errors.
    pub fn pointers(&self) -> Vec<String> {
        let problem = self.value();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
    }
}
