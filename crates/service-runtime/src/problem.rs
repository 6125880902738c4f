//! The one shape of every refusal: problem+json (RFC 9457) with pointers to the fields at fault.
//!
//! A problem carries what the client may know. The cause stays here: it is logged once, when the problem becomes a response.
//! Must never put a driver's text into a body.

mod document;
mod from_sqlx;

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use kernel::Version;
use serde::Serialize;
use utoipa::{PartialSchema, ToSchema};

pub use document::{FieldProblem, ProblemDocument};

use crate::{context, etag};

/// What a handler returns.
pub type ApiResult<T> = Result<T, Problem>;

pub(crate) const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// The media type of a problem.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static(PROBLEM_MEDIA_TYPE);

/// Most field problems one answer lists; the rest would not be read.
pub const MAX_FIELD_PROBLEMS: usize = 100;

/// A refusal on its way to the client.
pub struct Problem(Box<Parts>);

struct Parts {
    status: StatusCode,
    document: ProblemDocument,
    retry_after: Option<Duration>,
    header: Option<(HeaderName, HeaderValue)>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A refusal with a stable `code`, the last part of its type URL, and a title that is the same for every occurrence.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, title: impl Into<Cow<'static, str>>) -> Self {
        let document = ProblemDocument::new(status, code.into(), title.into());
        Self(Box::new(Parts { status, document, retry_after: None, header: None, cause: None }))
    }

    /// 404: there is no such thing, or not for this tenant.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("There is no such {what}"))
    }

    /// 403: the caller is known and may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The caller may not do this").detail(detail)
    }

    /// 409: the state of the object does not allow this.
    pub fn conflict(code: &'static str, title: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, title)
    }

    /// 422: the request was understood and breaks a rule; add the pointers with [`Problem::pointer`].
    pub fn invalid() -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "The request breaks a rule")
    }

    /// 500: our fault; `cause` goes to the log, not to the client.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal-error", "The service failed").caused_by(cause)
    }

    /// 503: something the service needs is away or too busy; the client may try again after `after`.
    pub fn unavailable(after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily-unavailable", "The service cannot answer at the moment")
            .retry_after(after)
    }

    /// 412: the object is now in another version than the one named by If-Match.
    pub fn precondition_failed(current: Version) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "The object was changed in the meantime")
            .member("currentVersion", current)
            .current(current)
    }

    /// What is particular about this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.document.detail = Some(detail.into());
        self
    }

    /// Adds a field at fault: a JSON pointer into the request body, a stable code, an explanation.
    #[must_use]
    pub fn pointer(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        if self.0.document.errors.len() < MAX_FIELD_PROBLEMS {
            self.0.document.errors.push(FieldProblem {
                pointer: pointer.into(),
                code: code.into(),
                detail: detail.into(),
            });
        }
        self
    }

    /// Adds several fields at fault.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = FieldProblem>) -> Self {
        let free = MAX_FIELD_PROBLEMS.saturating_sub(self.0.document.errors.len());
        self.0.document.errors.extend(fields.into_iter().take(free));
        self
    }

    /// Names what would be allowed instead, for an illegal transition.
    #[must_use]
    pub fn allowed<T: Into<String>>(mut self, allowed: impl IntoIterator<Item = T>) -> Self {
        self.0.document.allowed = Some(allowed.into_iter().map(Into::into).collect());
        self
    }

    /// The same request may succeed after `after`: sets Retry-After and `retryable`.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self.0.document.retryable = true;
        self.0.document.retry_after_seconds = Some(whole_seconds(after));
        self
    }

    /// Adds an extension member, for example the id of the object that is already there.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.document.members.insert(name.to_owned(), value);
        }
        self
    }

    /// Tells the client the version the object has now, as an ETag.
    #[must_use]
    pub fn current(self, version: Version) -> Self {
        self.header(header::ETAG, etag(version))
    }

    /// Adds a header the status calls for, such as WWW-Authenticate; one a problem.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into().into());
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.document.code
    }

    /// The body as the client will see it, but for trace id and instance.
    pub fn document(&self) -> &ProblemDocument {
        &self.0.document
    }

    /// A problem another service answered, passed on as our own.
    pub(crate) fn from_document(status: StatusCode, document: ProblemDocument) -> Self {
        let retry_after = document.retry_after_seconds.map(Duration::from_secs);
        Self(Box::new(Parts { status, document, retry_after, header: None, cause: None }))
    }
}

/// Rounds up, so that a client that waits as told does not come too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { status, mut document, retry_after, header: extra, cause } = *self.0;
        document.trace_id = context::trace_id();
        document.instance = context::path();
        log_once(status, &document, cause.as_deref());
        let mut response = (status, axum::Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        if let Some((name, value)) = extra {
            headers.insert(name, value);
        }
        response
    }
}

fn log_once(status: StatusCode, document: &ProblemDocument, cause: Option<&(dyn Error + Send + Sync + 'static)>) {
    let code = document.code.as_ref();
    match cause {
        Some(cause) if status.is_server_error() => {
            tracing::error!(status = status.as_u16(), code, cause = %Chain(cause), "request failed");
        }
        Some(cause) => tracing::debug!(status = status.as_u16(), code, cause = %Chain(cause), "request refused"),
        None => tracing::debug!(status = status.as_u16(), code, "request refused"),
    }
}

/// An error with its sources, for one log line.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.document.code, self.0.document.title)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem").field("document", &self.0.document).field("cause", &self.0.cause).finish()
    }
}

impl Error for Problem {}

impl PartialSchema for Problem {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        ProblemDocument::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        ProblemDocument::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(problem: Problem) -> (http::response::Parts, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (parts, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_problem_has_the_members_of_rfc_9457_and_ours() {
        let problem = Problem::conflict("illegal-transition", "Not in this state")
            .detail("the quote is expired")
            .allowed(["cancel"])
            .member("state", "expired");
        let (parts, body) = answer(problem).await;
        assert_eq!(parts.status, StatusCode::CONFLICT);
        assert_eq!(parts.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["type"], "https://quoin.dev/problems/illegal-transition");
        assert_eq!(body["status"], 409);
        assert_eq!(body["allowed"][0], "cancel");
        assert_eq!(body["state"], "expired");
        assert_eq!(body["retryable"], false);
    }

    #[tokio::test]
    async fn the_cause_never_reaches_the_client() {
        let (_, body) = answer(Problem::internal("relation \"secret\" does not exist")).await;
        assert!(!body.to_string().contains("secret"), "{body}");
    }

    #[tokio::test]
    async fn retry_after_rounds_up() {
        let (parts, body) = answer(Problem::unavailable(Duration::from_millis(1_200))).await;
        assert_eq!(parts.headers[header::RETRY_AFTER], "2");
        assert_eq!(body["retryAfterSeconds"], 2);
        assert_eq!(body["retryable"], true);
    }

    #[tokio::test]
    async fn the_list_of_fields_is_bounded() {
        let mut problem = Problem::invalid();
        for item in 0..1_000 {
            problem = problem.pointer(format!("/items/{item}"), "range", "too small");
        }
        assert_eq!(problem.document().errors.len(), MAX_FIELD_PROBLEMS);
    }
}
