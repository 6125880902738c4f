//! What belongs to the request being served: its ids, its path, what the rate limiter said.
//!
//! A task-local instead of request extensions: nothing is allocated for it, and a [`crate::Problem`] can name the trace
//! without every function passing it along. Work spawned off the request does not see it: pass the ids explicitly there.

use std::{cell::Cell, fmt::Write};

use axum::extract::MatchedPath;
use cache_ports::RateDecision;
use http::{HeaderMap, Uri};

use crate::telemetry;

/// Names one request, or one chain of requests across services, in logs.
pub const CORRELATION_ID_HEADER: &str = "x-correlation-id";

/// Longest correlation id taken over from a client.
const MAX_CORRELATION_ID_BYTES: usize = 128;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The ids and notes of one request.
pub(crate) struct RequestContext {
    pub(crate) correlation_id: String,
    /// The caller's trace id, or a new one; the span's own id wins while traces are exported.
    trace_id: String,
    uri: Uri,
    matched: Cell<Option<MatchedPath>>,
    rate: Cell<Option<RateDecision>>,
}

impl RequestContext {
    /// Takes over the caller's ids where they are well formed, else makes new ones.
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let trace_id = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .and_then(trace_id_of)
            .map_or_else(new_trace_id, str::to_owned);
        let correlation_id = headers
            .get(CORRELATION_ID_HEADER)
            .and_then(|value| value.to_str().ok())
            .filter(|id| is_correlation_id(id))
            .map_or_else(|| trace_id.clone(), str::to_owned);
        Self { correlation_id, trace_id, uri: uri.clone(), matched: Cell::new(None), rate: Cell::new(None) }
    }

    /// Runs `work` as part of this request.
    pub(crate) async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }
}

/// The correlation id of the request being served.
pub fn correlation_id() -> Option<String> {
    CURRENT.try_with(|context| context.correlation_id.clone()).ok()
}

/// The trace id of the request being served: 32 hex digits.
pub fn trace_id() -> Option<String> {
    telemetry::span_trace_id().or_else(|| CURRENT.try_with(|context| context.trace_id.clone()).ok())
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
pub(crate) fn note_rate(decision: RateDecision) {
    let _ = CURRENT.try_with(|context| context.rate.set(Some(decision)));
}

/// What the rate limiter said about the request being served.
pub(crate) fn take_rate() -> Option<RateDecision> {
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
fn is_correlation_id(id: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=MAX_CORRELATION_ID_BYTES).contains(&id.len()) && id.bytes().all(harmless)
}

/// Names a request; it is no secret, so a fast generator does.
pub(crate) fn new_trace_id() -> String {
    let mut id = String::with_capacity(32);
    let _ = write!(id, "{:032x}", fastrand::u128(1..));
    id
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
        assert!(is_correlation_id("order-7:retry.2"));
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(!is_correlation_id(bad), "{bad}");
        }
    }
}
