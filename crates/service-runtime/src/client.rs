//! Calls from one service to another: bearer token, correlation id and trace go along, problems come back as problems.
//!
//! Owns time-outs and the few retries. Must never hold a database transaction: call first, then begin.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use kernel::Version;
use reqwest::{RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Caller, Problem, ProblemDocument,
    conditional::MIN_VERSION_HEADER,
    context::CORRELATION_ID_HEADER,
    idempotency::{IDEMPOTENCY_KEY_HEADER, IdempotencyKey},
    sender::SERVICE_AGENT,
    telemetry,
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Tries of a call that is safe to repeat.
const TRIES: u32 = 3;

/// Longest pause before the second try; it doubles, and is shortened at random.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The other service refused; its problem says why.
    #[error("{service} refused: {}", document.title)]
    Refused {
        /// The service called.
        service: &'static str,
        /// The status.
        status: StatusCode,
        /// What it said.
        document: Box<ProblemDocument>,
    },
    /// The other service could not be reached or did not answer in time.
    #[error("{service} does not answer")]
    Unreachable {
        /// The service called.
        service: &'static str,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The other service answered something we do not understand.
    #[error("{service} answered something unexpected")]
    Unexpected {
        /// The service called.
        service: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CallError {
    /// The status the other service answered, if it did.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, document, .. } => document.retryable || status.is_server_error(),
            Self::Unreachable { .. } => true,
            Self::Unexpected { .. } => false,
        }
    }
}

/// What another service answered.
#[derive(Debug)]
pub struct Reply<T> {
    /// The body.
    pub value: T,
    /// The status, 2xx.
    pub status: StatusCode,
    /// The version in the ETag, if there is one.
    pub version: Option<Version>,
}

/// Calls one other service. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct ServiceClient {
    service: &'static str,
    base_url: String,
    http: reqwest::Client,
}

/// One call being put together.
#[must_use = "a call does nothing until it is sent"]
pub struct Call<'a> {
    client: &'a ServiceClient,
    request: RequestBuilder,
    repeatable: bool,
}

impl ServiceClient {
    /// A client of `service` at `base_url`, for example `http://pricing:8080`; each try may take `timeout`.
    pub fn new(service: &'static str, base_url: &str, timeout: Duration) -> Self {
        let http = reqwest::Client::builder()
            .user_agent(SERVICE_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client fails only for want of the TLS provider, which is compiled in");
        Self { service, base_url: base_url.trim_end_matches('/').to_owned(), http }
    }

    /// A read. `path` begins with the service's own base path.
    pub fn get(&self, caller: &Caller, path: &str) -> Call<'_> {
        self.call(Method::GET, caller, path)
    }

    /// A command with a body.
    pub fn post(&self, caller: &Caller, path: &str, body: &impl Serialize) -> Call<'_> {
        let call = self.call(Method::POST, caller, path);
        Call { request: call.request.json(body), ..call }
    }

    fn call(&self, method: Method, caller: &Caller, path: &str) -> Call<'_> {
        let repeatable = method.is_safe();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .header(CORRELATION_ID_HEADER, &caller.correlation_id);
        if let Some(bearer) = caller.token.header() {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if let Some(traceparent) = telemetry::current_traceparent() {
            request = request.header("traceparent", traceparent);
        }
        Call { client: self, request, repeatable }
    }
}

impl Call<'_> {
    /// Makes the command safe to repeat.
    pub fn idempotent(self, key: &IdempotencyKey) -> Self {
        Self { request: self.request.header(IDEMPOTENCY_KEY_HEADER, key.as_str()), repeatable: true, ..self }
    }

    /// Asks for nothing older than `version`.
    pub fn min_version(self, version: Version) -> Self {
        Self { request: self.request.header(MIN_VERSION_HEADER, version.get()), ..self }
    }

    /// Names the version the command is based on.
    pub fn if_match(self, version: Version) -> Self {
        Self { request: self.request.header(header::IF_MATCH, crate::etag(version)), ..self }
    }

    /// Sends, and reads the answer. A call that is safe to repeat is tried again when the other side is briefly away.
    pub async fn send<T: DeserializeOwned>(self) -> Result<Reply<T>, CallError> {
        let service = self.client.service;
        for attempt in 1.. {
            let again = if self.repeatable && attempt < TRIES { self.request.try_clone() } else { None };
            let request = again.unwrap_or(self.request.try_clone().ok_or_else(|| not_repeatable(service))?);
            let result = send_once(service, request).await;
            match result {
                Err(error) if self.repeatable && attempt < TRIES && error.is_transient() => pause(attempt).await,
                result => return result,
            }
        }
        Err(not_repeatable(service))
    }
}

fn not_repeatable(service: &'static str) -> CallError {
    CallError::Unexpected { service, source: "the request has a streaming body".into() }
}

async fn pause(attempt: u32) {
    let longest = RETRY_PAUSE * 2_u32.pow(attempt - 1);
    tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
}

async fn send_once<T: DeserializeOwned>(service: &'static str, request: RequestBuilder) -> Result<Reply<T>, CallError> {
    let unreachable = |source| CallError::Unreachable { service, source };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let version = response.headers().get(header::ETAG).and_then(version_of);
    if !status.is_success() {
        return Err(refusal(service, status, response).await);
    }
    let body = response.bytes().await.map_err(unreachable)?;
    let value = parse(&body).map_err(|source| CallError::Unexpected { service, source: source.into() })?;
    Ok(Reply { value, status, version })
}

/// An empty body reads as JSON null, so that `Reply<()>` works for 204.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, serde_json::Error> {
    serde_json::from_slice(if body.is_empty() { b"null" } else { body })
}

async fn refusal(service: &'static str, status: StatusCode, response: Response) -> CallError {
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(source) => return CallError::Unreachable { service, source },
    };
    match serde_json::from_slice(&body) {
        Ok(document) => CallError::Refused { service, status, document: Box::new(document) },
        Err(_) => CallError::Unexpected { service, source: format!("status {status} without a problem").into() },
    }
}

fn version_of(etag: &HeaderValue) -> Option<Version> {
    etag.to_str().ok()?.trim_matches('"').parse().ok().map(Version::new)
}

/// Refusals of the caller's own request are passed on; everything else is our failure to get an answer.
impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { status, document, .. } if passes_on(status) => Self::from_document(status, *document),
            error if error.is_transient() => Self::unavailable(Duration::from_secs(1)).caused_by(error),
            error => Self::new(StatusCode::BAD_GATEWAY, "upstream-failed", "Another service failed").caused_by(error),
        }
    }
}

/// 401 would tell the caller that his own token is bad, which our check has just denied.
fn passes_on(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::UNAUTHORIZED
}
