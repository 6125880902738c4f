//! A client of the product's own HTTP API: what import, replay, the demo and the proof on real input speak through.
//!
//! Owns retries and credentials. It knows paths and status codes, and never a database, a cache or a broker: whatever
//! it shows, any other client could show.

mod answer;
mod credential;
mod endpoints;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Method, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    answer::{Answer, ApiError, Problem},
    credential::{Credential, Person},
    endpoints::Endpoints,
};

/// A single answer is never waited for longer: the slowest honest one, a price book of 20,000 entries, takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// First pause before a repeated attempt; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The API, spoken by one person of one tenant. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    endpoints: Arc<Endpoints>,
    credential: Arc<Credential>,
    patience: Duration,
}

impl Api {
    /// Speaks to `endpoints` with this credential. A call that fails for a passing reason is repeated for as long as
    /// `patience`; everything sent through here is safe to repeat (external ids, If-Match, idempotency keys).
    pub fn new(endpoints: Arc<Endpoints>, credential: Credential, patience: Duration) -> Result<Self, ApiError> {
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build().map_err(ApiError::Unreachable)?;
        Ok(Self { http, endpoints, credential: Arc::new(credential), patience })
    }

    /// The same connections, spoken by somebody else.
    #[must_use]
    pub fn acting_as(&self, credential: Credential) -> Self {
        Self { credential: Arc::new(credential), ..self.clone() }
    }

    /// Begins a GET.
    pub fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// Begins a POST.
    pub fn post(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::POST, path)
    }

    /// Begins a PUT.
    pub fn put(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    /// Begins any call.
    pub fn call(&self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call { api: self, method, path: path.into(), headers: Vec::new(), body: None }
    }
}

/// One call, being put together.
#[derive(Debug)]
pub struct Call<'a> {
    api: &'a Api,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Result<Vec<u8>, String>>,
}

impl Call<'_> {
    /// With this JSON body.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).map_err(|error| error.to_string()));
        self
    }

    /// Only if the aggregate still has this version.
    #[must_use]
    pub fn if_match(self, version: u64) -> Self {
        self.header("if-match", format!("\"{version}\""))
    }

    /// Only if there is nothing yet.
    #[must_use]
    pub fn if_absent(self) -> Self {
        self.header("if-none-match", "*")
    }

    /// Under this idempotency key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends, repeats while the failure is a passing one, and reads the answer.
    pub async fn send<T: DeserializeOwned>(self) -> Result<Answer<T>, ApiError> {
        let deadline = Instant::now() + self.api.patience;
        let mut pause = FIRST_PAUSE;
        let mut renewed = false;
        loop {
            let failure = match self.once().await {
                Ok(response) if response.status().is_success() => return Answer::read(response).await,
                Ok(response) => self.refusal(response).await,
                Err(error) => error,
            };
            if failure.status() == Some(StatusCode::UNAUTHORIZED) && !renewed {
                renewed = true;
                self.api.credential.forget().await;
                continue;
            }
            let wait = failure.retry_after().unwrap_or(pause);
            if !failure.is_passing() || Instant::now() + wait > deadline {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&self) -> Result<Response, ApiError> {
        let token = self.api.credential.token(&self.api.http, &self.api.endpoints).await?;
        let url = self.api.endpoints.url(&self.path)?;
        let mut request = self.api.http.request(self.method.clone(), url).bearer_auth(token);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &self.body {
            let body = body.clone().map_err(ApiError::Unwritable)?;
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        request.send().await.map_err(ApiError::Unreachable)
    }

    async fn refusal(&self, response: Response) -> ApiError {
        ApiError::refused(format!("{} {}", self.method, self.path), response).await
    }
}
