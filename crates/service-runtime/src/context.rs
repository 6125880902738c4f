//! What belongs to the request being served: its ids, its path, what the rate limiter said.
//!
//! A task-local instead of request extensions: nothing is allocated for it, and a [`crate::Problem`] can name the trace
//! without every function passing it along. Work spawned off the request does not see it: pass the ids explicitly there.

use std::cell::Cell;

use axum::extract::MatchedPath;
use http::{HeaderMap, HeaderValue, Uri};

use crate::{limits::RateNote, telemetry};

/// Names one request, or one chain of requests across services, in logs.
pub const CORRELATION_ID_HEADER: &str = "x-correlation-id";

/// Longest correlation id taken over from a client.
const MAX_CORRELATION_ID_BYTES: usize = 128;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The ids and notes of one request.
pub(crate) struct RequestContext {
    trace_id: TraceId,
    /// The caller's own; without it the trace id serves.
    correlation_id: Option<HeaderValue>,
    uri: Uri,
    matched: Cell<Option<MatchedPath>>,
    rate: Cell<Option<RateNote>>,
}

/// A trace id in hexadecimal: the caller's, or a new one. The span's own id wins while traces are exported.
#[derive(Clone, Copy)]
struct TraceId([u8; 32]);

impl TraceId {
    fn new() -> Self {
        // Names a request; it is no secret, so a fast generator does.
        let number = fastrand::u128(1..);
        Self(std::array::from_fn(|digit| HEX[(number >> (4 * digit)) as usize & 0xf]))
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl RequestContext {
    /// Takes over the caller's ids where they are well formed, else makes new ones.
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let trace_id = headers
            .get("traceparent")
            .and_then(|value| trace_id_of(value.to_str().ok()?)?.as_bytes().try_into().ok())
            .map_or_else(TraceId::new, TraceId);
        let correlation_id = headers.get(CORRELATION_ID_HEADER).filter(|id| is_correlation_id(id.as_bytes())).cloned();
        Self { trace_id, correlation_id, uri: uri.clone(), matched: Cell::new(None), rate: Cell::new(None) }
    }

    /// The correlation id as the header of the answer.
    pub(crate) fn correlation_header(&self) -> Option<HeaderValue> {
        self.correlation_id.clone().or_else(|| HeaderValue::from_bytes(&self.trace_id.0).ok())
    }

    fn correlation_id(&self) -> &str {
        self.correlation_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or(self.trace_id.as_str())
    }

    /// Runs `work` as part of this request.
    pub(crate) async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }
}

/// The correlation id of the request being served.
pub fn correlation_id() -> Option<String> {
    CURRENT.try_with(|context| context.correlation_id().to_owned()).ok()
}

/// The trace id of the request being served: 32 hex digits.
pub fn trace_id() -> Option<String> {
    telemetry::span_trace_id().or_else(|| CURRENT.try_with(|context| context.trace_id.as_str().to_owned()).ok())
}

/// The path of the request being served, without its query.
pub(crate) fn path() -> Option<String> {
    CURRENT.try_with(|context| context.uri.path().to_owned()).ok()
}

/// Notes which route the request matched: the label of its metrics.
pub(crate) fn note_route(matched: Option<&MatchedPath>) {
    if let Some(matched) = matched {
        let _ = CURRENT.try_with(|context| context.matched.set(Some(matched.clone())));
    }
}

/// The route noted for the request being served.
pub(crate) fn take_route() -> Option<MatchedPath> {
    CURRENT.try_with(|context| context.matched.take()).ok().flatten()
}

/// Notes what the rate limiter said: it becomes the RateLimit fields of the answer.
pub(crate) fn note_rate(note: RateNote) {
    let _ = CURRENT.try_with(|context| context.rate.set(Some(note)));
}

/// What the rate limiter said about the request being served.
pub(crate) fn take_rate() -> Option<RateNote> {
    CURRENT.try_with(|context| context.rate.take()).ok().flatten()
}

/// The trace id inside a W3C traceparent, if that is well formed and not all zero.
fn trace_id_of(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace_id) = (parts.next()?, parts.next()?);
    let hex = |text: &str, len| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hex(version, 2) && version != "ff" && hex(trace_id, 32) && trace_id.bytes().any(|b| b != b'0')).then_some(trace_id)
}

/// Ids end up in logs and headers: only harmless characters.
fn is_correlation_id(id: &[u8]) -> bool {
    let harmless = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=MAX_CORRELATION_ID_BYTES).contains(&id.len()) && id.iter().all(harmless)
}

/// A new id for work that no request began.
pub(crate) fn new_correlation_id() -> String {
    TraceId::new().as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_traceparents_are_taken_over() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_id_of(good), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00",
            "00-xyz-1-1",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-0-0",
        ] {
            assert_eq!(trace_id_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_correlation_id_cannot_forge_a_log_line() {
        assert!(is_correlation_id(b"order-7:retry.2"));
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(!is_correlation_id(bad.as_bytes()), "{bad}");
        }
    }
}
