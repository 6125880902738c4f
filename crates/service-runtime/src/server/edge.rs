//! What happens around every request: ids, span, time limit, panics, metrics, standard headers.

use std::{
    any::Any,
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::IntoResponse, response::Response};
use cache_ports::{OneBudget, one_budget};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::{body::Incoming, service::Service as HyperService};
use tower::Service;
use tracing::{Instrument, Span, field::Empty};

use super::{HttpConfig, meters::Meters, patience::Connection};
use crate::{
    Problem,
    context::{self, CORRELATION_ID_HEADER, RequestContext},
    limits::rate_limit,
    telemetry,
};

const CORRELATION_ID: HeaderName = HeaderName::from_static(CORRELATION_ID_HEADER);
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a shed request is told to wait.
const SHED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The router with everything around it.
#[derive(Clone)]
pub(super) struct Edge {
    router: Router,
    shared: Arc<Shared>,
}

struct Shared {
    timeout: Duration,
    max_in_flight: usize,
    in_flight: AtomicUsize,
    meters: Meters,
}

impl Edge {
    pub(super) fn new(router: Router, config: &HttpConfig) -> Self {
        let shared = Shared {
            timeout: Duration::from_millis(config.request_timeout_ms),
            max_in_flight: config.max_requests_in_flight,
            in_flight: AtomicUsize::new(0),
            meters: Meters::default(),
        };
        Self { router, shared: Arc::new(shared) }
    }

    pub(super) fn for_connection(&self, connection: Arc<Connection>) -> ConnectionEdge {
        ConnectionEdge { edge: self.clone(), connection }
    }

    async fn answer(mut self, request: Request<Incoming>) -> Response {
        let started = Instant::now();
        let context = RequestContext::of(request.headers(), request.uri());
        let method = request.method().clone();
        let correlation = context.correlation_header();
        let span = request_span(&request);
        let work = async move {
            let mut response = self.admitted(request).await;
            let route = context::take_route();
            let route = route.as_ref().map_or("unmatched", |matched| matched.as_str());
            self.shared.meters.record(route, &method, response.status(), started.elapsed());
            note_outcome(route, &method, response.status(), started);
            standard_headers(response.headers_mut(), correlation);
            response
        };
        context.scope(work.instrument(span)).await
    }

    /// Lets the request in unless too many are being worked on.
    async fn admitted(&mut self, request: Request<Incoming>) -> Response {
        let in_flight = InFlight::enter(&self.shared);
        if in_flight.count > self.shared.max_in_flight {
            metrics::counter!("http_requests_shed_total").increment(1);
            return Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many requests are being worked on",
            )
            .retry_after(SHED_RETRY_AFTER)
            .into_response();
        }
        let routed = Service::call(&mut self.router, request.map(Body::new));
        let limited = tokio::time::timeout(self.shared.timeout, routed);
        match AssertUnwindSafe(limited).catch_unwind().await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_elapsed)) => timed_out().into_response(),
            Err(panic) => Problem::internal(panic_text(&*panic)).into_response(),
        }
    }
}

/// Counts a request until its answer is made or its client has gone.
struct InFlight<'a> {
    counter: &'a AtomicUsize,
    count: usize,
}

impl<'a> InFlight<'a> {
    fn enter(shared: &'a Shared) -> Self {
        let count = shared.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        Self { counter: &shared.in_flight, count }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The edge as one connection sees it.
pub(super) struct ConnectionEdge {
    edge: Edge,
    connection: Arc<Connection>,
}

impl HyperService<Request<Incoming>> for ConnectionEdge {
    type Response = Response;
    type Error = Infallible;
    type Future = OneBudget<Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (edge, connection) = (self.edge.clone(), Arc::clone(&self.connection));
        connection.request_begins();
        one_budget(Box::pin(async move {
            let response = edge.answer(request).await;
            connection.request_ends();
            Ok(response)
        }))
    }
}

/// A span for the exporter, where there is one. Log lines name their request without it.
fn request_span(request: &Request<Incoming>) -> Span {
    if !telemetry::is_exporting() {
        return Span::none();
    }
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        http.request.method = request.method().as_str(),
        url.path = request.uri().path(),
        http.route = Empty,
        http.response.status_code = Empty,
    );
    telemetry::continue_trace(&span, request.headers());
    span
}

fn note_outcome(route: &str, method: &Method, status: StatusCode, started: Instant) {
    let span = Span::current();
    if telemetry::is_exporting() {
        span.record("http.route", route);
        span.record("http.response.status_code", status.as_u16());
    }
    tracing::debug!(target: "quoin::access", %method, route, status = status.as_u16(), elapsed = ?started.elapsed());
}

fn standard_headers(headers: &mut HeaderMap, correlation: Option<HeaderValue>) {
    if let Some(id) = correlation {
        headers.insert(CORRELATION_ID, id);
    }
    if let Some(note) = context::take_rate() {
        headers.extend(rate_limit(&note.decision).map(|value| (RATE_LIMIT, value)));
        headers.extend(note.policy_field.map(|value| (RATE_LIMIT_POLICY, value)));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn timed_out() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed-out", "The request took too long")
        .detail("It may or may not have had its effect: repeat it with the same Idempotency-Key")
        .retry_after(SHED_RETRY_AFTER)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    metrics::counter!("http_panics_total").increment(1);
    format!("a handler panicked: {}", text.unwrap_or("no message"))
}
