//! The answer of a command, in the form in which it is stored, cached and repeated.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use cache_ports::CachedResponse;
use http::{HeaderName, HeaderValue, StatusCode, header};
use kernel::{ContentHash, Version};
use serde::Serialize;

use crate::{Problem, etag};

/// Marks an answer that was given before.
pub const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

const JSON: &str = "application/json";

/// What a command answers when it succeeded: always 2xx, because only that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResponse {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) content_type: String,
    pub(super) etag: Option<String>,
    pub(super) location: Option<String>,
}

impl CommandResponse {
    /// 200 with an object.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::with_status(StatusCode::OK, body)
    }

    /// 201 with the new object and its path.
    pub fn created(location: impl Into<String>, body: &impl Serialize) -> Result<Self, Problem> {
        let mut response = Self::with_status(StatusCode::CREATED, body)?;
        response.location = Some(location.into());
        Ok(response)
    }

    /// 202: the work goes on; `location` tells how it stands.
    pub fn accepted(location: impl Into<String>, body: &impl Serialize) -> Result<Self, Problem> {
        let mut response = Self::with_status(StatusCode::ACCEPTED, body)?;
        response.location = Some(location.into());
        Ok(response)
    }

    /// 204.
    pub fn no_content() -> Self {
        let content_type = String::new();
        Self { status: StatusCode::NO_CONTENT, body: Vec::new(), content_type, etag: None, location: None }
    }

    /// Tells the version the object has now.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.etag = etag(version).to_str().ok().map(str::to_owned);
        self
    }

    fn with_status(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self { status, body, content_type: JSON.to_owned(), etag: None, location: None })
    }

    pub(super) fn to_cached(&self, fingerprint: ContentHash) -> CachedResponse {
        CachedResponse {
            status: self.status.as_u16(),
            body: self.body.clone(),
            content_type: self.content_type.clone(),
            etag: self.etag.clone(),
            location: self.location.clone(),
            fingerprint,
        }
    }

    pub(super) fn from_cached(cached: CachedResponse) -> Self {
        Self {
            status: StatusCode::from_u16(cached.status).unwrap_or(StatusCode::OK),
            body: cached.body,
            content_type: cached.content_type,
            etag: cached.etag,
            location: cached.location,
        }
    }

    /// The same answer, marked as a repetition.
    pub(super) fn into_replay(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
        response
    }
}

impl IntoResponse for CommandResponse {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let mut set = |name: HeaderName, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, Some(self.content_type).filter(|media| !media.is_empty()));
        set(header::ETAG, self.etag);
        set(header::LOCATION, self.location);
        response
    }
}
