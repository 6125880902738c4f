//! What comes back: a value with its headers, or a problem document (RFC 9457).

use std::time::Duration;

use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::{Deserialize, de::DeserializeOwned};

/// A successful answer.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub value: T,
}

impl<T: DeserializeOwned> Answer<T> {
    pub(super) async fn read(response: Response) -> Result<Self, ApiError> {
        let (status, headers, url) = (response.status(), response.headers().clone(), response.url().path().to_owned());
        let body = response.bytes().await.map_err(ApiError::Unreachable)?;
        let value = serde_json::from_slice(&body).map_err(|source| ApiError::Unreadable { url, source })?;
        Ok(Self { status, headers, value })
    }
}

impl<T> Answer<T> {
    /// A header as text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The version in the entity tag.
    pub fn version(&self) -> Option<u64> {
        self.header("etag").trim_matches('"').parse().ok()
    }
}

/// A problem document, as far as this client looks into it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// Stable short name.
    pub code: String,
    /// The same in words.
    pub title: String,
    /// What is special about this occurrence.
    pub detail: Option<String>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// What is wrong with which field.
    pub errors: Vec<FieldProblem>,
    /// The trace to look for.
    pub trace_id: Option<String>,
}

/// One field of a problem document.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FieldProblem {
    /// JSON pointer into the request.
    pub pointer: String,
    /// Stable short name.
    pub code: String,
    /// In words.
    pub detail: Option<String>,
}

/// Why a call brought no value.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The service said no.
    #[error("{call} answered {status}: {}", describe(problem))]
    Refused {
        /// Method and path.
        call: String,
        /// Status of the answer.
        status: StatusCode,
        /// Its problem document; empty when it had none.
        problem: Box<Problem>,
        /// When to come again, if the service said so.
        retry_after: Option<Duration>,
    },
    /// No answer came.
    #[error("no answer")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is not what the API promises.
    #[error("{url} answered something unexpected")]
    Unreadable {
        /// The path.
        url: String,
        /// What was wrong with it.
        source: serde_json::Error,
    },
    /// The request could not be written as JSON.
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
    /// The path belongs to no known service.
    #[error("no address is known for {0}")]
    UnknownService(String),
}

impl ApiError {
    pub(super) async fn refused(call: String, response: Response) -> Self {
        let status = response.status();
        let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let problem = response.json::<Problem>().await.unwrap_or_default();
        Self::Refused { call, status, problem: Box::new(problem), retry_after: seconds.map(Duration::from_secs) }
    }

    /// The status, when there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The problem's stable name, empty when there is none.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { problem, .. } => &problem.code,
            _ => "",
        }
    }

    /// Whether the same call may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, problem, .. } => {
                problem.retryable || matches!(status.as_u16(), 429 | 502 | 503 | 504)
            }
            Self::Unreachable(error) => !error.is_builder(),
            _ => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn describe(problem: &Problem) -> String {
    let mut words = vec![match (&problem.detail, problem.title.as_str()) {
        (Some(detail), _) => detail.clone(),
        (None, "") => "no problem document".to_owned(),
        (None, title) => title.to_owned(),
    }];
    // Enough to see the pattern; a price book may be wrong in thousands of places.
    for field in problem.errors.iter().take(5) {
        words.push(format!("{} {} {}", field.pointer, field.code, field.detail.as_deref().unwrap_or_default()));
    }
    words.extend(problem.trace_id.as_ref().map(|trace| format!("trace {trace}")));
    words.join("; ")
}
